"""From when on a rule may decide."""

from math import ceil
from typing import Final

from green_callbacks.policies._learning_rate_schedule import last_drop
from green_callbacks.records import History, Plan

_SHARE: Final = 0.2
ENOUGH_VALUES: Final = 10
"""So many values say something without a plan; with fewer, a run is not given up as one that does not learn."""


def is_armed(history: History, plan: Plan, values: int) -> bool:
    """Tell whether enough of the run is done to decide: a fifth of the plan, or ten values where none is known.

    Args:
        history: All records so far.
        plan: What is known ahead.
        values: Number of values of the metric.
    """
    done = plan.progress(history)
    return values >= ENOUGH_VALUES if done is None else done >= _SHARE


def arming(history: History, plan: Plan, monitor: str) -> str:
    """Say in a sentence from when on the rule may decide.

    Args:
        history: All records so far.
        plan: What is known ahead.
        monitor: Key of the metric.
    """
    if plan.progress(history) is None:
        return f"No plan is known, so the rule decides after {ENOUGH_VALUES} values of {monitor}."
    is_by_epochs = not (plan.steps or plan.seconds or plan.emissions_kg)
    if plan.epochs is None or plan.epochs == 1 or not is_by_epochs:
        return "The rule decides once a fifth of the plan is done."
    drop = last_drop(plan)
    first = max(ceil(_SHARE * plan.epochs), 1 if drop is None else drop + 1)
    return f"The rule decides from epoch {first} of {plan.epochs} on."
