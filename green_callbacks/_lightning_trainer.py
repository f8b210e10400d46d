"""What a Lightning trainer, of either root, says of its run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import ceil, isfinite, lcm
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

import torch

from green_callbacks._torch_schedules import Schedule, schedule_plan
from green_callbacks.accountant.guarded import Guarded, as_number
from green_callbacks.accountant.project import FOLDER
from green_callbacks.records import Plan

_DEFAULT_MAX_EPOCHS: Final = 1000
"""What Lightning takes when neither epochs, steps nor time were asked for: no plan of the user's."""


class LightningRanks:
    """The processes of a trainer.

    Args:
        trainer: The trainer.
    """

    def __init__(self, trainer: Any) -> None:
        self._strategy = trainer.strategy
        self.rank: int = trainer.global_rank
        self.size: int = trainer.world_size

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all ranks, in their order."""
        return [self._strategy.broadcast(value if rank == self.rank else None, src=rank) for rank in range(self.size)]

    def sum(self, vector: Sequence[float]) -> list[float]:
        """Return the sum of the vectors of all ranks, in float64."""
        # A fresh tensor: Lightning reduces in place, and returns plain numbers unreduced.
        tensor = torch.tensor(vector, dtype=torch.float64, device=self._strategy.root_device)
        total: list[float] = self._strategy.reduce(tensor, reduce_op="sum").tolist()
        return total


def run_plan(trainer: Any, past_seconds: float, guarded: Guarded) -> Plan:
    """Return what a trainer knows ahead.

    Args:
        trainer: The trainer. How often schedules step in an epoch is known from ``on_train_start`` on.
        past_seconds: Time that the run has taken so far, in s.
        guarded: Asks the trainer, and the user's callbacks and schedules.

    Returns:
        Its limits and what its learning-rate schedules will do.
    """
    limits = guarded.ask("The horizon of the trainer", partial(_limits, trainer), Plan())
    remaining = guarded.ask("The time that a callback leaves", partial(_remaining_seconds, trainer), None)
    plan = limits if remaining is None else replace(limits, seconds=past_seconds + remaining)
    unreadable = replace(plan, schedule_unreadable=True)
    return guarded.ask("The trainer's learning-rate schedules", partial(_with_schedules, trainer, plan), unreadable)


def _limits(trainer: Any) -> Plan:
    has_default_horizon = trainer.max_epochs == _DEFAULT_MAX_EPOCHS and trainer.max_steps == -1
    return Plan(
        epochs=None if has_default_horizon else _positive(trainer.max_epochs),
        min_epochs=_positive(trainer.min_epochs),
        steps=_positive(trainer.max_steps),
    )


def _remaining_seconds(trainer: Any) -> float | None:
    timers = [callback for callback in trainer.callbacks if hasattr(callback, "time_remaining")]
    remaining = [float(seconds) for timer in timers if (seconds := timer.time_remaining()) is not None]
    return min(filter(isfinite, remaining), default=None)


def _with_schedules(trainer: Any, plan: Plan) -> Plan:
    epochs = [plan.epochs] if plan.epochs else []
    steps_per_epoch = _steps_per_epoch(trainer, frequency=1)
    if plan.steps and steps_per_epoch:
        epochs.append(ceil(plan.steps / steps_per_epoch))
    configs = trainer.lr_scheduler_configs
    schedules = [Schedule(scheduler=each.scheduler, steps_per_epoch=_pace(trainer, each)) for each in configs]
    known = schedule_plan(schedules, plan, min(epochs, default=None))
    if plan.steps or not (plan.epochs and steps_per_epoch):
        return known
    return replace(known, steps=plan.epochs * steps_per_epoch)  # how much is done inside an epoch is known by these


def _pace(trainer: Any, config: Any) -> Fraction | int | None:
    """Return how often a schedule steps in an epoch; None if unknown."""
    if config.interval == "epoch":
        return Fraction(1, config.frequency)
    return _steps_per_epoch(trainer, config.frequency)


def _steps_per_epoch(trainer: Any, frequency: int) -> int | None:
    """Return after how many batches of an epoch, of those whose number divides by a frequency, the optimiser steps."""
    batches, accumulated = trainer.num_training_batches, trainer.accumulate_grad_batches
    if not isfinite(batches):
        return None
    last_too = batches % frequency == 0 and batches % accumulated != 0  # the last batch of an epoch always steps
    return int(batches // lcm(frequency, accumulated) + last_too)


def _positive(limit: int | None) -> int | None:
    return int(limit) if limit and isfinite(limit) and limit > 0 else None


def log_folder(trainer: Any, guarded: Guarded) -> str | Path | None:
    """Return the folder of a trainer's logs.

    Args:
        trainer: The trainer.
        guarded: Asks the trainer, and through it the user's loggers.

    Returns:
        A folder of this machine: that of the first logger, else the trainer's own; None, for the working folder, where
        there is none.
    """
    found = guarded.ask("The log folder of the trainer", lambda: trainer.log_dir, None)
    found = found or guarded.ask("The default folder of the trainer", lambda: trainer.default_root_dir, None)
    if not isinstance(found, str | Path) or not str(found).startswith("file://"):
        return _of_this_machine(found, guarded)
    return url2pathname(urlsplit(str(found)).path)


def _of_this_machine(found: object, guarded: Guarded) -> str | Path | None:
    if isinstance(found, Path) or (isinstance(found, str) and "://" not in found):
        return found
    if found:
        guarded.say_once(
            "remote folder",
            "The log folder %s is not on this machine. The ledger goes to the folder %s in the working folder. "
            "Name a file with ledger=… to have it elsewhere.",
            found,
            FOLDER,
        )
    return None


def tensorboard_writer(trainer: Any, guarded: Guarded) -> Any | None:
    """Return the writer of a trainer's first TensorBoardLogger; None on ranks but 0, where it is a dummy."""
    if not trainer.is_global_zero:
        return None
    for each in trainer.loggers:
        if any(kind.__name__ == "TensorBoardLogger" for kind in type(each).__mro__):
            return guarded.ask("The writer of TensorBoardLogger", partial(getattr, each, "experiment"), None)
    return None


def gpu_uuids(device: torch.device) -> tuple[str, ...] | None:
    """Return the GPU that a rank trains on, as the driver names it.

    Args:
        device: The device of the rank.

    Returns:
        Its UUID as that of a GPU and as that of a slice of one, since torch does not say which it is; nothing where
        training takes place elsewhere; None if torch does not know it, as of Intel's.
    """
    if device.type == "xpu":
        return None
    if device.type != "cuda":
        return ()
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    return None if uuid is None else (f"GPU-{uuid}", f"MIG-{uuid}")


def learning_rate(trainer: Any) -> float | None:
    """Return the learning rate of a trainer's first parameters; None where it has no optimiser.

    Raises:
        Exception: Whatever an optimiser of the user's own raises.
    """
    groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
    return as_number(groups[0]["lr"]) if groups else None


def batch_size(batch: Any) -> int | None:
    """Return the length of the first tensor in a batch; None if there is none.

    Raises:
        Exception: Whatever a batch of the user's own raises.
    """
    if isinstance(batch, torch.Tensor):
        return batch.shape[0] if batch.ndim else 1
    parts = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, list | tuple) else ()
    return next((size for part in parts if (size := batch_size(part)) is not None), None)
