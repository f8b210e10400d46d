"""The warm-up of a stopping rule, before which it does not decide."""

from bisect import bisect_left
from math import ceil
from typing import Final

from green_callbacks.policies._learning_rate_schedule import last_drop
from green_callbacks.records import History, Plan

_SHARE: Final = 0.3
"""Share of the plan that is warm-up. By experiment in ``bench_policies``."""
ENOUGH_VALUES: Final = 10
"""Number of values that end the warm-up of a run without a plan. With fewer, no run counts as not learning."""

_ROUNDING: Final = 1e-9
"""Relative error of shares. Three equal tenths may add up to less than 0.3, and rounding must not decide."""


def has_done(done: float, share: float) -> bool:
    """Return whether a share is reached, whatever the rounding of sums.

    Args:
        done: The share that is done, or any amount.
        share: The share to reach, in the same unit.
    """
    return done >= share * (1 - _ROUNDING)


def is_warmed_up(done: float | None, values: int) -> bool:
    """Return whether the warm-up is over, which takes 30 % of the plan, or ten values without a plan.

    Args:
        done: Share of the plan that is done. None without a plan.
        values: Number of values of the metric.
    """
    return values >= ENOUGH_VALUES if done is None else has_done(done, _SHARE)


def warm_up_note(history: History, plan: Plan, monitor: str) -> str:
    """Return :func:`warm_up_sentence` after a space. Empty if the warm-up is over.

    Args:
        history: All records so far.
        plan: The plan of the run.
        monitor: Key of the metric.
    """
    rows, _ = history.metric(monitor)
    of_fit = len(rows) - bisect_left(rows, history.fit_row)
    is_over = is_warmed_up(plan.progress(history), of_fit)
    return "" if is_over else f" {warm_up_sentence(history, plan, monitor)}"


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
        return f"The rule decides once {100 * _SHARE:.0f} % of the plan is done."
    drop = last_drop(plan)
    first = max(ceil(_SHARE * plan.epochs * (1 - _ROUNDING)), 1 if drop is None else drop + 1)
    return f"The rule decides from epoch {first} of {plan.epochs} on."
