"""Reads the drops and the annealing ahead from the learning-rate schedules of torch."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import pairwise
from math import ceil, cos, inf, pi
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

from green_callbacks._frameworks.common.pure_functions import is_pure
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.records import Plan
from green_callbacks.records.learning_rates import is_annealed, is_drop

_MOST_EPOCHS: Final = 10_000
"""Largest number of epochs of which a schedule is read. By experiment, this takes 40 ms."""

Rate = Callable[[int], float]
"""Learning rate of a parameter group as a share of its initial rate, by the number of steps of the schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A learning-rate schedule in a training loop.

    Attributes:
        scheduler: The scheduler of torch.
        steps_per_epoch: Number of its steps per epoch. None if unknown.
        epoch: Index of the epoch that has begun. Defaults to 0.
        inside: Number of its steps that are done in that epoch. Defaults to 0.
    """

    scheduler: Any
    steps_per_epoch: Fraction | int | None
    epoch: int = 0
    inside: int = 0


def schedule_plan(schedules: Iterable[Schedule], plan: Plan, epochs: int | None, guarded: Guarded) -> Plan:
    """Add the drops and the annealing of learning-rate schedules to a plan.

    Only schedules of torch's own classes are read. A function of the user is called only if it does nothing but
    arithmetic.

    Args:
        schedules: The schedules of a run.
        plan: The plan so far.
        epochs: Total number of epochs. None if unknown.
        guarded: Guards the calls of the schedules.

    Returns:
        The plan with drops and annealing. It is marked unreadable if a schedule depends on a metric or on code of the
        user, has an unknown class, or has no known end.
    """
    for schedule in schedules:
        unreadable = replace(plan, schedule_unreadable=True)
        plan = guarded.ask("The learning-rate schedule", partial(_with, schedule, plan, epochs), unreadable)
    return plan


def _with(schedule: Schedule, plan: Plan, epochs: int | None) -> Plan:
    scheduler, per_epoch = schedule.scheduler, schedule.steps_per_epoch
    rates = _rates(scheduler)
    if rates is None or not per_epoch or _oscillates(scheduler, per_epoch):
        return replace(plan, schedule_unreadable=True)
    # A resumed run may have taken other steps before, so count from the present step of the scheduler.
    begin = int(scheduler.last_epoch) - schedule.inside - int(schedule.epoch * per_epoch)
    if epochs is None and type(scheduler) is MultiStepLR:
        epochs = ceil((max(scheduler.milestones, default=0) - begin) / per_epoch) + 1
    if not epochs or epochs > _MOST_EPOCHS:
        return replace(plan, schedule_unreadable=True)
    # At the beginning of each epoch, because an epoch in which the rate drops began with the higher rate.
    steps = [max(begin + int(epoch * per_epoch), 0) for epoch in range(epochs + 1)]
    last = max(_last_step(plan, per_epoch, begin, steps[-1]), steps[-2])
    for rate in rates:
        plan = _after(plan, [rate(step) for step in steps], rate(last))
    return plan


def _last_step(plan: Plan, per_epoch: Fraction | int, begin: int, end: int) -> int:
    """Return the step of a schedule with whose rate the last step of the plan is trained."""
    if plan.steps and plan.epoch_steps:  # this limit may end the last epoch early
        end = min(end, begin + int(plan.steps * per_epoch / plan.epoch_steps))
    return end - 1


def _after(plan: Plan, rates: Sequence[float], last: float) -> Plan:
    """Add the drops and the annealing of one rate.

    Args:
        plan: The plan so far.
        rates: The rate at the beginning of each epoch, and after the last step.
        last: The rate of the last step.
    """
    falls = sum(after < before for before, after in pairwise(rates))
    if is_annealed(rates[-1], max(rates)) and falls > (len(rates) - 1) / 2:
        return replace(plan, anneals=True)
    fallen = enumerate(pairwise(rates[:-1]), start=1)
    drops = {epoch for epoch, (before, after) in fallen if is_drop(before, after)}
    if is_drop(rates[-2], last):  # inside the last epoch, which no later epoch shows
        drops.add(len(rates) - 2)
    return replace(plan, learning_rate_drops=tuple(sorted({*plan.learning_rate_drops, *drops})))


def _oscillates(scheduler: Any, per_epoch: Fraction | int) -> bool:
    """Return whether a schedule falls and rises inside an epoch, so that its values at epoch ends mean nothing."""
    if type(scheduler) is SequentialLR:
        return any(_oscillates(part, per_epoch) for part in scheduler._schedulers)  # noqa: SLF001
    return type(scheduler) is CosineAnnealingLR and scheduler.T_max < per_epoch


def _rates(scheduler: Any) -> list[Rate] | None:
    """Return the rates of all groups with a learning rate. None if the schedule has no known closed form."""
    if type(scheduler) not in _READERS:  # a subclass may do anything
        return None
    learning = [at for at, group in enumerate(scheduler.optimizer.param_groups) if group.get("initial_lr")]
    rates = [_READERS[type(scheduler)](scheduler, at) for at in learning]
    known = [rate for rate in rates if rate is not None]
    return known if len(known) == len(rates) else None


def _multi_step(scheduler: Any, _: int) -> Rate:
    milestones = sorted(scheduler.milestones.elements())
    return lambda step: float(scheduler.gamma ** bisect_right(milestones, step))


def _step(scheduler: Any, _: int) -> Rate:
    return lambda step: float(scheduler.gamma ** (step // scheduler.step_size))


def _exponential(scheduler: Any, _: int) -> Rate:
    return lambda step: float(scheduler.gamma**step)


def _constant(scheduler: Any, _: int) -> Rate:
    total = scheduler.total_iters or inf  # with 0 steps, torch never ends the warm-up
    return lambda step: float(scheduler.factor) if step < total else 1.0


def _linear(scheduler: Any, _: int) -> Rate:
    first, last, total = scheduler.start_factor, scheduler.end_factor, scheduler.total_iters or inf
    return lambda step: float(first + (last - first) * min(step, total) / total) if total < inf else float(first)


def _polynomial(scheduler: Any, _: int) -> Rate:
    total = scheduler.total_iters
    return lambda step: float((1 - min(step / total, 1.0)) ** scheduler.power) if total else 1.0


def _cosine(scheduler: Any, group: int) -> Rate:
    floor = float(scheduler.eta_min / scheduler.base_lrs[group])
    return lambda step: floor + (1 - floor) * _half_cosine(step / scheduler.T_max)


def _one_cycle(scheduler: Any, group: int) -> Rate:
    rates = scheduler.optimizer.param_groups[group]
    between = _half_cosine if scheduler._anneal_func_type == "cos" else lambda share: 1 - share  # noqa: SLF001
    phases = [  # torch offers no public way
        (float(phase["end_step"]), float(rates[phase["start_lr"]]), float(rates[phase["end_lr"]]))
        for phase in scheduler._schedule_phases  # noqa: SLF001
    ]
    ends = [end for end, _, _ in phases]

    def rate(step: int) -> float:
        at = min(bisect_left(ends, step), len(phases) - 1)
        begin, (end, first, last) = (ends[at - 1] if at else 0.0), phases[at]
        share = min((step - begin) / (end - begin), 1.0) if end > begin else 1.0
        return (last + (first - last) * between(share)) / phases[0][1]

    return rate


def _half_cosine(share: float) -> float:
    return (1 + cos(pi * share)) / 2


def _lambda(scheduler: Any, group: int) -> Rate | None:
    function = scheduler.lr_lambdas[group]
    return (lambda step: float(function(step))) if is_pure(function) else None


def _sequence(scheduler: Any, group: int) -> Rate | None:
    starts = [0, *scheduler._milestones]  # noqa: SLF001  torch offers no public way
    parts = [(_READERS.get(type(part)), part) for part in scheduler._schedulers]  # noqa: SLF001
    rates = [read(part, group) if read else None for read, part in parts]
    known = [rate for rate in rates if rate is not None]
    if len(known) < len(rates):
        return None

    def rate(step: int) -> float:
        part = bisect_right(starts, step) - 1
        return known[part](step - starts[part])

    return rate


_READERS: Final[Mapping[type, Callable[[Any, int], Rate | None]]] = {
    MultiStepLR: _multi_step,
    StepLR: _step,
    ExponentialLR: _exponential,
    ConstantLR: _constant,
    LinearLR: _linear,
    PolynomialLR: _polynomial,
    CosineAnnealingLR: _cosine,
    OneCycleLR: _one_cycle,
    LambdaLR: _lambda,
    SequentialLR: _sequence,
}
"""Closed forms of torch's schedules as torch documents them, by exact class."""
