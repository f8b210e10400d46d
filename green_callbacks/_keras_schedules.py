"""What a model of Keras tells: what its learning-rate schedule still holds, and numbers."""

from dataclasses import replace
from itertools import pairwise
from math import isfinite
from typing import Any, Final

from keras import ops
from keras.optimizers import schedules

from green_callbacks.records import Plan

_DROP: Final = 0.5
"""A learning rate that falls to this or less starts a new stretch of learning."""

_ABOUT_ZERO: Final = 0.1
"""A learning rate that ends at this share of its highest or less has been annealed."""


def model_plan(model: Any, plan: Plan, steps_per_epoch: int | None) -> Plan:  # noqa: ANN401  keras is not typed
    """Add to a plan what the schedule of a model's optimiser will do.

    Args:
        model: The model.
        plan: What else is known.
        steps_per_epoch: Number of batches of an epoch; None if unknown.

    Raises:
        Exception: Whatever a schedule of the user's own raises.
    """
    optimizer = getattr(model, "optimizer", None)
    rate = getattr(getattr(optimizer, "inner_optimizer", optimizer), "_learning_rate", None)
    return schedule_plan(rate, plan, steps_per_epoch)


def number(tensor: object) -> float | None:
    """Return what a tensor or a variable of any backend holds; None for None.

    Args:
        tensor: It, or a number.

    Raises:
        Exception: It holds no number.
    """
    if tensor is None:
        return None
    # What a variable of Keras holds may itself be spread over devices: only NumPy takes either.
    return float(ops.convert_to_numpy(ops.convert_to_tensor(tensor)))


def whole(count: float | None) -> int | None:
    """Return a count as an integer; None if it is not finite, or None.

    Args:
        count: The count.
    """
    return None if count is None or not isfinite(count) else int(count)


def schedule_plan(schedule: object, plan: Plan, steps_per_epoch: int | None) -> Plan:
    """Add to a plan what the schedule of an optimiser will do; step 0 is taken to be that of epoch 0.

    Args:
        schedule: What the optimiser was given as its learning rate: a schedule, another callable, or a number.
        plan: What else is known.
        steps_per_epoch: Number of batches of an epoch; None if unknown.

    Returns:
        The plan with drops and annealing; marked unreadable where the schedule is of a kind that is not known here,
        or the length of its epochs is not known.
    """
    if not callable(schedule):
        return plan
    if isinstance(schedule, schedules.InverseTimeDecay) or _is_smooth(schedule):
        return plan
    if not steps_per_epoch or not plan.epochs:
        return replace(plan, schedule_unreadable=True)
    if isinstance(schedule, schedules.CosineDecay | schedules.PolynomialDecay):
        highest = max(schedule.initial_learning_rate, getattr(schedule, "warmup_target", None) or 0.0)
        lowest = float(schedule(steps_per_epoch * plan.epochs))
        return replace(plan, anneals=lowest <= _ABOUT_ZERO * highest)
    if isinstance(schedule, schedules.PiecewiseConstantDecay):
        pairs = zip(schedule.boundaries, pairwise(schedule.values), strict=True)
        # A boundary is the last step with the value before it.
        steps = [int(last) + 1 for last, (before, after) in pairs if after <= _DROP * before]
    elif isinstance(schedule, schedules.ExponentialDecay):
        length = schedule.decay_steps
        steps = [length * n for n in range(1, steps_per_epoch * plan.epochs // length + 1)]
    else:
        return replace(plan, schedule_unreadable=True)
    epochs = {int(step // steps_per_epoch) for step in steps}
    return replace(plan, learning_rate_drops=tuple(sorted(epoch for epoch in epochs if 0 < epoch < plan.epochs)))


def _is_smooth(schedule: object) -> bool:
    return isinstance(schedule, schedules.ExponentialDecay) and not (
        schedule.staircase and schedule.decay_rate <= _DROP
    )
