"""One thing that was found out about a machine."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

State = Literal["measured", "modelled", "missing", "known", "guessed", "attention"]
"""Energy that is measured, that is modelled, or cannot be had; a fact, a guess, or what a user should look at."""


COMMAND: Final = re.compile(r"`([^`]+)`")
"""How a sentence marks what to type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found out, and what would change it.

    Attributes:
        topic: What it is about, in a word or two.
        state: What it means.
        text: Sentences for the user.
        command: What to type to change it, exactly; None if there is nothing to change, or no command that would.
        details: The same for machines: plain JSON types, units in the names.
    """

    topic: str
    state: State
    text: str
    command: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
