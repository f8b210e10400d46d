"""Selects the checkpoints on the Pareto front of emissions and quality that are saved and kept."""

import os
import pickle
import re
import textwrap
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any, Final

from green_callbacks.accountant.energy_accountant import EnergyAccountant
from green_callbacks.analysis import Front, FrontPoint, chosen, worth_keeping
from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Metric, Mode, direction
from green_callbacks.records import Checkpoints
from green_callbacks.text.file_names import shortened

_PATIENCE_EPOCHS: Final = 3
"""Number of epochs without the metric at their end, after which a warning appears."""

_LONGEST_METRIC_BYTES: Final = 120
"""Longest name of a metric in a file name, in bytes. File systems allow 255 bytes for the whole name."""

_MODEL_ERRORS: Final = (NotImplementedError, TypeError, AttributeError, ValueError, pickle.PicklingError)
"""Errors of a model that cannot be saved. Frameworks raise other errors for the disk."""

_SAVE_LESS: Final = "A part of the model cannot be saved. Pass save_weights_only=True to save only its weights."
_SAVE_ELSEWHERE: Final = "Free the disk, or name another folder with dirpath=…."
_LONGEST_REASON: Final = 200
"""Largest number of characters of an error in a warning. Errors of pickle can be pages long."""


class FrontFiles:
    """Selects the checkpoints of a run to save and to keep. An adapter writes and removes the files.

    Holds options only. The accountant records the files, so they are in its ledger and its state.

    Args:
        monitor: Key of the metric.
        mode: Direction in which the metric improves, ``max`` or ``min``. With ``auto``, the key tells it.
        keep: Number of files to keep.

    Raises:
        ConfigurationError: An option cannot work.
    """

    def __init__(self, monitor: str, mode: Mode, keep: int) -> None:
        if not isinstance(monitor, str):
            msg = f"monitor is {monitor!r}, which is not the key of a metric. Pass a key such as 'val_acc'."
            raise ConfigurationError(msg)
        if not isinstance(keep, int) or keep < 1:
            msg = f"keep is {keep!r}, and at least one checkpoint must be kept. Pass a number from 1."
            raise ConfigurationError(msg)
        self.monitor = monitor
        self.mode = direction(monitor, mode)
        self.keep = keep
        self._warn: Callable[..., None] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle the options alone."""
        return {**self.__dict__, "_warn": None}

    @property
    def _metric(self) -> Metric:
        return Metric(self.monitor, self.mode)

    def begin(self, accountant: EnergyAccountant) -> None:
        """Begin or resume a run. Recorded files that no longer exist are forgotten.

        Args:
            accountant: The accountant of the run.
        """
        self._warn = accountant.warn
        accountant.watch(self.monitor, self.mode)
        if self.monitor in accountant.checkpoints:
            accountant.keep_checkpoints(self.monitor, accountant.checkpoints[self.monitor].that_exist())

    def points(self, accountant: EnergyAccountant) -> dict[str, FrontPoint]:
        """Return the points of the front that have a file, by path, in the order of rising emissions.

        Args:
            accountant: The accountant of the run.
        """
        paths = {row: path for path, row in self._rows(accountant).items()}
        points = chosen(Front(accountant.history, self._metric), paths)
        return {paths[point.row]: point for point in points}

    def due(self, accountant: EnergyAccountant) -> FrontPoint | None:
        """Return the point that the last epoch has added to the front. None if it has added none.

        Args:
            accountant: The accountant of the run.
        """
        history = accountant.history
        last, rows = len(history) - 1, history.metric(self.monitor).rows
        if not accountant.is_live or last not in rows[-1:]:
            if rows and history.finished_epochs >= _PATIENCE_EPOCHS and not self._rows(accountant):
                accountant.warn(
                    f"front files {self.monitor}",
                    "No checkpoint has been kept. The metric %r is not reported at the end of epochs, when "
                    "FrontCheckpoint saves. Compute it at the end of each epoch.",
                    self.monitor,
                )
            return None
        newest = Front(history, self._metric)[-1:]
        return next((point for point in newest if point.row == last and point.epoch is not None), None)

    def name(self, point: FrontPoint) -> str:
        """Return the file name of a point without its ending, from the epoch, the metric and the kgCO2e."""
        metric = shortened(re.sub(r"[^\w.-]+", "_", self.monitor), _LONGEST_METRIC_BYTES)
        return f"front-epoch={point.epoch}-{metric}={point.value:.4g}-kg={point.kg:.3g}"

    def paths(self, folder: str | Path, name: str, ending: str) -> Iterator[str]:
        """Yield candidate paths for a file, so that the caller can take the first free path.

        Args:
            folder: Folder of the file, or its URL.
            name: Name of the file, without its ending.
            ending: The ending of its name.

        Yields:
            Absolute paths. The first has the name itself, and later paths add a number.
        """
        folder = str(folder) if "://" in str(folder) else os.path.abspath(folder)  # noqa: PTH100  links stay as written
        for version in chain([""], (f"-v{number}" for number in count(1))):
            yield os.path.join(folder, f"{name}{version}{ending}")  # noqa: PTH118  URLs as well

    def add(self, accountant: EnergyAccountant, path: str, save: Callable[[], bool]) -> list[str]:
        """Save the file of the due point.

        The file is recorded before it is saved, because the checkpoint may contain the record. If saving fails, the
        record is undone.

        Args:
            accountant: The accountant of the run.
            path: Path of the file.
            save: Saves the file, and returns whether it could.

        Returns:
            Files in the same folder that are no longer worth keeping. Files of epochs that were repeated after a resume
            are never among them, because the run has lost their metrics.
        """
        before = self._rows(accountant)
        rows = {**before, path: len(accountant.history) - 1}
        kept = worth_keeping(Front(accountant.history, self._metric), self.keep, rows.values())
        stay = {point.row for point in kept}
        self._note(accountant, {each: row for each, row in rows.items() if row in stay})
        saved = False
        try:
            saved = save()
        finally:  # after an interrupt, too, the file is not whole
            if not saved:
                self._note(accountant, before)
        if not saved:
            return []
        measured = accountant.history.metric(self.monitor).rows
        gone = {each: row for each, row in before.items() if row not in stay and _holds(measured, row)}
        return [each for each in gone if Path(each).parent == Path(path).parent]

    def failed(self, path: str, reason: Exception) -> None:
        """Warn once that a file could not be saved or removed.

        Args:
            path: The file.
            reason: The error.
        """
        is_of_the_model = isinstance(reason, _MODEL_ERRORS)
        if self._warn is not None:
            self._warn(
                f"front files failed {self.monitor}",
                "The checkpoint %s could not be saved or removed (%s: %s). Training goes on without it. %s",
                path,
                type(reason).__name__,
                textwrap.shorten(str(reason), _LONGEST_REASON) if is_of_the_model else reason,
                _SAVE_LESS if is_of_the_model else _SAVE_ELSEWHERE,
            )

    def _rows(self, accountant: EnergyAccountant) -> dict[str, int]:
        kept = accountant.checkpoints.get(self.monitor)
        return dict(kept.rows) if kept else {}

    def _note(self, accountant: EnergyAccountant, rows: dict[str, int]) -> None:
        accountant.keep_checkpoints(self.monitor, Checkpoints(self.mode, rows))


def _holds(rows: Sequence[int], row: int) -> bool:
    at = bisect_left(rows, row)
    return at < len(rows) and rows[at] == row
