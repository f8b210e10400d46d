"""Keeps the checkpoints of the front of emissions and quality, with Keras 3."""

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import keras

from green_callbacks._frameworks.common.front_files import FrontFiles
from green_callbacks._frameworks.keras.keras_only import OnlyKeras3
from green_callbacks._frameworks.keras.monitor import EmissionsMonitor, fitting
from green_callbacks.accountant import EnergyAccountant
from green_callbacks.accountant.beginning.project_spending import FOLDER
from green_callbacks.analysis import FrontPoint
from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Mode
from green_callbacks.text import plain_name


class FrontCheckpoint(OnlyKeras3, keras.callbacks.Callback):  # type: ignore[misc]  # keras is not typed
    """Keeps the checkpoints of what quality was to be had for which emissions.

    Saves the model whenever a metric is better than ever, which makes a new point of the front of emissions and
    quality, and keeps the files that say most about it: the best, the knee, and others that spread between. The summary
    of the run and ``green-callbacks summary`` name the file of each point. It stands after an
    :class:`EmissionsMonitor` in the list.

    A run that goes on by its ledger goes on with its files; those of epochs that are done again are left where they
    are, and count no more.

    Args:
        monitor: Key of the metric.
        dirpath: Folder of the files; ``green-callbacks/<run id>/checkpoints`` in the working folder unless given.
        keep: How many files to keep.
        mode: Which way the metric improves: ``max``, ``min``, or ``auto`` to go by its name.
        save_weights_only: Save the weights (``.weights.h5``) in place of the model (``.keras``).

    Attributes:
        points: The points of the front that have a file, cheapest first, by the paths of the files.
        best_model_path: The file of the best model; empty if there is none.

    Raises:
        ConfigurationError: An option that cannot work; at the start of a fit, that no ``EmissionsMonitor`` stands
            before it.
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
            msg = f"dirpath is {dirpath!r}: FrontCheckpoint of Keras saves to a folder of this machine, so name one."
            raise ConfigurationError(msg)
        self.dirpath = dirpath
        self.save_weights_only = save_weights_only
        self.points: dict[str, FrontPoint] = {}
        self.best_model_path = ""
        self._files = FrontFiles(monitor, mode, keep)
        self._monitor: EmissionsMonitor | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle without the model: Keras sets it at every fit."""
        return {**self.__dict__, "_model": None, "params": None, "_monitor": None}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin with the files that there are.

        Raises:
            ConfigurationError: No ``EmissionsMonitor`` stands before it.
        """
        self._monitor = self._found()
        if self._monitor is None:
            msg = (
                "FrontCheckpoint takes the emissions from an EmissionsMonitor, and none stands before it: "
                "write callbacks=[EmissionsMonitor(), FrontCheckpoint(…)]."
            )
            raise ConfigurationError(msg)
        self._files.begin(self._monitor.accountant)
        self._show(self._monitor.accountant)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Let go of the monitor."""
        self._monitor = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save the model if the metric is better than ever; the monitor has ended the epoch by now."""
        monitor = self._monitor
        point = self._files.due(monitor.accountant) if monitor else None
        if monitor is None or point is None or point.epoch != monitor.last_epoch:
            return
        accountant = monitor.accountant
        folder = self.dirpath or Path(FOLDER, plain_name(accountant.run_id), "checkpoints")
        paths = self._files.paths(folder, self._files.name(point), self._ending)
        path = next(path for path in paths if not os.path.exists(path))  # noqa: PTH110  never raises
        for each in self._files.add(accountant, path, partial(self._save, path)):
            self._remove(each)
        self._show(accountant)

    def _found(self) -> EmissionsMonitor | None:
        # All callbacks of a list have the same params, which those of another list have not.
        found = (each for each in fitting if each.fit and each.fit.params is self.params and each.model is self.model)
        return max(found, key=lambda monitor: monitor.accountant.is_live, default=None)

    def _show(self, accountant: EnergyAccountant) -> None:
        self.points = self._files.points(accountant)
        self.best_model_path = next(reversed(self.points), "")

    @property
    def _ending(self) -> str:
        return ".weights.h5" if self.save_weights_only else ".keras"

    def _save(self, path: str) -> bool:
        """Save the model whole or not at all; return whether that went well."""
        unfinished = Path(path.removesuffix(self._ending) + ".unfinished" + self._ending)
        try:
            unfinished.parent.mkdir(parents=True, exist_ok=True)
            (self.model.save_weights if self.save_weights_only else self.model.save)(unfinished)
            unfinished.replace(path)
        # Disks, and models of the user's own, which may not know how to be saved: training goes on.
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
