"""The runs in ledgers that a command reads."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from green_callbacks.analysis.ledger_run import LedgerRun
from green_callbacks.errors import ConfigurationError, LedgerError
from green_callbacks.ledger import read_ledger, shown
from green_callbacks.ledger.project_ledgers import each_once, ledgers_of
from green_callbacks.ledger.project_totals import several, united
from green_callbacks.metrics import Metric
from green_callbacks.text.layout import UNKNOWN
from green_callbacks.text.log import get_logger
from green_callbacks.text.wording import significant

logger = get_logger(__name__)

_METRIC_DIGITS: Final = 4
"""Significant digits of a metric."""


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
        paths: Files, or folders of files.

    Returns:
        The runs, each once, in the order of the paths. Files in and below a folder are sorted by name. Other files of a
        folder are skipped. One warning for each folder names unreadable ledgers.

    Raises:
        LedgerError: A named file is missing or is no ledger, or a folder holds no ledger.
    """
    return _once([run for path in each_once(paths) for run in (_folder(path) if path.is_dir() else [_read(path)])])


def read_run(path: Path) -> LedgerRun:
    """Read one ledger.

    Args:
        path: A file, or a folder with a single ledger.

    Returns:
        The run.

    Raises:
        LedgerError: The file is missing or is no ledger, or the folder holds no ledger.
        ConfigurationError: The folder holds several runs.
    """
    return single(read_runs([path]))


def single(runs: Sequence[LedgerRun]) -> LedgerRun:
    """Return the only run.

    Args:
        runs: Runs that were read.

    Raises:
        ConfigurationError: There are several runs.
    """
    if len(runs) > 1:
        msg = f"These are {len(runs)} runs, but the command takes only one. Name one ledger."
        raise ConfigurationError(msg)
    return runs[0]


def _once(runs: Iterable[LedgerRun]) -> list[LedgerRun]:
    """Merge the copies of a run, as after copying a ledger."""
    same: dict[str, list[LedgerRun]] = {}
    for run in runs:
        same.setdefault(run.contents.run_id or str(run.path), []).append(run)
    return [found[0] if len(found) == 1 else _united(found) for found in same.values()]


def _united(found: Sequence[LedgerRun]) -> LedgerRun:
    logger.warning("%s", several(found[0].run_id, [run.path for run in found]))
    fullest = max(found, key=lambda run: (len(run.history), run.contents.is_closed))
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
        msg = f"There is no ledger (*.jsonl) in or below {shown(path)}. Name the ledger of a run."
        raise LedgerError(msg)
    return runs


def _read(path: Path) -> LedgerRun:
    return LedgerRun(path, read_ledger(path))
