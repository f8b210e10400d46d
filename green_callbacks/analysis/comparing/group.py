"""Reads the runs of one side of a comparison."""

import glob
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from green_callbacks.analysis.comparing.compared_run import ComparedRun
from green_callbacks.errors import ConfigurationError, LedgerError
from green_callbacks.ledger import LedgerContents, ledgers_of, read_ledger, shown
from green_callbacks.ledger.project_ledgers import each_once
from green_callbacks.ledger.project_totals import several, united
from green_callbacks.metrics import Direction, Metric
from green_callbacks.text import for_terminal
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

Labels = Mapping[str, Collection[str]]
"""For each label, the values of which a run must have one."""

_NO_LABELS: Labels = {}

_MOST_NAMED: Final = 10
"""Largest number of labels that a message names, by convention."""


@dataclass(frozen=True, slots=True)
class Group:
    """The runs of one side of a comparison.

    Attributes:
        name: Name of the side, as texts show it.
        runs: The runs, each once.

    Example:
        >>> Group("baseline", [ComparedRun(run_id="digits", path=Path("digits.jsonl"))]).name
        'baseline'
    """

    name: str
    runs: Sequence[ComparedRun]


def read_group(name: str, paths: Iterable[Path], metric: str, labels: Labels = _NO_LABELS) -> Group:
    """Read the runs of one side. Only one ledger at a time is kept in memory.

    Args:
        name: Name of the side.
        paths: Ledgers, folders and glob patterns. Files in and below a folder are sorted by name. Other files of a
            folder are skipped. One warning for each folder names unreadable ledgers.
        metric: Key of the compared metric.
        labels: For each label, the values of which a run must have one. Defaults to no labels, for all runs.

    Returns:
        The runs, each once, in the order of the paths. Copies of a run are united.

    Raises:
        LedgerError: A named file is missing or is no ledger, a folder or pattern leads to no ledger, or no run has the
            labels.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from green_callbacks.ledger import Head, Lines
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "digits.jsonl").write_bytes(Lines().head(Head(run_id="digits", version="0.1.0")))
        ...     [run.run_id for run in read_group("baseline", [Path(folder)], "val_acc").runs]
        ['digits']
    """
    files: dict[str, list[Path]] = {}
    runs: dict[str, ComparedRun] = {}
    others: set[str] = set()
    for path, contents in _ledgers(paths):
        if not _has(contents.labels, labels):
            others |= {f"{label}={value}" for label, value in contents.labels.items() if label in labels}
            continue
        key = contents.run_id or str(path)
        files.setdefault(key, []).append(path)
        if key not in runs:
            runs[key] = ComparedRun.of(path, contents, metric)
    if not runs:
        raise LedgerError(for_terminal(_nothing(name, labels, others), limit=None))
    for key, copies in files.items():
        if len(copies) > 1:
            runs[key] = _united(copies, metric)
    return Group(name, list(runs.values()))


def metric_of_groups(groups: Iterable[Group], name: str, mode: Direction | None = None) -> Metric:
    """Return the metric with its direction.

    Args:
        groups: The groups.
        name: Key of the metric.
        mode: The direction, if the user gave it. Defaults to None, to take it from a policy that watched the metric,
            else from the name.

    Raises:
        ConfigurationError: No run has the metric, two runs disagree about its direction, or nothing tells it.

    Example:
        >>> run = ComparedRun(run_id="digits", path=Path("digits.jsonl"), metric_names=("val_loss",))
        >>> metric_of_groups([Group("baseline", [run])], "val_loss").mode
        'min'
    """
    runs = [run for group in groups for run in group.runs]
    if not any(name in run.metric_names for run in runs):
        known = ", ".join(map(for_terminal, dict.fromkeys(each for run in runs for each in run.metric_names)))
        msg = f"No run has a value of {for_terminal(name)}. Name a metric of these runs ({known or 'they have none'})."
        raise ConfigurationError(msg)
    modes = {run.mode for run in runs if run.mode is not None} if mode is None else {mode}
    if len(modes) > 1:
        msg = f"The runs disagree whether more of {for_terminal(name)} is better. Add --mode max or --mode min."
        raise ConfigurationError(msg)
    try:
        return Metric.of(name, modes.pop() if modes else "auto")
    except ConfigurationError as error:
        msg = f"The name {for_terminal(name)} does not tell whether more is better. Add --mode max or --mode min."
        raise ConfigurationError(msg) from error


def _nothing(name: str, labels: Labels, others: Collection[str]) -> str:
    if not labels:
        return f"No ledger of {name} can be read. Name the ledgers of other runs."
    wanted = " and ".join(f"{label}={' or '.join(values)}" for label, values in labels.items())
    if not others:
        return f"No run has the label {wanted}, nor another value of it. Check its name and the folder."
    return (
        f"No run has the label {wanted}. Name a label that runs there have ({', '.join(sorted(others)[:_MOST_NAMED])})."
    )


def _has(labels: Mapping[str, str], wanted: Labels) -> bool:
    return all(labels.get(label) in values for label, values in wanted.items())


def _ledgers(paths: Iterable[Path]) -> Iterator[tuple[Path, LedgerContents]]:
    """Read ledgers one by one, each file once."""
    named = [(path, _files(path)) for path in paths]
    kept = set(each_once(file for _, files in named for file in files))
    for path, files in named:
        unread: list[str] = []
        for file in files:
            if file not in kept:
                continue
            kept.discard(file)
            try:
                contents = read_ledger(file)
            except LedgerError as reason:
                if file == path:
                    raise
                unread.append(str(reason))
                continue
            yield file, contents
        if unread:
            logger.warning("%d ledgers of %s cannot be read. %s", len(unread), shown(path), unread[0])


def ledgers_at(path: Path) -> list[Path]:
    """Return the ledgers of a folder or a pattern, or the file itself. Folders that match the pattern are searched.

    Args:
        path: A ledger, a folder or a glob pattern of ledgers or folders.
    """
    if path.is_file():
        return [path]
    folders = () if path.is_dir() else filter(os.path.isdir, sorted(glob.glob(str(path))))  # noqa: PTH207  any pattern
    return each_once([*ledgers_of(path), *(file for folder in folders for file in ledgers_of(folder))])


def _files(path: Path) -> list[Path]:
    files = ledgers_at(path)
    if not files:
        msg = f"There is no ledger (*.jsonl) at {shown(path)}. Name the ledgers of runs, or a folder with ledgers."
        raise LedgerError(msg)
    return files


def _united(copies: Sequence[Path], metric: str) -> ComparedRun:
    contents = [read_ledger(path) for path in copies]
    logger.warning("%s", several(contents[0].run_id, copies))
    fullest = max(contents, key=lambda each: (len(each.history), each.is_closed))
    history = united([each.history for each in contents])
    return ComparedRun.of(copies[0], replace(fullest, history=history), metric)
