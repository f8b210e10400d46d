"""Reads the plan of a run from a Lightning trainer of either import root."""

from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import ceil, isfinite, lcm
from typing import Any, Final

from green_callbacks._frameworks.lightning.import_roots import root_of
from green_callbacks._frameworks.torch.schedules import Schedule, schedule_plan
from green_callbacks.accountant.guarded_calls import Guarded, as_number
from green_callbacks.records import Plan

_DEFAULT_MAX_EPOCHS: Final = 1000
"""Number of epochs that Lightning sets if the user gives no limit. So it is not a plan of the user."""


def run_limits(trainer: Any, guarded: Guarded) -> Plan:
    """Return the limits of a run that are known before it trains.

    Args:
        trainer: The trainer.
        guarded: Guards the call of the trainer.
    """
    return guarded.ask("The horizon of the trainer", partial(_limits, trainer), Plan())


def run_plan(trainer: Any, past_seconds: float, guarded: Guarded, batches: int = 0) -> Plan:
    """Return the plan of a run after an epoch has begun.

    Args:
        trainer: The trainer. It knows its time limit and the length of its epochs from the first epoch on.
        past_seconds: Time of the present fit so far, in s.
        guarded: Guards the calls of the trainer, and of callbacks and schedules of the user.
        batches: Batches of this epoch that were done before its checkpoint. Defaults to 0.

    Returns:
        The limits of the run, and the drops and annealing of its learning rate.
    """
    plan = run_limits(trainer, guarded)
    plan = replace(plan, epoch_steps=guarded.ask("The length of an epoch", partial(_epoch_steps, trainer), None))
    remaining = _remaining_seconds(trainer, guarded)
    if remaining is not None:
        plan = replace(plan, seconds=past_seconds + max(remaining, 0.0))
    unreadable = replace(plan, schedule_unreadable=True)
    read = partial(_with_schedules, trainer, plan, guarded, batches)
    return guarded.ask("The trainer's learning-rate schedules", read, unreadable)


def plan_key(trainer: Any) -> tuple[object, ...]:
    """Return the values that a plan depends on. If they change from one epoch to the next, the plan has changed.

    During a run, data may be loaded again, schedules may be added, and limits may be raised.

    Args:
        trainer: The trainer.
    """
    schedules = tuple(id(each.scheduler) for each in trainer.lr_scheduler_configs)
    limits = (trainer.max_epochs, trainer.max_steps, trainer.min_epochs, trainer.min_steps)
    return (*limits, trainer.num_training_batches, trainer.accumulate_grad_batches, schedules)


def _limits(trainer: Any) -> Plan:
    has_default_horizon = trainer.max_epochs == _DEFAULT_MAX_EPOCHS and trainer.max_steps == -1
    return Plan(
        epochs=None if has_default_horizon else _positive(trainer.max_epochs),
        min_epochs=_positive(trainer.min_epochs),
        min_steps=_positive(trainer.min_steps),
        steps=_positive(trainer.max_steps),  # counted like global_step, as in records
    )


def _remaining_seconds(trainer: Any, guarded: Guarded) -> float | None:
    # Lightning's Timer and its subclasses only, because other callbacks may use these names for anything.
    timers = [callback for callback in trainer.callbacks if root_of(callback, "Timer")]
    told = [guarded.ask("The time that a callback leaves", partial(_time_remaining, timer), None) for timer in timers]
    return min((seconds for seconds in told if seconds is not None and isfinite(seconds)), default=None)


def _time_remaining(timer: Any) -> float | None:
    # A timer that was used for another fit has stopped, and never ends this fit.
    seconds = timer.time_remaining() if timer.time_elapsed() >= 0 else None
    return None if seconds is None else as_number(seconds)


def _epoch_steps(trainer: Any) -> int | None:
    """Return how far ``global_step`` moves in an epoch. None if modules or callbacks can change it."""
    module, callbacks = trainer.lightning_module, trainer.callbacks
    is_certain = module.automatic_optimization and len(trainer.optimizers) == 1
    changes = any(root_of(callback, "GradientAccumulationScheduler") for callback in callbacks)
    return _steps_per_epoch(trainer, frequency=1) if is_certain and not changes else None


def _with_schedules(trainer: Any, plan: Plan, guarded: Guarded, batches: int) -> Plan:
    epochs = [plan.epochs] if plan.epochs else []
    if plan.steps and plan.epoch_steps:
        left = max(plan.steps - trainer.global_step, 0)
        epochs.append(trainer.current_epoch + ceil(left / plan.epoch_steps))
    schedules = [_schedule(trainer, each, plan, batches) for each in trainer.lr_scheduler_configs]
    return schedule_plan(schedules, plan, min(epochs, default=None), guarded)


def _schedule(trainer: Any, config: Any, plan: Plan, batches: int) -> Schedule:
    frequency, module, is_by_epoch = config.frequency, trainer.lightning_module, config.interval == "epoch"
    inside = 0 if is_by_epoch else batches // lcm(frequency, trainer.accumulate_grad_batches)
    pace: Fraction | int | None = Fraction(1, frequency)
    if not is_by_epoch:
        pace = None if plan.epoch_steps is None else _steps_per_epoch(trainer, frequency)
    if not module.automatic_optimization or _steps_schedules(module):
        pace = None  # the module steps the schedule at times of its own
    return Schedule(scheduler=config.scheduler, steps_per_epoch=pace, epoch=trainer.current_epoch, inside=inside)


def _steps_schedules(module: Any) -> bool:
    """Return whether a module overrides how its schedules step."""
    owner = next((kind for kind in type(module).__mro__ if "lr_scheduler_step" in vars(kind)), type(module))
    return owner.__module__.partition(".")[0] not in ("lightning", "pytorch_lightning")


def _steps_per_epoch(trainer: Any, frequency: int) -> int | None:
    """Return how many batches of an epoch step the optimizer and have a number that a frequency divides."""
    batches, accumulated = trainer.num_training_batches, trainer.accumulate_grad_batches
    if not isfinite(batches):
        return None
    steps_last = not trainer.strategy.handles_gradient_accumulation  # Lightning always steps on the last batch
    last_too = steps_last and batches % frequency == 0 and batches % accumulated != 0
    return int(batches // lcm(frequency, accumulated) + last_too)


def _positive(limit: int | None) -> int | None:
    return int(limit) if limit and isfinite(limit) and limit > 0 else None
