"""Why a loop cannot land. Policies then stop without a landing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Literal

from green_callbacks.accountant.notices import Notices
from green_callbacks.policies import Policy, title_of
from green_callbacks.records import Plan

_NO_RATES: Final = (
    "No optimizer is known. Call accountant.scale_learning_rates(optimizer) before the loop, or leave landing out."
)
_NO_STEPS: Final = (
    "The loop reports no optimizer steps. Go through accountant.steps(batches), or report step=… to "
    "accountant.observe() after every step."
)
_UNASKED: Final = (
    "The loop does not ask inside epochs, so a budget cannot land in time. Go through accountant.steps(batches), or "
    "call accountant.look() after every batch and stop when it returns True."
)
_INEXACT: Final = (
    "The loop reports its optimizer steps after epochs only, so no landing can begin inside an epoch. Go through "
    "accountant.steps(batches), or report step=… to accountant.observe() after every step."
)
_RESTARTED: Final = (
    "The optimizer steps that the loop reports do not grow from epoch to epoch. Report step=… as the number of steps "
    "since the beginning of the training. In a module of Lightning, step the optimizers of self.optimizers()."
)
OF_ANOTHER_PROCESS: Final = (
    "The learning rates of another process cannot be scaled. Use the same optimizers in all processes, or leave "
    "landing out."
)
"""The reason that rank 0 gives for another rank."""
_STRANGER: Final = (
    "%s asks for a landing, but has no attribute `landing` above 0, so nothing was prepared. It stops at once. "
    "Add the attribute."
)
_DROPPED: Final = (
    "The checkpoint lies inside a landing, but no policy has landing=… now. The learning rate is that of the schedule "
    "again. Give the policy its landing back to go on with it."
)
_OVER: Final = (
    "The run goes on after the end of its landing, at the learning rate of the schedule. This may undo the gain of the "
    "landing, so keep the checkpoint that you continue."
)

Lack = Literal["rates", "steps", "asking", "exact steps", "growing steps"]
"""What a loop lacks for a landing."""

_TEXTS: Final[dict[Lack, str]] = {
    "rates": _NO_RATES,
    "steps": _NO_STEPS,
    "asking": _UNASKED,
    "exact steps": _INEXACT,
    "growing steps": _RESTARTED,
}


class Refusals:
    """Refuses landings, and says why, once.

    Args:
        landers: The policies that may begin a landing.
        notices: Receives the warnings.
        plan: Returns the plan.
        publish: Replaces the plan.
    """

    def __init__(
        self,
        landers: Sequence[Policy],
        notices: Notices,
        plan: Callable[[], Plan],
        publish: Callable[[Plan], object],
    ) -> None:
        self._landers = landers
        self._notices = notices
        self._plan = plan
        self._publish = publish
        self._is_by_rates = False

    def lacks(self, lack: Lack | None) -> None:
        """Refuse landings because the loop lacks something.

        Args:
            lack: What it lacks. None for nothing.
        """
        if lack is None:
            return
        self._refuse(_TEXTS[lack])
        self._is_by_rates |= lack == "rates"  # they may come later

    def check(self, why: str | None) -> None:
        """Refuse landings if the learning rates cannot be scaled, and allow them again once they can.

        Args:
            why: The reason of the rates, or None if they can be scaled.
        """
        if why is not None:
            self._refuse(why)
            self._is_by_rates = True
        elif self._is_by_rates:
            self._is_by_rates = False
            self._notices.withdraw("landing")
            self._publish(replace(self._plan(), landing_refused=False))

    def _refuse(self, why: str) -> None:
        if self._plan().landing_refused:
            return
        names = " and ".join(title_of(policy) for policy in self._landers)
        self._notices.say("landing", "%s cannot land, so a stop comes without a landing. %s", names, why)
        self._publish(replace(self._plan(), landing_refused=True))

    def says(self, what: Literal["dropped", "over"]) -> None:
        """Warn that a landing of an earlier process does not go on.

        Args:
            what: Whether no policy lands any more, or the landing is over.
        """
        self._notices.say(f"landing {what}", _DROPPED if what == "dropped" else _OVER)

    def stranger(self, policy: Policy) -> None:
        """Warn of a policy that asks for a landing without having announced it.

        Args:
            policy: The policy.
        """
        self._notices.say("landing of a stranger", _STRANGER, title_of(policy))
