"""Reads the plan of a run from Hugging Face's ``Trainer``."""

import sys
from dataclasses import replace
from functools import partial
from math import ceil
from typing import Any, Final

from green_callbacks._frameworks.torch.schedules import Schedule, schedule_plan
from green_callbacks._frameworks.transformers.fit import Fit
from green_callbacks._frameworks.transformers.stopping import strategy_of
from green_callbacks.accountant import EnergyAccountant
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.records import Plan

_WHO: Final = "The front of the trainer's checkpoints"
"""Watches the metric of the best model."""


def run_limits(fit: Fit, guarded: Guarded) -> Plan:
    """Return the length of a fit.

    Args:
        fit: The fit, whose state knows its steps.
        guarded: Guards the reading, because a loop of the user may keep another state.
    """
    return guarded.ask("The horizon of the trainer", partial(_limits, fit), Plan())


def run_plan(fit: Fit, scheduler: Any, guarded: Guarded) -> Plan:
    """Return the plan of a fit after an epoch has begun.

    Args:
        fit: The fit.
        scheduler: The learning-rate schedule, or None.
        guarded: Guards the calls of a schedule of the user.
    """
    plan = run_limits(fit, guarded)
    unreadable = replace(plan, schedule_unreadable=True)
    return guarded.ask("The learning-rate schedule", partial(_with_schedule, fit, scheduler, plan, guarded), unreadable)


def announce_evaluation(args: Any, fit: Fit, accountant: EnergyAccountant) -> None:
    """Tell an accountant how often the trainer evaluates, and which metric stands for the quality of the model.

    Args:
        args: The arguments of the training.
        fit: The fit.
        accountant: The accountant.
    """
    strategy, steps = strategy_of(args.eval_strategy), fit.state.eval_steps
    if strategy == "no":
        accountant.expect_validation(None)
    elif args.eval_delay:
        pass  # the first evaluation may come late, or never
    elif strategy == "epoch":
        accountant.expect_validation(1)
    elif fit.epoch_steps and steps:
        accountant.expect_validation(ceil(steps / fit.epoch_steps))
    if fit.epoch_steps is None and strategy != "steps":
        accountant.expect_no_epochs()
    best = best_metric(args)
    if best is not None and strategy != "no":
        accountant.watch(*best, _WHO)


def best_metric(args: Any) -> tuple[str, str] | None:
    """Return the metric by which the trainer chooses the best model, and ``max`` or ``min``. None without one.

    Args:
        args: The arguments of the training.
    """
    name = args.metric_for_best_model
    if not name:
        return None
    return name if name.startswith("eval_") else f"eval_{name}", "max" if args.greater_is_better else "min"


def _limits(fit: Fit) -> Plan:
    steps, epochs = fit.state.max_steps, fit.state.num_train_epochs
    return Plan(
        epochs=int(epochs) if 0 < epochs < sys.maxsize else None,
        steps=int(steps) if steps > 0 else None,
        epoch_steps=fit.epoch_steps,
    )


def _with_schedule(fit: Fit, scheduler: Any, plan: Plan, guarded: Guarded) -> Plan:
    if scheduler is None:
        return plan
    scheduler = getattr(scheduler, "scheduler", scheduler)  # accelerate may wrap it
    known = Schedule(
        scheduler=scheduler, steps_per_epoch=fit.epoch_steps, epoch=fit.epoch or 0, inside=fit.steps_inside
    )
    return schedule_plan([known], plan, plan.epochs, guarded)
