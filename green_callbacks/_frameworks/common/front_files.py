"""The checkpoint files of the front of emissions and quality: which one is due, and which to keep."""

import os
import pickle
import re
import textwrap
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

from green_callbacks.accountant.energy_accountant import EnergyAccountant
from green_callbacks.analysis import Front, FrontPoint, chosen, worth_keeping
from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Mode, direction
from green_callbacks.records import Checkpoints
from green_callbacks.text.names import shortened

_PATIENCE_EPOCHS = 3
"""Epochs after which a metric is missed that never comes with the end of one."""

_LONGEST_METRIC_BYTES = 120
"""Bytes of a metric in the name of a file: with the numbers, a version and an ending it stays below 255."""

_OF_THE_MODEL = (NotImplementedError, TypeError, AttributeError, ValueError, pickle.PicklingError)
"""What is raised where a model holds something that no file can: frameworks raise all else for the disk."""

_SAVE_LESS = "Something of the model cannot be saved: save_weights_only=True leaves out all but its weights."
_SAVE_ELSEWHERE = "Free the disk, or name another folder with dirpath=…."
_LONGEST_REASON = 200


class FrontFiles:
    """Decides which checkpoints of a run to save and to keep; an adapter writes and removes the files.

    Holds options only: which files there are is noted in the account, and with it in its ledger and state.

    Args:
        monitor: Key of the metric.
        mode: Which way it improves: ``max``, ``min``, or ``auto`` to go by its name.
        keep: How many files to keep.

    Raises:
        ConfigurationError: An option that cannot work.
    """

    def __init__(self, monitor: str, mode: Mode, keep: int) -> None:
        if not isinstance(monitor, str):
            msg = f"monitor is {monitor!r}: name the metric whose best checkpoints to keep, such as 'val_acc'."
            raise ConfigurationError(msg)
        if not isinstance(keep, int) or keep < 1:
            msg = f"keep is {keep!r}: keep one checkpoint at least, the best."
            raise ConfigurationError(msg)
        self.monitor = monitor
        self.mode = direction(monitor, mode)
        self.keep = keep
        self._warn: Callable[..., None] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle the options alone."""
        return {**self.__dict__, "_warn": None}

    def begin(self, accountant: EnergyAccountant) -> None:
        """Begin a stretch of a run, or go on with one: files that are gone by now count no more.

        Args:
            accountant: What accounts the run.
        """
        self._warn = accountant.warn
        accountant.watch(self.monitor, self.mode)
        if self.monitor in accountant.checkpoints:
            accountant.keep_checkpoints(self.monitor, accountant.checkpoints[self.monitor].that_exist())

    def points(self, accountant: EnergyAccountant) -> dict[str, FrontPoint]:
        """Return the points of the front that have a file, cheapest first, by the paths of the files.

        Args:
            accountant: What accounts the run.
        """
        paths = {row: path for path, row in self._rows(accountant).items()}
        points = chosen(Front(accountant.history, self.monitor, self.mode), paths)
        return {paths[point.row]: point for point in points}

    def due(self, accountant: EnergyAccountant) -> FrontPoint | None:
        """Return the point that the epoch just ended has added to the front; None if it has added none.

        Args:
            accountant: What accounts the run.
        """
        history = accountant.history
        last, rows = len(history) - 1, history.metric(self.monitor).rows
        if not accountant.is_live or last not in rows[-1:]:
            if rows and history.finished_epochs >= _PATIENCE_EPOCHS and not self._rows(accountant):
                accountant.warn(
                    f"front files {self.monitor}",
                    "No checkpoint has been kept: %r comes, but not with the end of an epoch, when FrontCheckpoint "
                    "saves. Have it computed at the end of epochs.",
                    self.monitor,
                )
            return None
        newest = Front(history, self.monitor, self.mode)[-1:]
        return next((point for point in newest if point.row == last and point.epoch is not None), None)

    def name(self, point: FrontPoint) -> str:
        """Name the file of a point, without its ending, by epoch, metric and kgCO2e."""
        metric = shortened(re.sub(r"[^\w.-]+", "_", self.monitor), _LONGEST_METRIC_BYTES)
        return f"front-epoch={point.epoch}-{metric}={point.value:.4g}-kg={point.kg:.3g}"

    def paths(self, folder: str | Path, name: str, ending: str) -> Iterator[str]:
        """Go through the paths that a file may have, for one on which no other lies.

        Args:
            folder: Its folder, or the URL of one.
            name: Its name.
            ending: The ending of its name.

        Yields:
            Absolute paths: the name itself, and then with a number.
        """
        folder = str(folder) if "://" in str(folder) else os.path.abspath(folder)  # noqa: PTH100  links stay as written
        for version in chain([""], (f"-v{number}" for number in count(1))):
            yield os.path.join(folder, f"{name}{version}{ending}")  # noqa: PTH118  URLs as well

    def add(self, accountant: EnergyAccountant, path: str, save: Callable[[], bool]) -> list[str]:
        """Have the file of the point that is due saved.

        It is noted before it is saved, since what is saved may hold the account; and no more if it was not.

        Args:
            accountant: What accounts the run.
            path: Where to save it.
            save: Saves it; returns whether that went well.

        Returns:
            Files in the same folder that are not worth keeping beside it. Those of epochs that were done again after a
            resume are not among them: the run knows no more how good they are.
        """
        before = self._rows(accountant)
        rows = {**before, path: len(accountant.history) - 1}
        kept = worth_keeping(Front(accountant.history, self.monitor, self.mode), self.keep, rows.values())
        stay = {point.row for point in kept}
        self._note(accountant, {each: row for each, row in rows.items() if row in stay})
        saved = False
        try:
            saved = save()
        finally:  # an interrupt leaves no whole file either
            if not saved:
                self._note(accountant, before)
        if not saved:
            return []
        measured = accountant.history.metric(self.monitor).rows
        gone = {each: row for each, row in before.items() if row not in stay and _holds(measured, row)}
        return [each for each in gone if Path(each).parent == Path(path).parent]

    def failed(self, path: str, reason: Exception) -> None:
        """Say that a file could not be saved or removed, once.

        Args:
            path: The file.
            reason: What was raised.
        """
        is_of_the_model = isinstance(reason, _OF_THE_MODEL)
        if self._warn is not None:
            self._warn(
                f"front files failed {self.monitor}",
                "The checkpoint %s could not be saved or removed (%s: %s): training goes on without that. %s",
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
