"""Small protocols for what a policy may say about itself, and functions that ask for it.

A check against a protocol takes some 10 µs. So the core asks when a run starts, and not after every epoch.

Example:
    >>> class LearnsNothing:
    ...     monitor, mode = "val_loss", "min"
    ...
    ...     def decide(self, history, plan): ...
    >>> isinstance(LearnsNothing(), WatchesMetric), watched_metric(LearnsNothing())
    (True, Metric(name='val_loss', mode='min'))
"""

from dataclasses import replace
from math import inf
from numbers import Real
from sys import float_info
from typing import Final, Protocol, runtime_checkable

from green_callbacks.metrics import Metric
from green_callbacks.policies.base import Budget, Policy
from green_callbacks.records import History, Plan, Verdict
from green_callbacks.units import Amount, Quantity

_LEFT_KEYS: Final[dict[Quantity, str]] = {
    "emissions_kg": "green/budget_left_kg",
    "facility_kwh": "green/budget_left_kwh",
}
"""Metric key of the rest of a budget, by the quantity that the budget limits."""


@runtime_checkable
class WatchesMetric(Protocol):
    """A policy that decides by a metric. If the metric does not appear, the run says so.

    Example:
        >>> from green_callbacks.policies import MarginalGain
        >>> isinstance(MarginalGain("val_acc"), WatchesMetric)
        True
    """

    @property
    def monitor(self) -> str:
        """Key of the metric, e.g. ``val_acc``."""
        ...


@runtime_checkable
class DirectsMetric(WatchesMetric, Protocol):
    """A policy that also says in which direction its metric improves. Otherwise the name of the metric says so.

    Example:
        >>> from green_callbacks.policies import MarginalGain
        >>> MarginalGain("val_loss").mode
        'min'
    """

    @property
    def mode(self) -> str:
        """``max`` where more of the metric is better, ``min`` where less is better."""
        ...


@runtime_checkable
class Describes(Protocol):
    """A policy that explains itself when a run starts.

    Example:
        >>> from green_callbacks.policies import CarbonBudget
        >>> isinstance(CarbonBudget("500 g"), Describes)
        True
    """

    def describe(self) -> str:
        """Return one sentence that says what the policy will do."""
        ...


@runtime_checkable
class Titled(Protocol):
    """A policy that says how messages should call it.

    Example:
        >>> from green_callbacks.policies import CarbonBudget
        >>> CarbonBudget("500 g").title
        "CarbonBudget('500 g')"
    """

    @property
    def title(self) -> str:
        """The policy as messages call it, e.g. ``CarbonBudget('500 g')``."""
        ...


@runtime_checkable
class CountsEmissions(Protocol):
    """A policy that may depend on emissions. It cannot act where the carbon intensity is 0.

    Example:
        >>> from green_callbacks.policies import CarbonBudget
        >>> CarbonBudget("500 g").counts_emissions, CarbonBudget("2 kWh").counts_emissions
        (True, False)
    """

    @property
    def counts_emissions(self) -> bool:
        """Whether the decision depends on emissions."""
        ...


@runtime_checkable
class ReportsOnly(Protocol):
    """A policy that may be told to report instead of stopping.

    Example:
        >>> from green_callbacks.policies import MarginalGain
        >>> MarginalGain("val_acc", report_only=True).report_only
        True
    """

    @property
    def report_only(self) -> bool:
        """Whether the policy only reports where it would stop."""
        ...


@runtime_checkable
class NeverStops(Protocol):
    """A policy that informs and never stops a run. Nobody misses its decision.

    Example:
        >>> from green_callbacks.policies import Forecast
        >>> Forecast().never_stops
        True
    """

    @property
    def never_stops(self) -> bool:
        """Whether no verdict of the policy stops a run."""
        ...


@runtime_checkable
class WaitsForSchedule(Protocol):
    """A policy that waits for drops of the learning rate. The run says so if the schedule cannot be read.

    Example:
        >>> from green_callbacks.policies import MarginalGain
        >>> MarginalGain("val_acc").waits_for_schedule
        True
    """

    @property
    def waits_for_schedule(self) -> bool:
        """Whether the policy waits for drops of the learning rate."""
        ...


@runtime_checkable
class Lands(Protocol):
    """A policy that may let the learning rate go to 0 before the run stops.

    Example:
        >>> from green_callbacks.policies import CarbonBudget
        >>> isinstance(CarbonBudget("500 g"), Lands)
        True
    """

    @property
    def landing(self) -> float:
        """Length of its landing, as a share of the run so far. 0 for a stop without a landing."""
        ...


def watched_metric(policy: object) -> Metric | None:
    """Return the metric that a policy watches. None if it watches no metric.

    Args:
        policy: The policy.

    Example:
        >>> from green_callbacks.policies import MarginalGain
        >>> watched_metric(MarginalGain("val_acc"))
        Metric(name='val_acc', mode='max')
    """
    # From Python 3.12 on, a check against a protocol overlooks what a wrapper delegates with __getattr__().
    monitor = getattr(policy, "monitor", None)
    if not isinstance(monitor, str) or not monitor:
        return None
    return Metric.or_rising(monitor, getattr(policy, "mode", "auto"))


