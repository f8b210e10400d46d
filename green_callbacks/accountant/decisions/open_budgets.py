"""The budgets of a run, asked inside epochs."""

from collections.abc import Sequence
from dataclasses import replace
from math import isnan
from typing import Final

from green_callbacks.accountant.decisions.asked_length import checked_length
from green_callbacks.accountant.decisions.budget_checks import Spending
from green_callbacks.accountant.decisions.policy_ability import PolicyAbility, say_failed
from green_callbacks.accountant.decisions.stop_decision import StopDecision
from green_callbacks.accountant.landing.run_landing import RunLanding
from green_callbacks.accountant.notices import Notices
from green_callbacks.policies import Budget, Left
from green_callbacks.records import History, Plan
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_SILENT_SECONDS: Final = 10.0
"""Time without new energy, in s, after which a warning is due. By experiment, slow sensors need several seconds."""


class OpenBudgets:
    """Asks the budgets while an epoch is open, without a record. Stops the run when a hard budget is spent.

    Args:
        budgets: The policies that can be asked inside epochs.
        plan: The plan. It may be replaced later.
        history: All records of the run. It grows.
        notices: Receives the warnings.
        ability: Says which policies cannot act.
        decision: Whether the run is to stop.
        landing: The landing of the run.
        strict: Whether to raise what a budget raises.
    """

    def __init__(
        self,
        budgets: Sequence[Budget],
        plan: Plan,
        history: History,
        notices: Notices,
        *,
        ability: PolicyAbility,
        decision: StopDecision,
        landing: RunLanding,
        strict: bool,
    ) -> None:
        self.plan = plan
        self._budgets = tuple(budgets)
        self._history = history
        self._notices = notices
        self._ability = ability
        self._decision = decision
        self._landing = landing
        self._strict = strict
        self._spending = Spending()
        self._is_soft_warned = False

    def __bool__(self) -> bool:
        """Return whether there are budgets."""
        return bool(self._budgets)

    def left_inside(self, spending: Spending) -> list[Left | None]:
        """Return the rest of each budget in the open epoch, or None for a budget that cannot answer.

        Args:
            spending: Energy and emissions that are in no record yet.
        """
        if spending.kwh is not None and spending.kwh != self._spending.kwh:
            self._spending = spending
        elif spending.seconds < self._spending.seconds:  # another epoch has begun
            self._spending = Spending(spending.kg, spending.kwh)
        silent_seconds = spending.seconds - self._spending.seconds
        if silent_seconds > _SILENT_SECONDS:
            self._ability.unmeasured(silent_seconds)
        return self._left(spending)

    def stop_inside(self, lefts: Sequence[Left | None]) -> bool:
        """Stop the run if nothing is left of a hard budget, or let it land. Warn once if a soft budget is spent.

        Args:
            lefts: The rest of each budget.

        Returns:
            Whether the run is to stop, or to begin or shorten a landing.
        """
        decision = self._decision
        # First the budgets that do not land, because a landing would hide that they are spent.
        spent = _spent([left for left in lefts if left and not left.landing])
        if spent is None and self._landing.inside(lefts):
            return True
        spent = spent or _spent(lefts)
        if spent is not None:
            decision.stop(spent, "in", decision.epoch)
        soft = next((left.reason for left in lefts if left and left.amount <= 0 and not left.stops), None)
        if soft is not None and not self._is_soft_warned:
            self._is_soft_warned = True
            sooner = ", or sooner with its landing" if self._landing.landing is not None else ""
            logger.warning("In epoch %s: %s The run ends after this epoch%s.", decision.epoch, soft, sooner)
        return decision.is_made

    def say_unasked(self, lefts: Sequence[Left | None] | None = None) -> None:
        """Warn that a budget was overspent inside an epoch of a loop that does not ask.

        Args:
            lefts: The rest of each budget. Defaults to the rest by the records alone.
        """
        lefts = self._left(Spending(), _without_holds(self.plan)) if lefts is None else lefts
        spent = _spent([left for left in lefts if left is None or left.amount < 0])
        epoch = self._decision.epoch
        if spent is not None and epoch is None:
            self._ability.without_epochs(f"{spent} ")
        elif spent is not None:
            self._notices.say(
                "unasked",
                "In epoch %s: %s The loop does not ask inside an epoch, so each epoch runs to its end. Go through "
                "accountant.steps(batches), or call accountant.look() after every batch and stop when it returns True.",
                epoch,
                spent,
            )

    def say_without_epochs(self, spending: Spending | None = None, *, has_observed: bool = False) -> None:
        """Warn that a run trains although no epoch has begun.

        Such a run overspends a budget, or reports metrics again and again.

        Args:
            spending: Energy and emissions that are in no record yet. Defaults to nothing.
            has_observed: Whether metrics are reported. Defaults to False.
        """
        decision = self._decision
        if decision.epoch is not None or self._history.last_epoch is not None or decision.is_made:
            return
        if has_observed:
            self._ability.without_epochs()
        elif self._budgets:
            self.say_unasked(self._left(spending or Spending()))

    def _left(self, spending: Spending, plan: Plan | None = None) -> list[Left | None]:
        plan = self.plan if plan is None else plan
        return [self._left_of(at, budget, spending, plan) for at, budget in enumerate(self._budgets)]

    def _left_of(self, at: int, budget: Budget, spending: Spending, plan: Plan) -> Left | None:
        try:
            left = _checked(budget.left_inside(self._history, plan, spending.kg or 0.0, spending.kwh or 0.0))
        # A budget may be the user's own: a fault in it must not cost them their training.
        except Exception as failure:
            if self._strict:
                raise
            say_failed(self._notices, f"inside {at}", budget, failure)
            return None
        return left if left is None or left.amount > 0 else self._with_length(at, budget, left)

    def _with_length(self, at: int, budget: Budget, left: Left) -> Left:
        """Return a rest of nothing with a length of its landing that is a number. Otherwise it stops at once."""
        try:
            return left._replace(landing=checked_length(left.landing, "left_inside()"))
        except TypeError as failure:
            if self._strict:
                raise
            say_failed(self._notices, f"landing {at}", budget, failure, "It stops without a landing.")
            return left._replace(landing=0.0)


def _without_holds(plan: Plan) -> Plan:
    """Return a plan without what other runs only hold, because nobody has overspent a budget by holding it."""
    return replace(plan, shared=tuple([each._replace(held=0.0, withheld=0.0) for each in plan.shared]))


def _checked(answer: object) -> Left | None:
    """Return an answer. An answer without a number would switch the checks of the other budgets off, too."""
    if answer is None:
        return None
    if not isinstance(answer, Left) or not isinstance(answer.reason, str) or isnan(answer.amount):
        msg = f"left_inside() answered {answer!r}. Return a Left, with a number and a reason."
        raise TypeError(msg)
    return answer


def _spent(lefts: Sequence[Left | None]) -> str | None:
    """Return why a hard budget is to stop the run, or None if it is not to stop."""
    return next((left.reason for left in lefts if left and left.amount <= 0 and left.stops), None)
