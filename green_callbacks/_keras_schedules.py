"""What a learning-rate schedule of Keras still holds."""

from dataclasses import replace
from itertools import pairwise
from typing import Final

from keras.optimizers import schedules

from green_callbacks.records import Plan

_DROP: Final = 0.5
"""A learning rate that falls to this or less starts a new stretch of learning."""

_ABOUT_ZERO: Final = 0.1
"""A learning rate that ends at this share of its highest or less has been annealed."""


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
