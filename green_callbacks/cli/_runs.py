"""The runs that ledgers hold, and the metric that stands for the quality of each."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Final

from green_callbacks.accountant.totals import totals
from green_callbacks.cli._text import UNKNOWN
from green_callbacks.errors import ConfigurationError, LedgerError
from green_callbacks.ledger import LedgerContents, read_ledger, shown
from green_callbacks.ledger.project import matches
from green_callbacks.policies._metric_mode import Direction, direction
from green_callbacks.records import History, RunRecord
from green_callbacks.sinks._quality import quality_metric
from green_callbacks.sinks._wording import significant
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_METRIC_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, and which way it improves.

    Attributes:
        name: Its key.
        mode: ``max`` or ``min``.
    """

    name: str
    mode: Direction

    def best(self, history: History, rows: int | None = None) -> float | None:
        """Return its best value.

        Args:
            history: All records.
            rows: How many of the first records count; all unless given.

        Returns:
            The best finite value; None if there is none.
        """
        column = history.metric(self.name)
        limit = len(history) if rows is None else rows
        values = [v for row, v in zip(column.rows, column.values, strict=True) if row < limit and isfinite(v)]
        return (max if self.mode == "max" else min)(values, default=None)

    def format(self, value: float | None) -> str:
        """Write a value with the metric's name; ``-`` for None."""
        return UNKNOWN if value is None else f"{self.name} {significant(value, _METRIC_DIGITS)}"


@dataclass(frozen=True)
class LedgerRun:
    """A run as its ledger tells it.

    Attributes:
        path: The ledger.
        contents: What it holds.
    """

    path: Path
    contents: LedgerContents

    @property
    def run_id(self) -> str:
        """Name of the run; that of the file if its process was killed before it could write it."""
        return self.contents.run_id or self.path.stem

    @property
    def history(self) -> History:
        """All its records."""
        return self.contents.history

    @cached_property
    def totals(self) -> RunRecord:
        """What the run came to."""
        return totals(self.history, self.run_id, self.path, self.contents.stop_reason)

    def metric(self, name: str | None, mode: Direction | None) -> Metric | None:
        """Choose the metric that stands for the quality of the model.

        Args:
            name: Its key, if the user named one; else the one that a policy watched; else the first that begins with
                ``val``, a loss last.
            mode: Which way it improves, if the user said.

        Returns:
            The metric; None if the user named none and the run has none, or none whose name tells its mode.

        Raises:
            ConfigurationError: The user named one, and its name does not tell its mode.
        """
        chosen = quality_metric(name or self.contents.monitor, self.history.metric_names)
        if chosen is None:
            return None
        if mode is None and chosen == self.contents.monitor:
            return Metric(chosen, self.contents.mode)
        try:
            return Metric(chosen, mode or direction(chosen, "auto"))
        except ConfigurationError as error:
            if name is None:
                return None
            msg = f"Cannot tell from its name whether more of {name!r} is better: add --mode max or --mode min."
            raise ConfigurationError(msg) from error


def read_runs(paths: Iterable[Path]) -> list[LedgerRun]:
    """Read ledgers.

    Args:
        paths: Files, or folders of them.

    Returns:
        The runs, in the order of the paths; those of a folder by the names of their files. What is no ledger in a
        folder is passed over, with one warning for each folder.

    Raises:
        LedgerError: A file that was named is missing or is not a ledger, or a folder holds none.
    """
    return [run for path in paths for run in (_folder(path) if path.is_dir() else [_read(path)])]


def _folder(path: Path) -> list[LedgerRun]:
    runs, unread = [], []
    for file in sorted(matches(path, "*.jsonl")):
        try:
            runs.append(_read(file))
        except LedgerError as reason:
            unread.append(str(reason))
    if unread:
        logger.warning("%d files of %s are passed over. %s", len(unread), shown(path), unread[0])
    if not runs:
        msg = f"There is no ledger (*.jsonl) in {shown(path)}. Name a file that a run has written."
        raise LedgerError(msg)
    return runs


def _read(path: Path) -> LedgerRun:
    return LedgerRun(path, read_ledger(path))
