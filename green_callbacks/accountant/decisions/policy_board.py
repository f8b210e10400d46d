"""The policies of a run, asked after every record."""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from green_callbacks.accountant.decisions.asked_length import checked_length
from green_callbacks.accountant.decisions.decision_interval import DecisionInterval
from green_callbacks.accountant.decisions.missing_metrics import MissingMetrics
from green_callbacks.accountant.decisions.open_budgets import OpenBudgets
from green_callbacks.accountant.decisions.policy_ability import NEVER_ASKED, PolicyAbility, say_failed
from green_callbacks.accountant.decisions.stop_decision import StopDecision
from green_callbacks.accountant.landing.run_landing import NO_LANDING, LandingBefore, RunLanding
from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.ranks.protocol import Ranks
from green_callbacks.errors import BudgetSpentError
from green_callbacks.metrics import Direction, Metric
from green_callbacks.policies import (
    Budget,
    Describes,
    Forecast,
    Policy,
    Titled,
    reports_only,
    title_of,
    watched_metric,
    with_budget_values,
)
from green_callbacks.records import EpochRecord, History, Plan, Verdict
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

Answer = TypeVar("Answer")


class PolicyBoard:
    """Asks every policy after every record, and reports its verdicts. Adds a forecast of the run.

    Args:
        policies: The policies.
        plan: The plan. It may be replaced later.
        history: All records of the run. It grows.
        notices: Receives the warnings.
        interval: Interval of decisions inside epochs, or None for none.
        strict: Whether to raise what a policy raises, instead of training without it.
        before: The landing that an earlier process has begun, if any. Defaults to none.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        plan: Plan,
        history: History,
        notices: Notices,
        interval: DecisionInterval | None,
        *,
        strict: bool,
        before: LandingBefore = NO_LANDING,
    ) -> None:
        self.decision = StopDecision()
        self._policies = tuple(policies)
        self._budgets = {at: policy for at, policy in enumerate(policies) if isinstance(policy, Budget)}
        self._forecast = Forecast(tuple(self._budgets.values()))
        self.plan, self._history = plan, history
        self._notices, self._strict = notices, strict
        self._has_forecast = False
        self._last: dict[int, Verdict] = {}
        self._has_acted: set[int] = set()
        self.ability = PolicyAbility(policies, notices, interval)
        self.landing = RunLanding(policies, history, notices, self.decision, lambda: self.plan, before)
        self.budgets = self._open_budgets()
        self.missing_metrics = MissingMetrics(notices)
        self._metrics = tuple(watched_metric(policy) for policy in policies)
        for policy, metric in zip(policies, self._metrics, strict=True):
            if metric is not None:
                self.missing_metrics.add(metric.name, _watcher(policy, metric))
        self._watched = next(filter(None, self._metrics), None)

    def _open_budgets(self) -> OpenBudgets:
        return OpenBudgets(
            tuple(self._budgets.values()),
            self.plan,
            self._history,
            self._notices,
            ability=self.ability,
            decision=self.decision,
            landing=self.landing,
            strict=self._strict,
        )

    @property
    def stop_reason(self) -> str | None:
        """Why the run is to stop, as a sentence, or None while it goes on."""
        return self.decision.reason

    def watch(self, metric: str, mode: str, who: str) -> None:
        """Watch a metric beside the policies. It is the measure of quality if no policy watches a metric."""
        if not any(self._metrics):
            self._watched = Metric.or_rising(metric, mode)
        self.missing_metrics.add(metric, who)

    def replan(self, plan: Plan) -> None:
        """Replace the plan after the start."""
        self.plan = self.budgets.plan = plan
        self.ability.replan(plan)

    @property
    def watched(self) -> Metric | None:
        """The metric that stands for the quality of the model, with its direction. None if nothing watches one."""
        return self._watched

    @property
    def monitor(self) -> str | None:
        """The metric that stands for the quality of the model. None if nothing watches a metric."""
        return self._watched.name if self._watched else None

    @property
    def mode(self) -> Direction:
        """The direction in which that metric improves, ``max`` or ``min``."""
        return self._watched.mode if self._watched else "max"

    def announce(self) -> None:
        """Log what the policies will do."""
        for at, policy in enumerate(self._policies):
            if isinstance(policy, Describes):
                effect = "It is asked like every policy, but does not say what it will do."
                text = self._answer(f"describe {at}", policy, policy.describe, None, effect)
                if text is not None:
                    logger.info("%s", text)

    def refuse_if_spent(self, history: History, ranks: Ranks) -> None:
        """Refuse to train on a budget that leaves no room for an epoch.

        Args:
            history: All records so far. Only rank 0 has records.
            ranks: The processes of the run, all of which refuse.

        Raises:
            BudgetSpentError: A budget is spent.
        """
        asked = self._budgets.items() if ranks.rank == 0 else ()
        verdicts = [self._ask(at, budget, history) for at, budget in asked]
        spent = next((verdict.reason for verdict in verdicts if verdict.stop), None)
        if ranks.sum([float(spent is not None)])[0] > 0:
            self.decision.reason = spent or "Rank 0 found its carbon budget spent."
            msg = f"{self.decision.reason} So no epoch begins. To train on, pass a larger budget."
            raise BudgetSpentError(msg)

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
            record: The last record.
            has_counted: Whether steps were counted. Defaults to True.
            is_unasked: Whether the loop never asked the budgets inside the epoch. Defaults to False.
            refused: Metrics that were observed and are no numbers. Defaults to none.

        Returns:
            The verdicts in the order of the policies, followed by the landing and the forecast if there are any.
        """
        self.ability.after(record, has_counted=has_counted)
        if self.missing_metrics.missing:
            self.missing_metrics.after(history, record, refused)
        self.landing.after_epoch(record, is_unasked=is_unasked)
        asked = enumerate(self._policies)
        verdicts = tuple([self.landing.ask(self._ask(at, policy, history), policy) for at, policy in asked])
        for at, verdict in enumerate(verdicts):
            self._tell(at, verdict)
            if verdict.stop:
                self.decision.stop(verdict.reason, "after" if record.closes_epoch else "in", record.epoch)
        if is_unasked and any(verdict.stop for verdict in verdicts):
            self.budgets.say_unasked()
        landing = self.landing.verdict()
        verdicts = verdicts if landing is None else (*verdicts, landing)
        return verdicts + self._forecast_verdicts(history) if self.plan.has_end else verdicts

    def agree(self, ranks: Ranks) -> bool:
        """Let rank 0's decision reach all ranks, and begin a landing on all of them.

        Args:
            ranks: The processes of the run.

        Returns:
            Whether the run is to stop.
        """
        self.decision.agree(ranks)
        self.landing.agree(ranks)
        return self.decision.is_made

    def conclude(self) -> None:
        """Warn at the end of the run of policies that could not act."""
        self.budgets.say_without_epochs()
        if not self._last:
            return
        if not self.decision.is_made or self._history.finished_epochs:  # else it was stopped before anything could come
            self.missing_metrics.conclude(self._history)
        for at, policy in enumerate(self._policies):
            metric = self._metrics[at]
            if metric is not None and metric.name not in self.missing_metrics.missing and not self.decision.is_made:
                self._conclude(at, policy)

    def _conclude(self, at: int, policy: Policy) -> None:
        if at in self._has_acted:
            self._notices.withdraw(f"held {at}")
        elif at in self._last and f"policy {at}" not in self._notices.by_key and not self.ability.is_blind:
            reason = NEVER_ASKED if self.ability.is_unasked else self._last[at].reason
            self._notices.say(f"held {at}", "%s has decided nothing so far. %s", title_of(policy), reason)

    def _forecast_verdicts(self, history: History) -> tuple[Verdict, ...]:
        """Return the forecast if there is one. Log the first forecast, and each large change."""
        verdict = self._forecast_of(history)
        if not verdict.values:
            return ()
        if not self.decision.is_made and (verdict.code == "warning" or not self._has_forecast):
            self._has_forecast = True
            logger.log(logging.WARNING if verdict.code == "warning" else logging.INFO, "%s", verdict.reason)
        return (verdict,)

    def _forecast_of(self, history: History) -> Verdict:
        """Return the forecast. From the first failure of a budget on, the forecast is made without budgets."""
        try:
            return self._forecast.decide(history, self.plan)
        except Exception as failure:  # a budget may be the user's own, as in _ask()
            if self._strict or not self._forecast.budgets:
                raise
            effect = "The forecast does not say when a budget will be spent."
            say_failed(self._notices, "forecast", self._forecast.budgets[0], failure, effect)
            self._forecast = Forecast()
            return self._forecast.decide(history, self.plan)

    def _ask(self, at: int, policy: Policy, history: History) -> Verdict:
        try:
            verdict = _checked(policy.decide(history, self.plan))
        # A policy may be the user's own function: a fault in it must not cost them their training.
        except Exception as failure:
            if self._strict:
                raise
            say_failed(self._notices, f"policy {at}", policy, failure)
            return Verdict(stop=False, code="waiting", reason=f"The policy failed: {failure}")
        budget = self._budgets.get(at)
        if budget is None:
            return verdict
        # The decision counts, whether the rest of the budget is known or not.
        call = partial(with_budget_values, verdict, budget, history, self.plan)
        return self._answer(f"rest {at}", budget, call, verdict, "It decides, but its rest is not shown.")

    def _answer(self, key: str, policy: Policy, call: Callable[[], Answer], otherwise: Answer, effect: str) -> Answer:
        """Return the answer of a policy to a question beside its decision, or another value if it raises."""
        try:
            return call()
        except Exception as failure:  # a policy may be the user's own, as in _ask()
            if self._strict:
                raise
            say_failed(self._notices, key, policy, failure, effect)
            return otherwise

    def _tell(self, at: int, verdict: Verdict) -> None:
        """Report the verdict of a policy if its code has changed."""
        before, self._last[at] = self._last.get(at), verdict
        if verdict.code != "waiting":
            self._has_acted.add(at)
        if (before is not None and before.code == verdict.code) or verdict.stop:
            return
        if verdict.code == "warning" and reports_only(self._policies[at]):
            self._notices.say(
                f"reports {at}", "%s in epoch %s: %s", title_of(self._policies[at]), self.decision.epoch, verdict.reason
            )
        else:
            logger.log(logging.WARNING if verdict.code == "warning" else logging.INFO, "%s", verdict.reason)


def _checked(answer: object) -> Verdict:
    if not isinstance(answer, Verdict):
        msg = f"decide() answered {answer!r}. Return a Verdict."
        raise TypeError(msg)
    if not isinstance(answer.reason, str):  # the ledger holds texts only
        answer = replace(answer, reason=str(answer.reason or "The policy gave no reason."))
    if answer.landing is not None:
        return replace(answer, landing=checked_length(answer.landing, "decide()"))
    if answer.code == "landing" and not answer.stop:
        msg = "decide() answered the code 'landing' without a length. Return Verdict(…, landing=0.2)."
        raise TypeError(msg)
    return answer


def _watcher(policy: Policy, metric: Metric) -> str:
    """Return what messages call a policy that watches a metric, which they name themselves."""
    title = policy.title if isinstance(policy, Titled) else None
    return title if isinstance(title, str) and metric.name not in title else type(policy).__name__
