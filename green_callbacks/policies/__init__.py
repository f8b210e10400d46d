"""Policies, which decide when a run stops. They are pure functions of the history and the plan."""

from green_callbacks.policies.base import Budget, Left, Policy, SharedBudget
from green_callbacks.policies.carbon_budget import CarbonBudget
from green_callbacks.policies.forecast import Forecast, ForecastRecord, Range, forecast
from green_callbacks.policies.function_policy import Decision, as_policy
from green_callbacks.policies.marginal_gain import MarginalGain
from green_callbacks.policies.replay import Replay, replay
from green_callbacks.policies.traits import (
    CountsEmissions,
    Describes,
    DirectsMetric,
    Lands,
    NeverStops,
    ReportsOnly,
    Titled,
    WaitsForSchedule,
    WatchesMetric,
    budget_values,
    counts_emissions,
    lands,
    never_stops,
    reports_only,
    title_of,
    waits_for_schedule,
    watched_metric,
    with_budget_values,
)

__all__ = [
    "Budget",
    "CarbonBudget",
    "CountsEmissions",
    "Decision",
    "Describes",
    "DirectsMetric",
    "Forecast",
    "ForecastRecord",
    "Lands",
    "Left",
    "MarginalGain",
    "NeverStops",
    "Policy",
    "Range",
    "Replay",
    "ReportsOnly",
    "SharedBudget",
    "Titled",
    "WaitsForSchedule",
    "WatchesMetric",
    "as_policy",
    "budget_values",
    "counts_emissions",
    "forecast",
    "lands",
    "never_stops",
    "replay",
    "reports_only",
    "title_of",
    "waits_for_schedule",
    "watched_metric",
    "with_budget_values",
]
