"""The decision of a policy after a record.

Example:
    >>> code: Code = "active"
    >>> Verdict(stop=False, code=code, reason="300 g of the budget of 500 g are left.").code
    'active'
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Code = Literal["waiting", "active", "warning", "landing", "stopping"]
"""State of a policy.

``waiting`` cannot decide yet, and ``active`` decides. ``warning`` reports a fact that the user should know.
``landing`` lets the learning rate go to 0, after which the run stops. ``stopping`` stops the run.
"""

_FORMER_CODES: Final[Mapping[str, Code]] = {"held": "waiting", "armed": "active"}
"""The present name of each code that has been renamed. Policies of users may still return the former names."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with its reason.

    Attributes:
        stop: Whether training should stop now.
        code: State of the policy. The former codes ``held`` and ``armed`` become ``waiting`` and ``active``.
        reason: One sentence for the user.
        values: Numbers that sinks show, by metric key, e.g. ``green/budget_left_kg``. Defaults to none.
        landing: Length of the landing that is to begin, as a share of the optimizer steps of the fit so far, 0 to 1.
            The policy needs an attribute ``landing`` above 0, too. Defaults to None, for no landing.

    Example:
        >>> Verdict(stop=True, code="stopping", reason="The budget of 500 g is spent.").stop
        True
    """

    stop: bool
    code: Code
    reason: str
    values: Mapping[str, float] = field(default_factory=dict)
    landing: float | None = None

    def __post_init__(self) -> None:
        """Replace a former code."""
        code = _FORMER_CODES.get(self.code)
        if code is not None:
            object.__setattr__(self, "code", code)
