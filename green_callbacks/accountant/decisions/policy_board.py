"""What the policies of a run say, and what follows from it."""

import logging
from collections.abc import Collection, Sequence
from typing import Final

from green_callbacks.accountant.decisions.budget_checks import Spending
from green_callbacks.accountant.decisions.decision_interval import Interval
from green_callbacks.accountant.decisions.missing_metrics import Monitors
from green_callbacks.accountant.decisions.policy_ability import NEVER_ASKED, Ability, title
from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.ranks import Ranks
from green_callbacks.errors import BudgetSpentError
from green_callbacks.policies import Budget, CarbonBudget, Forecast, Left, Policy
from green_callbacks.records import EpochRecord, History, Plan, Verdict
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_SILENT_SECONDS: Final = 10.0
"""How long an epoch may go on without any energy before that is said, in s: some sensors are slow."""


class Board:
    """Asks every policy after every epoch, and says so when one stops the run, or cannot. Forecasts the run as well.

    Args:
        policies: The policies.
        plan: What is known ahead; may become known later.
        history: All records of the run; grows.
        notices: What says that something cannot act.
        interval: How often policies are asked inside epochs; None for not at all.
        strict: Raise what a policy raises instead of going on without it.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        plan: Plan,
        history: History,
        notices: Notices,
        interval: Interval | None,
        *,
        strict: bool,
    ) -> None:
        self.stop_reason: str | None = None
        self._policies = tuple(policies)
        self._budgets = tuple(policy for policy in policies if isinstance(policy, Budget))
        self._forecast = Forecast(tuple(policy for policy in policies if isinstance(policy, CarbonBudget)))
        self.plan = plan
        self.epoch: int | None = None
        """The epoch that is open, or was last."""
        self._history = history
        self._notices = notices
        self._strict = strict
        self._has_foretold = self._is_spent_said = False
        self._spending = Spending()
        self._last: dict[int, Verdict] = {}
        self._has_acted: set[int] = set()
        self.ability = Ability(policies, notices, interval)
        self.monitors = Monitors(notices)
        for policy in policies:
            monitor = getattr(policy, "monitor", None)
            if isinstance(monitor, str):
                self.monitors.add(monitor, type(policy).__name__)
        self._watched: tuple[str | None, str] = (None, "max")

    @property
    def has_budgets(self) -> bool:
        """Whether a policy is to be asked inside epochs too."""
        return bool(self._budgets)

    def watch(self, metric: str, mode: str) -> None:
        """Watch a metric beside the policies; it stands for the quality of the model where no policy watches one."""
        self._watched = metric, mode
        self.monitors.add(metric, "FrontCheckpoint")

    def replan(self, plan: Plan) -> None:
        """Take a plan that became known after the start."""
        self.plan = plan
        self.ability.replan(plan)

    @property
    def monitor(self) -> str | None:
        """The metric that a policy watches, or else whoever does; None if nobody does."""
        watched, _ = self._watched
        return next((monitor for policy in self._policies if (monitor := getattr(policy, "monitor", None))), watched)

    @property
    def mode(self) -> str:
        """Which way that metric improves: ``max`` or ``min``."""
        _, watched = self._watched
        return next((mode for policy in self._policies if (mode := getattr(policy, "mode", None))), watched)

    def announce(self) -> None:
        """Say what the policies will do."""
        for policy in self._policies:
            describe = getattr(policy, "describe", None)
            if describe:
                logger.info("%s", describe())

    def refuse_if_spent(self, history: History, ranks: Ranks) -> None:
        """Refuse to train on a budget that leaves no room for an epoch.

        Args:
            history: All records so far; rank 0's counts.
            ranks: The processes: all of them refuse.

        Raises:
            BudgetSpentError: A budget is spent.
        """
        budgets = [policy for policy in self._policies if isinstance(policy, CarbonBudget)]
        verdicts = [budget.decide(history, self.plan) for budget in budgets] if ranks.rank == 0 else []
        spent = next((verdict.reason for verdict in verdicts if verdict.stop), None)
        if ranks.sum([float(spent is not None)])[0] > 0:
            self.stop_reason = spent or "Rank 0 found its carbon budget spent."
            raise BudgetSpentError(self.stop_reason)

    def decide(
        self,
        history: History,
        record: EpochRecord,
        *,
        has_counted: bool = True,
        is_unasked: bool = False,
        refused: Collection[str] = (),
    ) -> tuple[Verdict, ...]:
        """Ask every policy.

        Args:
            history: All records, with the last one.
            record: The last one.
            has_counted: Whether steps were counted. Defaults to true.
            is_unasked: Whether nobody looked at the budgets inside the epoch, though they might. Defaults to false.
            refused: Metrics that were observed and are no numbers. Defaults to none.

        Returns:
            The verdicts, in the order of the policies; then the forecast, where there is one.
        """
        self.ability.after(record, has_counted=has_counted)
        if self.monitors.missing:
            self.monitors.after(history, record, refused)
        verdicts = tuple([self._ask(at, policy, history) for at, policy in enumerate(self._policies)])
        for at, verdict in enumerate(verdicts):
            self._tell(at, verdict)
            if verdict.stop:
                self._stop(verdict.reason, "after" if record.closes_epoch else "in", record.epoch)
        if is_unasked and any(verdict.stop for verdict in verdicts):
            self.say_unasked([self._left(at, budget, Spending()) for at, budget in enumerate(self._budgets)])
        return verdicts + self._foretold(history) if self.plan.has_end else verdicts

    def _stop(self, reason: str, where: str, epoch: int | None) -> None:
        if self.stop_reason is None:
            self.stop_reason = reason
            logger.warning("Stopping %s epoch %s. %s", where, epoch, reason)

    def left_inside(self, spending: Spending) -> list[Left | None]:
        """Return what is left of each budget inside the epoch that is open; None of one that cannot tell.

        Args:
            spending: What is in no record yet.
        """
        if spending.kwh is not None and spending.kwh != self._spending.kwh:
            self._spending = spending
        elif spending.seconds < self._spending.seconds:  # of another epoch
            self._spending = Spending(spending.kg, spending.kwh)
        silent_seconds = spending.seconds - self._spending.seconds
        if silent_seconds > _SILENT_SECONDS:
            self.ability.unmeasured(silent_seconds)
        return [self._left(at, budget, spending) for at, budget in enumerate(self._budgets)]

    def _left(self, at: int, budget: Budget, spending: Spending) -> Left | None:
        try:
            return budget.left_inside(self._history, self.plan, spending.kg or 0.0, spending.kwh or 0.0)
        except Exception as failure:  # a budget may be the user's own, as in _ask()
            if self._strict:
                raise
            self._say_failed(f"inside {at}", budget, failure)
            return None

    def stop_inside(self, lefts: Sequence[Left | None]) -> bool:
        """Stop the run inside the open epoch where nothing is left of a budget; one that is not hard says so once.

        Args:
            lefts: What is left of each.

        Returns:
            Whether the run is to stop.
        """
        spent = _spent(lefts)
        if spent is not None:
            self._stop(spent, "in", self.epoch)
        soft = next((left.reason for left in lefts if left and left.amount <= 0 and not left.stops), None)
        if soft is not None and not self._is_spent_said:
            self._is_spent_said = True
            logger.warning("In epoch %s: %s The run ends after this epoch.", self.epoch, soft)
        return self.stop_reason is not None

    def say_unasked(self, lefts: Sequence[Left | None]) -> None:
        """Say that a budget was overspent inside an epoch of a loop that does not ask.

        Args:
            lefts: What is left of each.
        """
        spent = _spent([left for left in lefts if left is None or left.amount < 0])
        if spent is not None and self.epoch is None:
            self.ability.without_epochs(f"{spent} ")
        elif spent is not None:
            self._notices.say(
                "unasked",
                "In epoch %s: %s The loop does not ask inside an epoch, so it goes on until its end. Go through "
                "accountant.steps(batches), or call accountant.look() after every batch and stop when it returns True.",
                self.epoch,
                spent,
            )

    def say_without_epochs(self, spending: Spending | None = None, *, has_observed: bool = False) -> None:
        """Say that a run trains in which no epoch has begun: a budget is overspent, or metrics come again and again.

        Args:
            spending: What is in no record yet. Defaults to nothing.
            has_observed: Whether metrics come. Defaults to false.
        """
        if self.epoch is not None or self._history.last_epoch is not None or self.stop_reason is not None:
            return
        if has_observed:
            self.ability.without_epochs()
        elif self._budgets:
            self.say_unasked([self._left(at, each, spending or Spending()) for at, each in enumerate(self._budgets)])

    def conclude(self) -> None:
        """Say at the end which rules could not act."""
        self.say_without_epochs()
        if not self._last:
            return
        if self.stop_reason is None or self._history.finished_epochs:  # else it was stopped before anything could come
            self.monitors.conclude(self._history)
        for at, policy in enumerate(self._policies):
            monitor = getattr(policy, "monitor", None)
            if isinstance(monitor, str) and monitor not in self.monitors.missing and self.stop_reason is None:
                self._conclude(at, policy)

    def _conclude(self, at: int, policy: Policy) -> None:
        if at in self._has_acted:
            self._notices.withdraw(f"held {at}")
        elif at in self._last and f"policy {at}" not in self._notices.by_key and not self.ability.is_blind:
            reason = NEVER_ASKED if self.ability.is_unasked else self._last[at].reason
            self._notices.say(f"held {at}", "%s has decided nothing so far. %s", title(policy), reason)

    def agree(self, ranks: Ranks) -> None:
        """Let rank 0's decision reach all ranks.

        Args:
            ranks: The processes.
        """
        if ranks.size > 1 and ranks.sum([float(self.stop_reason is not None)])[0] > 0:
            self.follow_rank_0()

    def follow_rank_0(self) -> None:
        """Stop where rank 0 stops."""
        self.stop_reason = self.stop_reason or "Rank 0 decided to stop."

    def _foretold(self, history: History) -> tuple[Verdict, ...]:
        """Forecast where that is possible; say so the first time, and when it jumps."""
        verdict = self._forecast.decide(history, self.plan)
        if not verdict.values:
            return ()
        if self.stop_reason is None and (verdict.code == "warning" or not self._has_foretold):
            self._has_foretold = True
            logger.log(logging.WARNING if verdict.code == "warning" else logging.INFO, "%s", verdict.reason)
        return (verdict,)

    def _ask(self, at: int, policy: Policy, history: History) -> Verdict:
        try:
            return _checked(policy.decide(history, self.plan))
        # A policy may be the user's own function: a fault in it must not cost them their training.
        except Exception as failure:
            if self._strict:
                raise
            self._say_failed(f"policy {at}", policy, failure)
            return Verdict(stop=False, code="held", reason=f"The policy failed: {failure}")

    def _say_failed(self, key: str, policy: Policy, failure: Exception) -> None:
        self._notices.say(
            key,
            "%s failed; training goes on without it. It raised %s: %s",
            title(policy),
            type(failure).__name__,
            failure,
            cause=failure,
        )

    def _tell(self, at: int, verdict: Verdict) -> None:
        """Say what a policy says when it says something new."""
        before, self._last[at] = self._last.get(at), verdict
        if verdict.code != "held":
            self._has_acted.add(at)
        if (before is not None and before.code == verdict.code) or verdict.stop:
            return
        if verdict.code == "warning" and getattr(self._policies[at], "report_only", False) is True:
            self._notices.say(
                f"reports {at}", "%s in epoch %s: %s", title(self._policies[at]), self.epoch, verdict.reason
            )
        else:
            logger.log(logging.WARNING if verdict.code == "warning" else logging.INFO, "%s", verdict.reason)


def _spent(lefts: Sequence[Left | None]) -> str | None:
    """Return why a hard budget is to stop the run; None if none is."""
    return next((left.reason for left in lefts if left and left.amount <= 0 and left.stops), None)


def _checked(answer: object) -> Verdict:
    if not isinstance(answer, Verdict):
        msg = f"decide() answered {answer!r}: return a Verdict."
        raise TypeError(msg)
    return answer
