"""The body of the Lightning callback that keeps the checkpoints of a front, the same for both import roots."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import torch

from green_callbacks._frameworks.common.front_files import FrontFiles
from green_callbacks._frameworks.lightning.hooks import LightningHooks
from green_callbacks._frameworks.lightning.import_roots import OfLightning, refuse_other_root
from green_callbacks.accountant import EnergyAccountant
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.analysis import FrontPoint
from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Mode
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)


class FrontHooks(OfLightning):
    """Keeps the checkpoints of what quality was to be had for which emissions.

    Saves one whenever a metric is better than ever, which makes a new point of the front of emissions and quality, and
    keeps those that say most about it: the best, the knee, and others that spread between. The summary of the run and
    ``green-callbacks summary`` name the file of each point. It stands beside an :class:`EmissionsMonitor`, whose
    account every checkpoint holds, the epoch at hand included.

    It is a ``ModelCheckpoint`` of Lightning: ``best_model_path``, ``best_k_models`` and ``ckpt_path="best"`` work, and
    like any it takes the place of Lightning's default one. It saves at the end of epochs, so the last validation of an
    epoch is best at its end. After a resume the files are known through the account; those of epochs that are done
    again are left where they are, and count no more.

    Args:
        monitor: Key of the metric.
        dirpath: Folder, or URL, of the files; that of Lightning's own checkpoints unless given.
        keep: How many files to keep.
        mode: Which way the metric improves: ``max``, ``min``, or ``auto`` to go by its name.
        save_weights_only: Leave out everything but the weights: the state of the optimiser, and the account.

    Attributes:
        points: The points of the front that have a file, cheapest first, by the paths of the files.

    Raises:
        ConfigurationError: An option that cannot work; at the start of a fit, that there is no ``EmissionsMonitor``, or
            that the trainer is of the other import root.
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
        super().__init__(  # type: ignore[call-arg]  # of ModelCheckpoint, which comes next
            dirpath=dirpath,
            monitor=monitor,
            mode=self._files.mode,
            save_top_k=-1,
            save_weights_only=save_weights_only,
            save_on_train_epoch_end=True,
        )

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Refuse a trainer of the other import root, which neither calls this last nor takes it for a checkpoint."""
        refuse_other_root(self, "ModelCheckpoint", trainer)
        super().setup(trainer, pl_module, stage)  # type: ignore[misc]  # of ModelCheckpoint, which comes next

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Refuse to train without a monitor, before anything has run."""
        _accountant(trainer)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin with the files that there are, once the account is loaded."""
        self._files.begin(_accountant(trainer))
        self._show(trainer)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Save a checkpoint if the metric is better than ever; the monitor has ended the epoch by now."""
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
        """Return nothing: what it must know after a resume is in the account."""
        return {}

    def _name_due(self, trainer: Any) -> str | None:
        """Name the file that is due, on rank 0, which alone has the history."""
        point = self._files.due(_accountant(trainer))
        if point is None:
            return None
        shown = {self._files.monitor: trainer.callback_metrics.get(self._files.monitor)}
        if self._guarded.numbers(shown).get(self._files.monitor, point.value) == point.value:
            return self._files.name(point)
        if not self._is_warned:
            self._is_warned = True
            logger.warning(
                "The metric %r is logged after the epoch has ended, and so known one epoch late: no checkpoint is "
                "saved for it. Log it earlier, for example in on_validation_epoch_end.",
                self._files.monitor,
            )
        return None

    def _show(self, trainer: Any) -> None:
        """Let Lightning and its loggers see the files, in the attributes of a ``ModelCheckpoint``."""
        self.points = trainer.strategy.broadcast(self._files.points(_accountant(trainer)))
        self.best_k_models = {path: torch.tensor(point.value) for path, point in self.points.items()}
        self.best_model_path = next(reversed(self.points), "")
        self.best_model_score = self.best_k_models.get(self.best_model_path)

    def _unused(self, trainer: Any, name: str) -> str:
        """Return a path on which no file lies, the same on every rank."""
        checkpoint: Any = self
        paths = self._files.paths(checkpoint.dirpath, name, checkpoint.FILE_EXTENSION)
        return next(path for path in paths if not checkpoint.file_exists(path, trainer))

    def _save(self, trainer: Any, path: str) -> bool:
        """Save a checkpoint; return on every rank whether all of them could."""
        saved = True
        try:
            trainer.save_checkpoint(path, self._weights_only)
        # Disks, file systems, what the user puts into checkpoints: whatever they raise, training goes on.
        except Exception as reason:  # noqa: BLE001
            saved = False
            self._files.failed(path, reason)
            trainer.strategy.barrier("Trainer.save_checkpoint")  # where the other ranks wait
        return bool(trainer.strategy.reduce_boolean_decision(saved))

    def _remove(self, trainer: Any, path: str) -> None:
        """Remove a file, but not the one that the run was resumed from."""
        if trainer.ckpt_path and path == os.path.abspath(trainer.ckpt_path):  # noqa: PTH100  or a URL, which differs
            return
        try:
            trainer.strategy.remove_checkpoint(path)
        except Exception as reason:  # noqa: BLE001  likewise
            self._files.failed(path, reason)


def _accountant(trainer: Any) -> EnergyAccountant:
    for callback in trainer.callbacks:
        if isinstance(callback, LightningHooks):
            return callback.accountant
    msg = "FrontCheckpoint takes the emissions from an EmissionsMonitor, and there is none: add one to the callbacks."
    raise ConfigurationError(msg)
