"""Reads the drops and the annealing ahead from the learning-rate schedule of a Keras optimizer."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from keras.optimizers import schedules

from green_callbacks.records import Plan
from green_callbacks.records.learning_rates import is_annealed, is_drop

_KERAS_OWN: Final = frozenset(
    {
        schedules.CosineDecay,
        schedules.CosineDecayRestarts,
        schedules.ExponentialDecay,
        schedules.InverseTimeDecay,
        schedules.PiecewiseConstantDecay,
        schedules.PolynomialDecay,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """The batches of a fit, which schedules count.

    Attributes:
        per_epoch: Number of batches per epoch. None if unknown, or if the optimizer may count differently.
        done: Batches that the optimizer has seen before the fit. Defaults to 0.
        first_epoch: Index of the first epoch of the fit. Defaults to 0.
    """

    per_epoch: int | None
    done: int = 0
    first_epoch: int = 0


def is_users_own(rate: object) -> bool:
    """Return whether a learning rate is code of the user, which only Keras may call.

    Args:
        rate: The learning rate of the optimizer, which may be a schedule, another callable or a number.
    """
    return callable(rate) and type(rate) not in _KERAS_OWN


def schedule_plan(schedule: Any, plan: Plan, batches: Batches) -> Plan:
    """Add the drops and the annealing of a schedule to a plan.

    Args:
        schedule: The learning rate of the optimizer, which may be a schedule, another callable or a number.
        plan: The plan so far.
        batches: The batches of the fit.

    Returns:
        The plan with drops and annealing. It is marked unreadable if the schedule is not a class of Keras, or if the
        length of the epochs is unknown.

    Raises:
        Exception: A schedule with odd values may raise anything.
    """
    if not callable(schedule):
        return plan
    if type(schedule) is schedules.InverseTimeDecay or _is_smooth(schedule):
        return plan
    if not batches.per_epoch or not plan.epochs:
        return replace(plan, schedule_unreadable=True)
    last = batches.done + batches.per_epoch * (plan.epochs - batches.first_epoch)
    if type(schedule) in {schedules.CosineDecay, schedules.PolynomialDecay}:
        highest = max(schedule.initial_learning_rate, getattr(schedule, "warmup_target", None) or 0.0)
        return replace(plan, anneals=is_annealed(float(schedule(last)), highest))
    if type(schedule) is schedules.PiecewiseConstantDecay:
        pairs = zip(schedule.boundaries, pairwise(schedule.values), strict=True)
        # A boundary is the last step with the value before it.
        steps = [int(last) + 1 for last, (before, after) in pairs if is_drop(before, after)]
    elif type(schedule) is schedules.ExponentialDecay:
        length = schedule.decay_steps
        steps = [length * n for n in range(1, int(last // length) + 1)]
    else:
        return replace(plan, schedule_unreadable=True)
    epochs = {batches.first_epoch + int((step - batches.done) // batches.per_epoch) for step in steps}
    ahead = sorted(epoch for epoch in epochs if batches.first_epoch < epoch < plan.epochs)
    return replace(plan, learning_rate_drops=tuple(ahead))


def _is_smooth(schedule: Any) -> bool:
    return type(schedule) is schedules.ExponentialDecay and not (
        schedule.staircase and is_drop(1.0, schedule.decay_rate)
    )
