"""What the learning-rate schedules of torch still hold."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import ceil, cos, pi
from typing import Any, Final

from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    SequentialLR,
    StepLR,
)

from green_callbacks.records import Plan

_DROP: Final = 0.5
"""A learning rate that falls to this share or less from one epoch to the next has dropped."""

_ABOUT_ZERO: Final = 0.05
"""A learning rate that ends at this share of its highest or less has been annealed, if it fell in most epochs."""

_MOST_EPOCHS: Final = 10_000
"""Plans longer than this are not followed to their end: it would take longer than anybody wants to wait."""

Rate = Callable[[int], float]
"""The learning rate as a share of the first, by the number of steps that the schedule has taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A learning-rate schedule in a training loop.

    Attributes:
        scheduler: The scheduler, of torch.
        steps_per_epoch: How often it steps in an epoch; None if unknown.
    """

    scheduler: Any
    steps_per_epoch: Fraction | int | None


def schedule_plan(schedules: Iterable[Schedule], plan: Plan, epochs: int | None) -> Plan:
    """Add to a plan what learning-rate schedules will do.

    Args:
        schedules: The schedules of a run.
        plan: What else is known.
        epochs: Number of epochs to come altogether, as far as known.

    Returns:
        The plan with drops and annealing; marked unreadable where a schedule goes by a metric, is of a kind that is
        not known here, or has no known end.
    """
    for schedule in schedules:
        plan = _with(schedule, plan, epochs)
    return plan


def _with(schedule: Schedule, plan: Plan, epochs: int | None) -> Plan:
    rate, per_epoch = _rate(schedule.scheduler), schedule.steps_per_epoch
    if epochs is None and per_epoch and isinstance(schedule.scheduler, MultiStepLR):
        epochs = ceil(max(schedule.scheduler.milestones, default=0) / per_epoch) + 1
    if rate is None or not per_epoch or not epochs or epochs > _MOST_EPOCHS:
        return replace(plan, schedule_unreadable=True)
    # By the beginning of each epoch: one in whose course the rate drops still had the higher one.
    rates = [rate(int(epoch * per_epoch)) for epoch in range(epochs + 1)]
    falls = sum(after < before for before, after in pairwise(rates))
    if rates[-1] <= _ABOUT_ZERO * max(rates) and falls > epochs / 2:
        return replace(plan, anneals=True)
    fallen = enumerate(pairwise(rates[:-1]), start=1)
    drops = {epoch for epoch, (before, after) in fallen if before > 0 and after <= _DROP * before}
    return replace(plan, learning_rate_drops=tuple(sorted({*plan.learning_rate_drops, *drops})))


def _rate(scheduler: object) -> Rate | None:
    """Return the schedule in closed form, as torch documents it; None where it has none that is known here."""
    match scheduler:
        case MultiStepLR():
            milestones = sorted(scheduler.milestones.elements())
            return lambda step: float(scheduler.gamma ** bisect_right(milestones, step))
        case StepLR():
            return lambda step: float(scheduler.gamma ** (step // scheduler.step_size))
        case ConstantLR():
            return lambda step: scheduler.factor if step < scheduler.total_iters else 1.0
        case LambdaLR():
            return lambda step: float(scheduler.lr_lambdas[0](step))
        case SequentialLR():
            return _sequence(scheduler)
    return _smooth_rate(scheduler)


def _smooth_rate(scheduler: object) -> Rate | None:
    match scheduler:
        case ExponentialLR():
            return lambda step: float(scheduler.gamma**step)
        case LinearLR():
            first, last, total = scheduler.start_factor, scheduler.end_factor, scheduler.total_iters
            return lambda step: float(first + (last - first) * min(step, total) / total)
        case PolynomialLR():
            return lambda step: float((1 - min(step / scheduler.total_iters, 1.0)) ** scheduler.power)
        case OneCycleLR():
            return lambda step: _half_cosine(step / scheduler.total_steps)  # its rise leaves nothing to wait for
        case CosineAnnealingLR():
            first = float(scheduler.base_lrs[0])
            floor = scheduler.eta_min / first if first else 0.0
            return lambda step: floor + (1 - floor) * _half_cosine(step / scheduler.T_max)
    return None


def _half_cosine(share: float) -> float:
    return (1 + cos(pi * share)) / 2


def _sequence(scheduler: SequentialLR) -> Rate | None:
    starts = [0, *scheduler._milestones]  # noqa: SLF001  torch shows them in no other way
    rates = [_rate(part) for part in scheduler._schedulers]  # noqa: SLF001
    known = [rate for rate in rates if rate is not None]
    if len(known) < len(rates):
        return None

    def rate(step: int) -> float:
        part = bisect_right(starts, step) - 1
        return known[part](step - starts[part])

    return rate