def title_of(policy: object) -> str:
    """Return what messages call a policy.

    Args:
        policy: The policy.

    Example:
        >>> from green_callbacks.policies import MarginalGain
        >>> title_of(MarginalGain("val_acc"))
        "MarginalGain('val_acc')"
    """
    if isinstance(policy, Titled) and isinstance(policy.title, str):
        return policy.title
    name, metric = type(policy).__name__, watched_metric(policy)
    return f"The policy {name}" if metric is None else f"{name}({metric.name!r})"


def counts_emissions(policy: Policy) -> bool:
    """Return whether the decisions of a policy depend on emissions.

    Args:
        policy: The policy.

    Example:
        >>> from green_callbacks.policies import MarginalGain
        >>> counts_emissions(MarginalGain("val_acc", min_gain_per_kg=0.05)), counts_emissions(MarginalGain("val_acc"))
        (True, False)
    """
    if isinstance(policy, Budget):
        return policy.amount.quantity == "emissions_kg"
    return isinstance(policy, CountsEmissions) and policy.counts_emissions is True


def budget_values(amount: Amount, spent: float) -> dict[str, float]:
    """Return the values that sinks show of a budget, by metric key.

    These are the rest in kg or kWh, and the share that is spent.

    Args:
        amount: The budget.
        spent: The spending, in the unit of the budget.

    Example:
        >>> from green_callbacks.units import Amount
        >>> budget_values(Amount(2.0, "facility_kwh"), spent=0.5)
        {'green/budget_left_kwh': 1.5, 'green/budget_share': 0.25}
    """
    share = spent / amount.value if amount.value > 0 else inf
    return {_LEFT_KEYS[amount.quantity]: amount.value - spent, "green/budget_share": min(share, float_info.max)}


def amount_in_force(budget: Budget, plan: Plan) -> Amount:
    """Return the limit of a budget, or the limit that was set for all runs of its project.

    Args:
        budget: The budget.
        plan: The plan of the run, with the limit if one was set.

    Example:
        >>> from green_callbacks.policies import CarbonBudget
        >>> amount_in_force(CarbonBudget("500 g"), Plan()).value
        0.5
    """
    amount = budget.amount
    shared = plan.shared_by(getattr(budget, "project", None), amount.quantity) if plan.shared else None
    return amount if shared is None or shared.limit is None else Amount(shared.limit, amount.quantity)


def with_budget_values(verdict: Verdict, budget: Budget, history: History, plan: Plan) -> Verdict:
    """Add :func:`budget_values` to the verdict of a budget that does not report them itself.

    Args:
        verdict: The verdict.
        budget: The budget.
        history: All records so far.
        plan: The plan of the run.

    Example:
        >>> from green_callbacks.policies import CarbonBudget
        >>> verdict = Verdict(stop=False, code="active", reason="Enough is left.")
        >>> with_budget_values(verdict, CarbonBudget(2.0), History(), Plan()).values["green/budget_left_kg"]
        2.0
    """
    amount = amount_in_force(budget, plan)
    if _LEFT_KEYS[amount.quantity] in verdict.values:
        return verdict
    return replace(verdict, values={**budget_values(amount, budget.spent(history, plan)), **verdict.values})


def reports_only(policy: object) -> bool:
    """Return whether a policy only reports where it would stop.

    Args:
        policy: The policy.

    Example:
        >>> from green_callbacks.policies import MarginalGain
        >>> reports_only(MarginalGain("val_acc"))
        False
    """
    return isinstance(policy, ReportsOnly) and policy.report_only is True


def never_stops(policy: object) -> bool:
    """Return whether no verdict of a policy stops a run.

    Args:
        policy: The policy.

    Example:
        >>> from green_callbacks.policies import CarbonBudget
        >>> never_stops(CarbonBudget("500 g"))
        False
    """
    return isinstance(policy, NeverStops) and policy.never_stops is True


def waits_for_schedule(policy: object) -> bool:
    """Return whether a policy waits for drops of the learning rate.

    Args:
        policy: The policy.

    Example:
        >>> from green_callbacks.policies import CarbonBudget
        >>> waits_for_schedule(CarbonBudget("500 g"))
        False
    """
    return isinstance(policy, WaitsForSchedule) and policy.waits_for_schedule is True


def lands(policy: object) -> bool:
    """Return whether a policy may begin a landing.

    Args:
        policy: The policy.

    Example:
        >>> from green_callbacks.policies import CarbonBudget
        >>> lands(CarbonBudget("500 g")), lands(CarbonBudget("500 g", landing=0.1))
        (False, True)
    """
    return isinstance(policy, Lands) and isinstance(policy.landing, Real) and policy.landing > 0
