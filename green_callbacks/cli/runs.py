"""The runs that ledgers hold, and the metric that stands for the quality of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from green_callbacks.analysis.totals import totals
from green_callbacks.errors import ConfigurationError, LedgerError
from green_callbacks.ledger import LedgerContents, read_ledger, shown
from green_callbacks.ledger.project_ledgers import each_once, ledgers_of
from green_callbacks.ledger.project_totals import several, united
from green_callbacks.metrics import Direction, Metric, quality_metric
from green_callbacks.records import History, RunRecord
from green_callbacks.text.layout import UNKNOWN
from green_callbacks.text.log import get_logger
from green_callbacks.text.wording import significant

logger = get_logger(__name__)

_METRIC_DIGITS: Final = 4


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
        return totals(self.history, self.run_id, self.path, self.contents.stop_reason, self.notices)

    @property
    def notices(self) -> tuple[str, ...]:
        """What could not act, be measured or be kept, as sentences."""
        return tuple(self.contents.notices.values())

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
            return Metric.of(chosen, mode or "auto")
        except ConfigurationError as error:
            if name is None:
                return None
            msg = f"Cannot tell from its name whether more of {name!r} is better: add --mode max or --mode min."
            raise ConfigurationError(msg) from error


def best_value(history: History, metric: Metric, rows: int | None = None) -> float | None:
    """Return the best finite value of a metric. None if there is no finite value.

    Args:
        history: All records.
        metric: The metric.
        rows: Number of the first records that count. Defaults to all.
    """
    column = history.metric(metric.name)
    limit = len(history) if rows is None else rows
    return metric.best(value for row, value in zip(column.rows, column.values, strict=True) if row < limit)


def written_value(metric: Metric, value: float | None) -> str:
    """Return a value with the name of its metric, or ``-`` for None.

    Args:
        metric: The metric.
        value: A value of the metric.
    """
    return UNKNOWN if value is None else f"{metric.name} {significant(value, _METRIC_DIGITS)}"


def read_runs(paths: Iterable[Path]) -> list[LedgerRun]:
    """Read ledgers.

    Args:
        paths: Files, or folders of them.

    Returns:
        The runs, each once, in the order of the paths; those in and below a folder by the names of their files. What is
        no ledger in a folder is passed over; ledgers that cannot be read are said in one warning for each folder.

    Raises:
        LedgerError: A file that was named is missing or is not a ledger, or a folder holds none.
    """
    return _once([run for path in each_once(paths) for run in (_folder(path) if path.is_dir() else [_read(path)])])


def _once(runs: Iterable[LedgerRun]) -> list[LedgerRun]:
    """Make one run of those that are the same, as after copying a ledger."""
    same: dict[str, list[LedgerRun]] = {}
    for run in runs:
        same.setdefault(run.contents.run_id or str(run.path), []).append(run)
    return [found[0] if len(found) == 1 else _united(found) for found in same.values()]


def _united(found: Sequence[LedgerRun]) -> LedgerRun:
    logger.warning("%s", several(found[0].run_id, [run.path for run in found]))
    fullest = max(found, key=lambda run: len(run.history))
    history = united([run.history for run in found])
    return LedgerRun(fullest.path, replace(fullest.contents, history=history))


def _folder(path: Path) -> list[LedgerRun]:
    runs, unread = [], []
    for file in ledgers_of(path):
        try:
            runs.append(_read(file))
        except LedgerError as reason:
            unread.append(str(reason))
    if unread:
        logger.warning("%d ledgers of %s cannot be read. %s", len(unread), shown(path), unread[0])
    if not runs:
        msg = f"There is no ledger (*.jsonl) in or below {shown(path)}. Name a file that a run has written."
        raise LedgerError(msg)
    return runs


def _read(path: Path) -> LedgerRun:
    return LedgerRun(path, read_ledger(path))
