"""The body of Lightning's ``FrontCheckpoint``, the same for both import roots."""

import os
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from green_callbacks._frameworks.common.pareto_checkpoints import FrontFiles
from green_callbacks._frameworks.lightning.hooks import LightningHooks
from green_callbacks._frameworks.lightning.import_roots import OfLightning, refuse_other_root
from green_callbacks.accountant import EnergyAccountant
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.analysis import FrontPoint
from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Mode
from green_callbacks.text.log import get_logger

_LAST_WEIGHTS: Final = (
    "WeightAveraging validates averaged weights, but Lightning saves the last weights, which have another value, in a "
    "checkpoint of weights only. Leave save_weights_only out of FrontCheckpoint."
)

logger = get_logger(__name__)


class FrontHooks(OfLightning):
    """Keeps the checkpoints on the Pareto front of quality and emissions.

    Saves a checkpoint whenever a metric is better than ever before, which adds a point to the front. It keeps the best
    point, the knee and a few points between. The summary of the run and ``green-callbacks summary`` name the file of
    each point. The callbacks must also hold an :class:`EmissionsMonitor`. Each checkpoint contains its state, including
    the epoch that has just ended.

    This is a ``ModelCheckpoint`` of Lightning. It replaces Lightning's default checkpoint, and ``best_model_path``,
    ``best_k_models`` and ``ckpt_path="best"`` work. It saves at the end of epochs, so validate at the end of epochs,
    too. A resumed run knows its files. Files of epochs that are repeated stay on the disk, but no longer count.

    Args:
        monitor: Key of the metric.
        dirpath: Folder or URL of the files. Defaults to the folder of Lightning's own checkpoints.
        keep: Number of files to keep. Defaults to 5.
        mode: Direction in which the metric improves, ``max`` or ``min``. Defaults to ``auto``, which infers it from the
            key.
        save_weights_only: Whether to save only the weights, without the states of the optimizer and of the monitor.
            Beside ``WeightAveraging``, leave it out, because Lightning would save other weights than it validates.
            Defaults to False.

    Attributes:
        points: The points of the front that have a file, by path, in the order of rising emissions.

    Raises:
        ConfigurationError: An option cannot work. At the start of a fit, the ``EmissionsMonitor`` is missing, or the
            trainer belongs to the other import root.

    Example:
        >>> from green_callbacks.lightning import EmissionsMonitor, FrontCheckpoint
        >>> callbacks = [EmissionsMonitor(sinks=[]), FrontCheckpoint("val_acc", keep=3)]
        >>> callbacks[1].mode
        'max'
    """

    best_k_models: dict[str, torch.Tensor]
    best_model_path: str
    best_model_score: torch.Tensor | None

    def __init__(
        self,
        monitor: str,
        dirpath: str | Path | None = None,
        keep: int = 5,
        mode: Mode = "auto",
        *,
        save_weights_only: bool = False,
    ) -> None:
        self._files = FrontFiles(monitor, mode, keep)
        self.points: dict[str, FrontPoint] = {}
        self._weights_only = save_weights_only
        self._is_warned = False
        self._guarded = Guarded()
        super().__init__(  # type: ignore[call-arg]  # of ModelCheckpoint, the next base class
            dirpath=dirpath,
            monitor=monitor,
            mode=self._files.mode,
            save_top_k=-1,
            save_weights_only=save_weights_only,
            save_on_train_epoch_end=True,
        )

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Refuse a trainer of the other import root, which would not treat this callback as a checkpoint."""
        refuse_other_root(self, "ModelCheckpoint", trainer)
        super().setup(trainer, pl_module, stage)  # type: ignore[misc]  # of ModelCheckpoint, the next base class

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Refuse to train without an ``EmissionsMonitor``."""
        _accountant(trainer)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin with the files of the run, after the state of the monitor is loaded."""
        accountant = _accountant(trainer)
        if self._weights_only and any(_averages(each) for each in trainer.callbacks):
            accountant.warn("average saved", _LAST_WEIGHTS)
        self._files.begin(accountant)
        self._show(trainer)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Save a checkpoint if the metric is better than ever before. The monitor has already ended the epoch."""
        if trainer.fast_dev_run:
            return
        name = trainer.strategy.broadcast(self._name_due(trainer))
        if name is None:
            return
        path = self._unused(trainer, name)
        if trainer.is_global_zero:
            for each in self._files.add(_accountant(trainer), path, partial(self._save, trainer, path)):
                self._remove(trainer, each)
        else:
            self._save(trainer, path)
        self._show(trainer)
        if trainer.is_global_zero and path in self.points:
            for each in trainer.loggers:
                self._guarded.tell(
                    f"Showing {type(each).__name__} a checkpoint", partial(each.after_save_checkpoint, self)
                )

    def state_dict(self) -> dict[str, Any]:
        """Return nothing, because the state of the monitor holds the files."""
        return {}

    def _name_due(self, trainer: Any) -> str | None:
        """Return the name of the due file on rank 0, which alone has the history. None if no file is due."""
        point = self._files.due(_accountant(trainer))
        if point is None:
            return None
        shown = {self._files.monitor: trainer.callback_metrics.get(self._files.monitor)}
        if self._guarded.numbers(shown).get(self._files.monitor, point.value) == point.value:
            return self._files.name(point)
        if not self._is_warned:
            self._is_warned = True
            logger.warning(
                "The metric %r is logged after the end of the epoch, so it is known one epoch late. No checkpoint is "
                "saved. Log the metric earlier, for example in on_validation_epoch_end.",
                self._files.monitor,
            )
        return None

    def _show(self, trainer: Any) -> None:
        """Show the files to Lightning and its loggers, in the attributes of a ``ModelCheckpoint``."""
        self.points = trainer.strategy.broadcast(self._files.points(_accountant(trainer)))
        self.best_k_models = {path: torch.tensor(point.value) for path, point in self.points.items()}
        self.best_model_path = next(reversed(self.points), "")
        self.best_model_score = self.best_k_models.get(self.best_model_path)

    def _unused(self, trainer: Any, name: str) -> str:
        """Return a free path, the same on every rank."""
        checkpoint: Any = self
        paths = self._files.paths(checkpoint.dirpath, name, checkpoint.FILE_EXTENSION)
        return next(path for path in paths if not checkpoint.file_exists(path, trainer))

    def _save(self, trainer: Any, path: str) -> bool:
        """Save a checkpoint, and return on every rank whether all ranks could."""
        saved = True
        try:
            trainer.save_checkpoint(path, self._weights_only)
        # Disks, file systems and objects of the user may raise anything, and training must go on.
        except Exception as reason:  # noqa: BLE001
            saved = False
            self._files.failed(path, reason)
            trainer.strategy.barrier("Trainer.save_checkpoint")  # the other ranks wait there
        return bool(trainer.strategy.reduce_boolean_decision(saved))

    def _remove(self, trainer: Any, path: str) -> None:
        """Remove a file, except for the checkpoint that the run was resumed from."""
        if trainer.ckpt_path and path == os.path.abspath(trainer.ckpt_path):  # noqa: PTH100  it may be a URL
            return
        try:
            trainer.strategy.remove_checkpoint(path)
        except Exception as reason:  # noqa: BLE001  as in _save
            self._files.failed(path, reason)


def _accountant(trainer: Any) -> EnergyAccountant:
    for callback in trainer.callbacks:
        if isinstance(callback, LightningHooks):
            return callback.accountant
    msg = "FrontCheckpoint needs the emissions of an EmissionsMonitor, and there is none. Add one to the callbacks."
    raise ConfigurationError(msg)


def _averages(callback: Any) -> bool:
    """Return whether a callback is Lightning's ``WeightAveraging``, of either import root. Older Lightning has none."""
    return any(base.__name__ == "WeightAveraging" for base in type(callback).__mro__)
