"""What the learning-rate schedules of torch still hold."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    StepLR,
)

from green_callbacks.records import Plan

_DROP: Final = 0.5
"""A learning rate that falls to this or less starts a new stretch of learning."""


def schedule_plan(schedulers: Sequence[Any], plan: Plan) -> Plan:
    """Add to a plan what schedules that step once an epoch will do.

    Args:
        schedulers: Schedulers of torch.
        plan: What else is known.

    Returns:
        The plan with drops and annealing; marked unreadable where a scheduler is of a kind that is not known here.
    """
    for scheduler in schedulers:
        plan = _with(scheduler, plan)
    return plan


def _with(scheduler: LRScheduler, plan: Plan) -> Plan:
    drops = set(plan.learning_rate_drops)
    if isinstance(scheduler, MultiStepLR):
        milestones = scheduler.milestones if scheduler.gamma <= _DROP else ()
        return replace(plan, learning_rate_drops=tuple(sorted({*drops, *milestones})))
    if isinstance(scheduler, StepLR):
        steps = range(scheduler.step_size, plan.epochs or 0, scheduler.step_size) if scheduler.gamma <= _DROP else ()
        return replace(plan, learning_rate_drops=tuple(sorted({*drops, *steps})))
    if isinstance(scheduler, CosineAnnealingLR | OneCycleLR | PolynomialLR):
        return replace(plan, anneals=True)
    if isinstance(scheduler, ConstantLR | ExponentialLR):
        return plan
    return replace(plan, schedule_unreadable=True)
