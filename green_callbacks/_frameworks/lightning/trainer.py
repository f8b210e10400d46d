"""Reads the state of a run from a Lightning trainer of either import root."""

from collections.abc import Sequence
from functools import partial
from math import ceil, isfinite
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

import torch

from green_callbacks._frameworks.lightning.import_roots import root_of
from green_callbacks.accountant import EnergyAccountant
from green_callbacks.accountant.guarded_calls import Guarded, as_number
from green_callbacks.sinks import is_ours

_TRACKER_LOGGERS: Final = ("MLFlowLogger", "WandbLogger")
"""Classes of Lightning's loggers whose runs also get the totals."""


class LightningRanks:
    """The processes of a trainer, as the accountant needs them.

    Args:
        trainer: The trainer.
    """

    def __init__(self, trainer: Any) -> None:
        self._strategy = trainer.strategy
        self.rank: int = trainer.global_rank
        self.size: int = trainer.world_size

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all ranks, in the order of the ranks."""
        dist = torch.distributed
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() == self.size:
            values: list[Any] = [None] * self.size
            dist.all_gather_object(values, value)  # one collective, where a broadcast from each rank takes many
            return values
        return [self._strategy.broadcast(value if rank == self.rank else None, src=rank) for rank in range(self.size)]

    def sum(self, vector: Sequence[float]) -> list[float]:
        """Return the sum of the vectors of all ranks, in float64."""
        # A fresh tensor, because Lightning reduces in place and does not reduce plain numbers.
        tensor = torch.tensor(vector, dtype=torch.float64, device=self._strategy.root_device)
        total: list[float] = self._strategy.reduce(tensor, reduce_op="sum").tolist()
        return total


def log_folder(trainer: Any, guarded: Guarded) -> str | None:
    """Return the log folder of a trainer.

    Args:
        trainer: The trainer.
        guarded: Guards the calls of the trainer, which may call loggers of the user.

    Returns:
        The path or URL of the folder of the first logger, else of the trainer's default folder. None if neither is
        known.
    """
    for what, ask in (
        ("The log folder of the trainer", lambda: trainer.log_dir),
        ("The default folder of the trainer", lambda: trainer.default_root_dir),
    ):
        found = guarded.ask(what, ask, None)
        if found and isinstance(found, str | Path):
            return url2pathname(urlsplit(str(found)).path) if str(found).startswith("file://") else str(found)
    return None


def tensorboard_writer(trainer: Any, guarded: Guarded) -> Any | None:
    """Return the writer of a trainer's first TensorBoardLogger. None on ranks other than 0, where it is a dummy."""
    if not trainer.is_global_zero:
        return None
    for each in trainer.loggers:
        if root_of(each, "TensorBoardLogger"):
            return guarded.ask("The writer of TensorBoardLogger", partial(getattr, each, "experiment"), None)
    return None


def tracker_loggers(trainer: Any) -> tuple[Any, ...]:
    """Return the loggers of a trainer that write to an experiment tracker. Lightning has opened their runs by now."""
    return tuple(each for each in trainer.loggers if any(root_of(each, name) for name in _TRACKER_LOGGERS))


def ran_to_its_end(trainer: Any) -> bool | None:
    """Return whether an epoch that has just ended was complete.

    Args:
        trainer: The trainer.

    Returns:
        None if that is unknown, because a loader may end before the length that it states.
    """
    if trainer.is_last_batch:
        return True
    is_stopped = trainer.should_stop or 0 <= trainer.max_steps <= trainer.global_step
    return False if is_stopped else None


def validates_every(trainer: Any) -> int | None:
    """Return the number of epochs between two validations. Zero for no validation, None if unknown.

    Args:
        trainer: The trainer, whose loaders are known.
    """
    if not trainer.enable_validation or (trainer.num_val_batches and not sum(trainer.num_val_batches)):
        return 0
    if trainer.check_val_every_n_epoch is not None:
        return int(trainer.check_val_every_n_epoch)
    batches, interval = trainer.num_training_batches, trainer.val_check_batch
    return ceil(interval / batches) if interval and isfinite(batches) and batches else None


def validates_after(trainer: Any) -> int | None:
    """Return the batch of an epoch after which a trainer validates. None if it does not count batches of an epoch.

    Args:
        trainer: The trainer.
    """
    batches = trainer.val_check_batch if trainer.check_val_every_n_epoch is not None else None
    return int(batches) if batches is not None and isfinite(batches) else None


def announce_validation(trainer: Any, accountant: EnergyAccountant) -> None:
    """Tell an accountant how often a trainer validates, and warn of early stopping on a metric that comes too late.

    Args:
        trainer: The trainer, whose loaders are known.
        accountant: The accountant.
    """
    every = validates_every(trainer)
    if every is not None:
        accountant.expect_validation(every or None)
    if trainer.check_val_every_n_epoch is None and not isfinite(trainer.num_training_batches):
        accountant.expect_no_epochs()
    for each in trainer.early_stopping_callbacks if trainer.is_global_zero else ():
        if str(each.monitor).startswith("green/") and getattr(each, "_check_on_train_epoch_end", None) is False:
            accountant.warn(
                f"early stopping by {each.monitor}",
                "EarlyStopping reads %r after a validation, but it is known only after the epoch. "
                "Pass check_on_train_epoch_end=True to EarlyStopping.",
                each.monitor,
            )


def least_that_wins(trainer: Any) -> str | None:
    """Return the option with which a trainer refuses to stop yet, such as ``min_epochs=3``. None if it may stop.

    Args:
        trainer: The trainer, during an epoch.
    """
    if trainer.current_epoch + 1 < (trainer.min_epochs or 0):
        return f"min_epochs={trainer.min_epochs}"
    return f"min_steps={trainer.min_steps}" if trainer.global_step < (trainer.min_steps or 0) else None


def stop_training(trainer: Any, accountant: EnergyAccountant) -> None:
    """Have a trainer stop, and warn if its minimum of epochs or steps delays that.

    Args:
        trainer: The trainer, during an epoch.
        accountant: The accountant, which warns.
    """
    limit = least_that_wins(trainer)
    if limit is not None and trainer.is_global_zero and not trainer.should_stop:
        message = "The trainer's %s wins, so training goes on until then. Lower it to stop earlier."
        accountant.warn("the trainer's minimum", message, limit)
    trainer.should_stop = True


class FreshMetrics:
    """Separates the fresh metrics of a trainer from older metrics, which Lightning keeps beside them.

    Lightning makes a new tensor whenever it computes a metric, and returns the same tensor until then.

    Args:
        guarded: Guards the calls of the trainer, which may call metrics of the user.
    """

    def __init__(self, guarded: Guarded) -> None:
        self._guarded = guarded
        self._seen: dict[Any, Any] = {}

    def fresh(self, trainer: Any) -> dict[str, float]:
        """Return the metrics that were computed since the last call, without the metrics of this package.

        Args:
            trainer: The trainer.
        """
        known = self._guarded.ask("The metrics of the trainer", lambda: dict(trainer.callback_metrics), self._seen)
        metrics = {key: value for key, value in known.items() if not is_ours(str(key))}
        fresh = {key: value for key, value in metrics.items() if self._seen.get(key) is not value}
        self._seen = metrics
        return self._guarded.numbers(fresh)


def learning_rate(trainer: Any) -> float | None:
    """Return the learning rate of a trainer's first parameter group. None without an optimizer.

    Raises:
        Exception: An optimizer of the user may raise anything.
    """
    groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
    return as_number(groups[0]["lr"]) if groups else None
