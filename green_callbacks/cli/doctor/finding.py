"""A finding of the examination."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

State = Literal["measured", "modelled", "missing", "known", "guessed", "attention"]
"""Energy that is measured, modelled or missing. Or a fact, a guess, or a fault that needs the user's attention."""


COMMAND: Final = re.compile(r"`([^`]+)`")
"""Pattern of a command in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fact about the machine, and the command that would change it.

    Attributes:
        topic: Subject, in a word or two.
        state: Kind of the finding.
        text: Sentences for the user.
        command: Exact command that would change the finding. None if there is no such command.
        details: Facts for programs, in plain JSON types, with units in the names.
    """

    topic: str
    state: State
    text: str
    command: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
