"""The runs in folders, for a report."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from green_callbacks.errors import ConfigurationError, LedgerError
from green_callbacks.ledger import LedgerContents, shown
from green_callbacks.ledger.overview import LedgerOverview
from green_callbacks.ledger.reader import read_quietly
from green_callbacks.page.collection import CollectedRun, Collection
from green_callbacks.page.finding import FoundLedger, key_of
from green_callbacks.page.groups.runs import labeled_runs
from green_callbacks.page.groups.section import groups_html
from green_callbacks.page.naming import names_of
from green_callbacks.page.report_data import fitted
from green_callbacks.page.row import Row, group_of, row_of
from green_callbacks.page.rows import runs_of
from green_callbacks.page.run_detail import run_of
from green_callbacks.page.stops import stop_of
from green_callbacks.page.zones import zones

__all__ = ["ReportFolders"]

DETAIL_POINTS: Final = 100
"""Largest number of points of a run's details. The tab shows 1,000, and the details of a few runs would fill a mail."""


class _Chosen(NamedTuple):
    """A run of a report. Two folders may hold the same names, so a report of several folders tells them apart."""

    found: FoundLedger
    overview: LedgerOverview
    key: str
    name: str
    path: str
    seen_at: datetime


class ReportFolders:
    """Reads the runs in folders once.

    Args:
        folders: The folders.

    Raises:
        LedgerError: No folder holds a readable ledger, or a folder is missing.

    Example:
        >>> try:
        ...     ReportFolders([Path("no-such-folder")])
        ... except LedgerError as error:
        ...     print(error)
        There is no folder no-such-folder. Name the folder of the runs.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._said: list[str] = []
        self._ledgers = 0
        self._runs: dict[str, _Chosen] = {}
        for number, folder in enumerate(folders):
            self._read(folder, number)
        if not self._runs:
            reason = " ".join(self._said)
            msg = reason or f"There is no ledger (*.jsonl) in or below {self._names}. Name the folder of the runs."
            raise LedgerError(msg)

    @property
    def ledgers(self) -> list[FoundLedger]:
        """The ledgers that were read."""
        return [run.found for run in self._runs.values()]

    @property
    def _names(self) -> str:
        return ", ".join(map(shown, self._folders))

    def data(self, rules: Sequence[str]) -> dict[str, Any]:
        """Return the data of a report.

        Args:
            rules: The rules to replay, as on the command line.
        """
        now = datetime.now(UTC)
        runs = runs_of(
            [_row(run, now) for run in self._runs.values()],
            folder=self._names,
            read=self._ledgers,  # all of them, if without success, so that the page waits for none
            of=self._ledgers,
            said=self._said,
            written_at=now,
        )
        contents = lru_cache(maxsize=1)(self._contents)

        def detail(key: str) -> Mapping[str, Any] | None:
            read = contents(key)
            return None if read is None else run_of(read, key, most=DETAIL_POINTS)

        def stop(key: str, rule: str) -> Mapping[str, Any] | None:
            read = contents(key)
            try:
                return None if read is None else stop_of(read, key, rule)
            except ConfigurationError as reason:  # the rule needs a metric, and this run has none
                return {"key": key, "stops": False, "text": str(reason)}

        return fitted(runs, detail=detail, stop=stop, rules=rules, zones=zones())

    def groups(self, label: str) -> str:
        """Return the section of a report that shows groups of runs.

        Args:
            label: A label of the runs, or ``folder``.

        Returns:
            HTML.

        Raises:
            ConfigurationError: No run has the label, or no run has a metric and known emissions.
        """
        once = {run.overview.closing.run_id or run.key: run for run in self._runs.values()}
        return groups_html(labeled_runs([(group_of(run.name), run.overview) for run in once.values()], label))

    def _read(self, folder: Path, number: int) -> None:
        snapshot = Collection(folder).read_all()
        names = names_of(snapshot.runs)
        self._said += snapshot.said
        self._ledgers += snapshot.of
        for run in snapshot.runs:
            if run.overview is not None:
                chosen = _chosen(run, run.overview, names[run.found.key])
                if len(self._folders) > 1:
                    chosen = _told_apart(chosen, folder, number)
                self._runs[chosen.key] = chosen

    def _contents(self, key: str) -> LedgerContents | None:
        try:
            return read_quietly(self._runs[key].found.path)[0]
        except LedgerError:  # it was removed a moment ago, and its row tells the totals
            return None


def _chosen(run: CollectedRun, overview: LedgerOverview, name: str) -> _Chosen:
    return _Chosen(run.found, overview, run.found.key, name, run.found.relative, run.seen_at)


def _told_apart(run: _Chosen, folder: Path, number: int) -> _Chosen:
    above = folder.resolve().name or str(number)
    return run._replace(key=key_of(f"{number}/{run.path}"), name=f"{above}/{run.name}", path=f"{above}/{run.path}")


def _row(run: _Chosen, now: datetime) -> Row:
    return row_of(run.overview, name=run.name, key=run.key, path=run.path, seen_at=run.seen_at, now=now)
