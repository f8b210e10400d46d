"""The warm-up of a stopping rule, before which it does not decide."""

from math import ceil
from typing import Final

from green_callbacks.policies._learning_rate_schedule import last_drop
from green_callbacks.records import History, Plan

_SHARE: Final = 0.2
"""Share of the plan that is warm-up. By experiment in ``bench_policies``."""
ENOUGH_VALUES: Final = 10
"""Number of values that end the warm-up of a run without a plan. With fewer, no run counts as not learning."""


def is_warmed_up(history: History, plan: Plan, values: int) -> bool:
    """Return whether the warm-up is over, which takes a fifth of the plan, or ten values without a plan.

    Args:
        history: All records so far.
        plan: The plan of the run.
        values: Number of values of the metric.
    """
    done = plan.progress(history)
    return values >= ENOUGH_VALUES if done is None else done >= _SHARE


def warm_up_sentence(history: History, plan: Plan, monitor: str) -> str:
    """Return a sentence that says when the warm-up ends.

    Args:
        history: All records so far.
        plan: The plan of the run.
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
