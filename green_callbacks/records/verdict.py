"""What a policy says of a run so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Code = Literal["held", "armed", "warning", "stopping"]
"""Not deciding yet, deciding, close to stopping, or stopping."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision, always with its reason.

    Attributes:
        stop: Whether training should stop now.
        code: State of the policy.
        reason: One sentence for the user.
        values: Numbers that others show, under the metric keys of the package, e.g. ``green/budget_left_kg``.
    """

    stop: bool
    code: Code
    reason: str
    values: Mapping[str, float] = field(default_factory=dict)
