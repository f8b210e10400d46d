"""What the policies of a run say, and what follows from it."""

import logging
from collections.abc import Sequence

from green_callbacks.accountant.ranks import Ranks
from green_callbacks.errors import BudgetSpentError
from green_callbacks.policies import CarbonBudget, Forecast, Policy
from green_callbacks.records import EpochRecord, History, Plan, Verdict
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)


class Board:
    """Asks every policy after every epoch, and says so when one stops the run. Forecasts the run as well.

    Args:
        policies: The policies.
        plan: What is known ahead; may become known later.
        strict: Raise what a policy raises instead of going on without it.
    """

    def __init__(self, policies: Sequence[Policy], plan: Plan, *, strict: bool) -> None:
        self.stop_reason: str | None = None
        self._policies = tuple(policies)
        self._forecast = Forecast(tuple(policy for policy in policies if isinstance(policy, CarbonBudget)))
        self.plan = plan
        self._strict = strict
        self._has_foretold = False
        self._codes: dict[int, str] = {}
        self._failed: set[int] = set()
        self._monitors_missed = {name for policy in policies if (name := getattr(policy, "monitor", None))}
        self._watched: tuple[str | None, str] = (None, "max")

    def watch(self, metric: str, mode: str) -> None:
        """Watch a metric beside the policies; it stands for the quality of the model where no policy watches one."""
        self._watched = metric, mode
        self._monitors_missed.add(metric)

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

    def decide(self, history: History, record: EpochRecord) -> tuple[Verdict, ...]:
        """Ask every policy.

        Args:
            history: All records, with the last one.
            record: The last one.

        Returns:
            The verdicts, in the order of the policies; then the forecast, where there is one.
        """
        if self._monitors_missed:
            self._look_for_monitors(history, record)
        verdicts = tuple([self._ask(at, policy, history) for at, policy in enumerate(self._policies)])
        for at, verdict in enumerate(verdicts):
            self._tell(at, verdict)
            if verdict.stop and self.stop_reason is None:
                self.stop_reason = verdict.reason
                where = "after" if record.closes_epoch else "in"
                logger.warning("Stopping %s epoch %s. %s", where, record.epoch, self.stop_reason)
        return verdicts + self._foretold(history) if self.plan.has_end else verdicts

    def agree(self, ranks: Ranks) -> None:
        """Let rank 0's decision reach all ranks.

        Args:
            ranks: The processes.
        """
        if ranks.size > 1 and ranks.sum([float(self.stop_reason is not None)])[0] > 0:
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
            if at not in self._failed:
                self._failed.add(at)
                logger.exception("Policy %s failed; training goes on without it.", type(policy).__name__)
            return Verdict(stop=False, code="held", reason=f"The policy failed: {failure}")

    def _tell(self, at: int, verdict: Verdict) -> None:
        """Say what a policy says when it says something new."""
        if self._codes.get(at) != verdict.code and not verdict.stop:
            logger.log(logging.WARNING if verdict.code == "warning" else logging.INFO, "%s", verdict.reason)
        self._codes[at] = verdict.code

    def _look_for_monitors(self, history: History, record: EpochRecord) -> None:
        """Name a monitor that is not there, with the keys that are, once there has been a validation."""
        self._monitors_missed.difference_update(history.metric_names)
        has_validated = any(name.startswith("val") for name in record.metrics)
        for name in sorted(self._monitors_missed):
            if record.metrics and (has_validated or not name.startswith("val")):
                keys = ", ".join(sorted(history.metric_names))
                logger.warning("The metric %r that is watched has not appeared; there are: %s.", name, keys)
                self._monitors_missed.discard(name)


def _checked(answer: object) -> Verdict:
    if not isinstance(answer, Verdict):
        msg = f"decide() answered {answer!r}: return a Verdict."
        raise TypeError(msg)
    return answer
