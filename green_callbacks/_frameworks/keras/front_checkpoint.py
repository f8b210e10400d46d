"""Keeps the checkpoints on the Pareto front of quality and emissions, with Keras 3."""

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import keras

from green_callbacks._frameworks.common.pareto_checkpoints import FrontFiles
from green_callbacks._frameworks.keras.callback_list import saves_the_average
from green_callbacks._frameworks.keras.keras_only import OnlyKeras3
from green_callbacks._frameworks.keras.monitor import EmissionsMonitor, fitting
from green_callbacks.accountant import EnergyAccountant
from green_callbacks.analysis import FrontPoint
from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger.project_ledgers import FOLDER
from green_callbacks.metrics import Mode
from green_callbacks.text import plain_name

_LAST_WEIGHTS: Final = (
    "SwapEMAWeights validates averaged weights, but FrontCheckpoint saves the last weights, which have another value. "
    "Write callbacks=[EmissionsMonitor(…), SwapEMAWeights(swap_on_epoch=True), FrontCheckpoint(…)]."
)


class FrontCheckpoint(OnlyKeras3, keras.callbacks.Callback):  # type: ignore[misc]  # keras is not typed
    """Keeps the checkpoints on the Pareto front of quality and emissions.

    Saves the model whenever a metric is better than ever before, which adds a point to the front. It keeps the best
    point, the knee and a few points between. The summary of the run and ``green-callbacks summary`` name the file of
    each point. In the list of callbacks, put it after an :class:`EmissionsMonitor`. If weights are averaged, put it
    after ``SwapEMAWeights(swap_on_epoch=True)``, too.

    A run that is resumed by its ledger knows its files. Files of epochs that are repeated stay on the disk, but no
    longer count.

    Args:
        monitor: Key of the metric.
        dirpath: Folder of the files. Defaults to ``green-callbacks/<run id>/checkpoints`` in the working folder.
        keep: Number of files to keep. Defaults to 5.
        mode: Direction in which the metric improves, ``max`` or ``min``. Defaults to ``auto``, which infers it from the
            key.
        save_weights_only: Whether to save the weights (``.weights.h5``) instead of the model (``.keras``). Defaults to
            False.

    Attributes:
        points: The points of the front that have a file, by path, in the order of rising emissions.
        best_model_path: The file of the best model. Empty if there is none.

    Raises:
        ConfigurationError: An option cannot work. At the start of a fit, no ``EmissionsMonitor`` stands before it.

    Example:
        >>> from green_callbacks.keras import EmissionsMonitor, FrontCheckpoint
        >>> callbacks = [EmissionsMonitor(sinks=[]), FrontCheckpoint("val_accuracy", keep=3)]
        >>> callbacks[1].best_model_path
        ''
    """

    def __init__(
        self,
        monitor: str,
        dirpath: str | Path | None = None,
        keep: int = 5,
        mode: Mode = "auto",
        *,
        save_weights_only: bool = False,
    ) -> None:
        super().__init__()
        if dirpath is not None and (not isinstance(dirpath, str | os.PathLike) or "://" in str(dirpath)):
            msg = f"dirpath is {dirpath!r}, but Keras saves checkpoints only on this machine. Pass a local folder."
            raise ConfigurationError(msg)
        self.dirpath = dirpath
        self.save_weights_only = save_weights_only
        self.points: dict[str, FrontPoint] = {}
        self.best_model_path = ""
        self._files = FrontFiles(monitor, mode, keep)
        self._monitor: EmissionsMonitor | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy without the model, which Keras sets at every fit."""
        return {**self.__dict__, "_model": None, "params": None, "_monitor": None}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin with the files of the run.

        Raises:
            ConfigurationError: No ``EmissionsMonitor`` stands before it.
        """
        self._monitor = self._found()
        if self._monitor is None:
            msg = (
                "FrontCheckpoint needs the emissions of an EmissionsMonitor, and none stands before it. "
                "Write callbacks=[EmissionsMonitor(), FrontCheckpoint(…)]."
            )
            raise ConfigurationError(msg)
        accountant, fit = self._monitor.accountant, self._monitor.fit
        if fit is not None and not saves_the_average(fit.callbacks, self):
            accountant.warn("average saved", _LAST_WEIGHTS)
        self._files.begin(accountant)
        self._show(accountant)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Forget the monitor."""
        self._monitor = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save the model if the metric is better than ever before. The monitor has already ended the epoch."""
        monitor = self._monitor
        point = self._files.due(monitor.accountant) if monitor else None
        if monitor is None or point is None or point.epoch != monitor.last_epoch:
            return
        accountant = monitor.accountant
        folder = self.dirpath or Path(FOLDER, plain_name(accountant.run_id), "checkpoints")
        paths = self._files.paths(folder, self._files.name(point), self._ending)
        path = next(path for path in paths if not os.path.exists(path))  # noqa: PTH110  this one never raises
        for each in self._files.add(accountant, path, partial(self._save, path)):
            self._remove(each)
        self._show(accountant)

    def _found(self) -> EmissionsMonitor | None:
        # All callbacks of a list share one params object, which no other list has.
        found = (each for each in fitting if each.fit and each.fit.params is self.params and each.model is self.model)
        return max(found, key=lambda monitor: monitor.accountant.is_live, default=None)

    def _show(self, accountant: EnergyAccountant) -> None:
        self.points = self._files.points(accountant)
        self.best_model_path = next(reversed(self.points), "")

    @property
    def _ending(self) -> str:
        return ".weights.h5" if self.save_weights_only else ".keras"

    def _save(self, path: str) -> bool:
        """Save the model completely or not at all, and return whether it was saved."""
        unfinished = Path(path.removesuffix(self._ending) + ".unfinished" + self._ending)
        try:
            unfinished.parent.mkdir(parents=True, exist_ok=True)
            (self.model.save_weights if self.save_weights_only else self.model.save)(unfinished)
            unfinished.replace(path)
        # Disks and models of the user may raise anything, and training must go on.
        except Exception as reason:  # noqa: BLE001
            self._files.failed(path, reason)
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            return False
        return True

    def _remove(self, path: str) -> None:
        try:
            Path(path).unlink(missing_ok=True)
        except OSError as reason:
            self._files.failed(path, reason)
