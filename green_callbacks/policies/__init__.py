"""When to stop: pure functions of the history and the plan."""

from green_callbacks.policies.base import Budget, Left, Policy
from green_callbacks.policies.carbon_budget import CarbonBudget
from green_callbacks.policies.forecast import Forecast, ForecastRecord, Range, forecast
from green_callbacks.policies.function_policy import Decision, as_policy
from green_callbacks.policies.marginal_gain import MarginalGain
from green_callbacks.policies.replay import Replay, replay

__all__ = [
    "Budget",
    "CarbonBudget",
    "Decision",
    "Forecast",
    "ForecastRecord",
    "Left",
    "MarginalGain",
    "Policy",
    "Range",
    "Replay",
    "as_policy",
    "forecast",
    "replay",
]
