"""Collects the totals of the runs in many ledgers, and counts each run once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import is_
from pathlib import Path
from typing import NamedTuple

from green_callbacks.errors import LedgerError
from green_callbacks.ledger.closing_line import Closing
from green_callbacks.ledger.index.ledger_entry import LedgerEntry, UnreadLedger, entry_from_records
from green_callbacks.ledger.index.ledger_index import LedgerIndex
from green_callbacks.ledger.ledger_files import shown
from green_callbacks.ledger.nested_runs import NestedRun, counted_in
from green_callbacks.ledger.overlaps.candidates import MeasuredRun
from green_callbacks.ledger.overlaps.hosts import Place
from green_callbacks.ledger.overlaps.sentences import Shared, overlap_sentences
from green_callbacks.ledger.overlaps.shares import of_part, parts_of
from green_callbacks.ledger.overlaps.stretches import united_rows
from green_callbacks.ledger.project_ledgers import folder_of, ledgers_of
from green_callbacks.ledger.reader import read_quietly
from green_callbacks.records import History


class ProjectRun(NamedTuple):
    """A run of a project.

    Attributes:
        path: Its ledger, or the first of its ledgers.
        entry: Its totals.
        copies: The other ledgers that hold it. Defaults to none.
    """

    path: Path
    entry: LedgerEntry
    copies: tuple[Path, ...] = ()

    @property
    def run_id(self) -> str:
        """Name of the run, or of the file if the process was killed before it wrote the name."""
        return self.entry.run_id or self.path.stem


@dataclass(slots=True)
class ProjectRuns:
    """The runs of a project, each once. A run inside another of these runs is among them.

    Attributes:
        runs: The runs, in the order of their ledgers.
        unread: A sentence for each file that could not be read.
        damaged: Sentences for each file that could be read in part only.
        copies: One sentence for each run that several files hold.
        unread_files: The files that could not be read, in the order of their sentences.
    """

    runs: list[ProjectRun] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    unread_files: list[Path] = field(default_factory=list)


@dataclass(slots=True)
class Closings:
    """The totals of many runs.

    Attributes:
        closings: The totals of each run that could be read, without front and curve. A run inside another of these runs
            is left out.
        unread: One sentence for each file that could not be read.
        damaged: Sentences for each file that could be read in part only.
        copies: One sentence for each run that several files hold.
        overlaps: Sentences about devices that several processes measured at the same time, which count once.
        hold_own: Whether these totals include the energy of the run that asks. Defaults to False.
    """

    closings: list[Closing] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    hold_own: bool = False


def closings_of(
    paths: Iterable[Path], *, but: str = "", own: NestedRun | None = None, index: LedgerIndex | None = None
) -> Closings:
    """Return the totals of runs, from an index or their closing lines where these can be trusted, else their records.

    All ways give the same totals to the last bit. A run that several files hold, for example after copying, counts
    once. So does the energy of a run inside another run, such as a script that measures itself in a measured command.
    Only one ledger at a time is kept in memory, except for such copies.

    Args:
        paths: The ledgers. Other files and unreadable files are skipped.
        but: Name of a run to leave out. Defaults to an empty text, for none.
        own: The same run up to now, to see whether it is inside others. Defaults to None, for no such run.
        index: The index of the project, which is saved at the end. Defaults to None, to read every ledger.

    Returns:
        The totals, and sentences about skipped files.
    """
    index = index or LedgerIndex()
    found = runs_of(paths, but=but, index=index)
    once = count_once(found.runs, own=own, index=index)
    closings = [each for each in once.closings if each is not None]
    is_inside = bool(once.own_in)
    return Closings(closings, found.unread, found.damaged, found.copies, once.overlaps, hold_own=is_inside)


def project_closings(project: str | Path, *, but: str = "", own: NestedRun | None = None) -> Closings:
    """Return the totals of the runs of a project, through its index.

    Args:
        project: A folder, a pattern or a file.
        but: Name of a run to leave out. Defaults to an empty text, for none.
        own: The same run up to now, to see whether it is inside others. Defaults to None, for no such run.

    Returns:
        The totals, and sentences about skipped files.
    """
    return closings_of(ledgers_of(project), but=but, own=own, index=LedgerIndex(folder_of(project)))


class CountedOnce(NamedTuple):
    """What a sum counts of each run.

    Attributes:
        closings: The totals of each run that the sum counts. None for a run inside another of the runs.
        inside: For each run, the places of the runs that hold its energy.
        own_in: Places of the runs that hold the energy of the run that asks.
        overlaps: Sentences about devices that several processes measured at the same time, which count once.
    """

    closings: list[Closing | None]
    inside: list[tuple[int, ...]]
    own_in: tuple[int, ...]
    overlaps: list[str]


def count_once(
    runs: Sequence[ProjectRun], *, own: NestedRun | None = None, index: LedgerIndex | None = None
) -> CountedOnce:
    """Count the energy of runs inside others once, and what several processes measured at the same time.

    Args:
        runs: The runs, each once.
        own: The run that asks, up to now. Defaults to None, for no such run.
        index: The index of the project, which is saved at the end. Defaults to None, to read what overlaps.

    Returns:
        The totals that a sum adds.
    """
    index = index or LedgerIndex()
    *inside, own_in = counted_in([*(run.entry.nested for run in runs), own or NestedRun("", (), "")])
    counts = [at for at, holders in enumerate(inside) if not holders]
    found = [runs[at] for at in counts]
    measured = [MeasuredRun.of(run.path, run.entry.closing, run.entry.head, run.copies) for run in found]
    closings: list[Closing | None] = [None] * len(runs)
    shared = []
    for at, run, part in zip(counts, measured, parts_of(measured, index), strict=True):
        closing = runs[at].entry.closing
        if part is not None:
            shared.append(Shared(run.places[0] if run.places else Place(""), closing.facility_kwh, part))
        closings[at] = closing if part is None else of_part(closing, part)
    index.save()
    return CountedOnce(closings, inside, own_in, overlap_sentences(shared))


def runs_of(paths: Iterable[Path], *, but: str = "", index: LedgerIndex | None = None) -> ProjectRuns:
    """Return the runs in ledgers, each once.

    Args:
        paths: The ledgers. Other files and unreadable files are skipped.
        but: Name of a run to leave out. Defaults to an empty text, for none.
        index: The index of the project, which is saved at the end. Defaults to None, to read every ledger.

    Returns:
        The runs, and sentences about skipped files.
    """
    index = index or LedgerIndex()
    read = ProjectRuns()
    files: dict[str, list[ProjectRun]] = {}
    try:
        for path, entry in index.entries(paths):
            if isinstance(entry, UnreadLedger):
                _add_unread(read, path, entry.reason)
                continue
            if entry.remark is not None:
                read.damaged.append(entry.remark)
            if not entry.run_id or entry.run_id != but:
                files.setdefault(entry.run_id or str(path), []).append(ProjectRun(path, entry))
        read.runs = [found[0] if len(found) == 1 else _once(found, read, index) for found in files.values()]
    finally:  # whoever interrupts a long look wants the next one to be shorter
        index.save()
    return read


def _add_unread(read: ProjectRuns, path: Path, reason: str) -> None:
    read.unread.append(reason)
    read.unread_files.append(path)


def _once(found: Sequence[ProjectRun], read: ProjectRuns, index: LedgerIndex) -> ProjectRun:
    """Return a run that several files hold. Records that they share count once."""
    paths = [run.path for run in found]
    read.copies.append(several(found[0].run_id, paths))
    first, *others = [run.entry.closing for run in found]
    if all(_is_same(first, each) for each in others):
        return found[0]._replace(copies=tuple(paths[1:]))
    try:
        return ProjectRun(paths[0], index.united(paths, lambda: _united(paths)), tuple(paths[1:]))
    except LedgerError as reason:  # one of them has been removed or damaged meanwhile
        _add_unread(read, paths[0], str(reason))
        return max(found, key=lambda run: run.entry.closing.rows)


def _is_same(one: Closing, other: Closing) -> bool:
    sums = ((c.rows, c.duration_seconds, c.facility_kwh, c.emissions_kg) for c in (one, other))
    return next(sums) == next(sums)


def _united(paths: Sequence[Path]) -> LedgerEntry:
    contents = [read_quietly(path)[0] for path in paths]
    fullest = max(contents, key=lambda each: (len(each.history), each.is_closed))
    return entry_from_records(fullest, united([each.history for each in contents]))


def several(run_id: str, paths: Sequence[Path]) -> str:
    """Return the sentence which says that several files hold a run.

    Args:
        run_id: Name of the run.
        paths: The files.
    """
    return f"{len(paths)} files hold the run {run_id}, which counts once ({', '.join(map(shown, paths))})."


def united(histories: Sequence[History]) -> History:
    """Unite the records of one run that several files hold.

    Args:
        histories: The history of each file. Records that begin at the same time are the same record, of which one may
            be the last heartbeat before a copy was made.

    Returns:
        The longest history, with missing and longer records from the others, in order of time.
    """
    fullest, *others = sorted(histories, key=len, reverse=True)
    known = list(fullest)
    records = united_rows([known, *others], lambda record: record)
    return fullest if len(records) == len(known) and all(map(is_, records, known)) else History(records)
