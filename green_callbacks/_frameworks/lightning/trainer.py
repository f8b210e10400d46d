"""What a Lightning trainer, of either root, says of its run."""

from collections.abc import Sequence
from functools import partial
from math import ceil, isfinite
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import torch

from green_callbacks._frameworks.lightning.import_roots import root_of
from green_callbacks.accountant import EnergyAccountant
from green_callbacks.accountant.guarded_calls import Guarded, as_number
from green_callbacks.sinks import is_ours


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


def log_folder(trainer: Any, guarded: Guarded) -> str | None:
    """Return the folder of a trainer's logs.

    Args:
        trainer: The trainer.
        guarded: Asks the trainer, and through it the user's loggers.

    Returns:
        A path, or the URL of a folder on another machine: that of the first logger, else the trainer's own. None, for
        the working folder, where there is none.
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
    """Return the writer of a trainer's first TensorBoardLogger; None on ranks but 0, where it is a dummy."""
    if not trainer.is_global_zero:
        return None
    for each in trainer.loggers:
        if root_of(each, "TensorBoardLogger"):
            return guarded.ask("The writer of TensorBoardLogger", partial(getattr, each, "experiment"), None)
    return None


def ran_to_its_end(trainer: Any) -> bool | None:
    """Tell at the end of an epoch whether it ran to its end.

    Args:
        trainer: The trainer.

    Returns:
        None if nothing is known to have stopped it: a loader may end before the length that it states.
    """
    if trainer.is_last_batch:
        return True
    is_stopped = trainer.should_stop or 0 <= trainer.max_steps <= trainer.global_step
    return False if is_stopped else None


def validates_every(trainer: Any) -> int | None:
    """Return every how many epochs a trainer validates, once its loaders are known; 0 for never, None if unknown.

    Args:
        trainer: The trainer.
    """
    if not trainer.enable_validation or (trainer.num_val_batches and not sum(trainer.num_val_batches)):
        return 0
    if trainer.check_val_every_n_epoch is not None:
        return int(trainer.check_val_every_n_epoch)
    batches, interval = trainer.num_training_batches, trainer.val_check_batch
    return ceil(interval / batches) if interval and isfinite(batches) and batches else None


def validates_after(trainer: Any) -> int | None:
    """Return after how many batches of an epoch a trainer validates; None if that does not go by batches of an epoch.

    Args:
        trainer: The trainer.
    """
    batches = trainer.val_check_batch if trainer.check_val_every_n_epoch is not None else None
    return int(batches) if batches is not None and isfinite(batches) else None


def announce_validation(trainer: Any, accountant: EnergyAccountant) -> None:
    """Tell an accountant how often a trainer validates, and the user what is asked for too early there.

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
                "EarlyStopping asks for %r after a validation, and it is known after the epoch only. "
                "Pass check_on_train_epoch_end=True to it.",
                each.monitor,
            )


def least_that_wins(trainer: Any) -> str | None:
    """Return the minimum of a trainer, as it was written, that lets it go on when it is to stop; None if none does.

    Args:
        trainer: The trainer, in an epoch.
    """
    if trainer.current_epoch + 1 < (trainer.min_epochs or 0):
        return f"min_epochs={trainer.min_epochs}"
    return f"min_steps={trainer.min_steps}" if trainer.global_step < (trainer.min_steps or 0) else None


class FreshMetrics:
    """Tells which metrics of a trainer are fresh: Lightning keeps the old ones beside them.

    It makes a new tensor whenever it computes a metric, and hands out the same one as long as it does not.

    Args:
        guarded: Asks the trainer, and through it the user's metrics.
    """

    def __init__(self, guarded: Guarded) -> None:
        self._guarded = guarded
        self._seen: dict[Any, Any] = {}

    def fresh(self, trainer: Any) -> dict[str, float]:
        """Return the metrics that were computed since the last call, but for those of the package.

        Args:
            trainer: The trainer.
        """
        known = self._guarded.ask("The metrics of the trainer", lambda: dict(trainer.callback_metrics), self._seen)
        metrics = {key: value for key, value in known.items() if not is_ours(str(key))}
        fresh = {key: value for key, value in metrics.items() if self._seen.get(key) is not value}
        self._seen = metrics
        return self._guarded.numbers(fresh)


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


def gpu_name(device: torch.device) -> str:
    """Return what a rank trains on besides its processors, as torch calls it; empty for nothing.

    Args:
        device: The device of the rank.
    """
    return "" if device.type in ("cpu", "meta") else str(device)


def learning_rate(trainer: Any) -> float | None:
    """Return the learning rate of a trainer's first parameters; None where it has no optimiser.

    Raises:
        Exception: Whatever an optimiser of the user's own raises.
    """
    groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
    return as_number(groups[0]["lr"]) if groups else None
