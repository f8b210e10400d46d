"""Collects the totals of the runs in many ledgers, and counts each run once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from green_callbacks.errors import LedgerError
from green_callbacks.ledger.closing_line import Closing, closing_of, read_closing
from green_callbacks.ledger.contents import LedgerContents
from green_callbacks.ledger.head import Head
from green_callbacks.ledger.ledger_files import shown
from green_callbacks.ledger.nested_runs import NestedRun, counted
from green_callbacks.ledger.overlaps.candidates import MeasuredRun
from green_callbacks.ledger.overlaps.hosts import Place
from green_callbacks.ledger.overlaps.sentences import Shared, overlap_sentences
from green_callbacks.ledger.overlaps.shares import of_part, parts_of
from green_callbacks.ledger.quick_overview import last_head
from green_callbacks.ledger.reader import read_quietly
from green_callbacks.records import History


@dataclass(frozen=True, slots=True)
class _File:
    """The totals of one file. The head is None until somebody asks for it."""

    path: Path
    closing: Closing
    head: Head | None = None
    is_closed: bool = True


@dataclass(slots=True)
class Closings:
    """The totals of many runs.

    Attributes:
        closings: The totals of each run that could be read. A run inside another of these runs is left out.
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


def closings_of(paths: Iterable[Path], *, but: str = "", own: NestedRun | None = None) -> Closings:
    """Return the totals of runs, from their closing lines where these can be trusted, else from their records.

    Both ways give the same totals to the last bit. A run that several files hold, for example after copying, counts
    once. So does the energy of a run inside another run, such as a script that measures itself in a measured command.
    Only one ledger at a time is kept in memory, except for such copies.

    Args:
        paths: The ledgers. Other files and unreadable files are skipped.
        but: Name of a run to leave out. Defaults to an empty text, for none.
        own: The same run up to now, to see whether it is inside others. Defaults to None, for no such run.

    Returns:
        The totals, and sentences about skipped files.
    """
    read = Closings()
    files: dict[str, list[_File]] = {}
    for path in paths:
        file = _closed(path) or _summed(path, read)
        if file is not None and (not file.closing.run_id or file.closing.run_id != but):
            files.setdefault(file.closing.run_id or str(path), []).append(file)
    closings = [found[0].closing if len(found) == 1 else _once(found, read) for found in files.values()]
    runs = [_nested(found[0], closing) for found, closing in zip(files.values(), closings, strict=True)]
    *counts, counts_own = counted([*runs, own or NestedRun("", (), "")])
    read.hold_own = not counts_own
    counting = zip(files.values(), closings, counts, strict=True)
    _add_once(read, [(found[0], closing) for found, closing, is_counted in counting if is_counted])
    return read


def _add_once(read: Closings, found: Sequence[tuple[_File, Closing]]) -> None:
    """Add the totals of runs. What several processes measured at the same time counts once."""
    runs = [MeasuredRun.of(file.path, closing, file.head) for file, closing in found]
    shared = []
    for run, (_, closing), part in zip(runs, found, parts_of(runs), strict=True):
        if part is not None:
            place = run.places[0] if run.places else Place("")
            shared.append(Shared(place, closing.facility_kwh, part))
        read.closings.append(closing if part is None else of_part(closing, part))
    read.overlaps += overlap_sentences(shared)


def _closed(path: Path) -> _File | None:
    closing = read_closing(path)
    return None if closing is None else _File(path, closing, last_head(path, closing))


def _nested(file: _File, closing: Closing) -> NestedRun:
    head = file.head or Head(run_id=closing.run_id, version="")
    return NestedRun.of(
        head, list(closing.devices), closing.facility_kwh, closing.duration_seconds, is_closed=file.is_closed
    )


def _summed(path: Path, read: Closings) -> _File | None:
    try:
        contents, remark = read_quietly(path)
    except LedgerError as reason:
        read.unread.append(str(reason))
        return None
    if remark is not None:
        read.damaged.append(remark)
    return _File(path, _closing(contents, contents.history), contents.head, contents.is_closed)


def _once(found: Sequence[_File], read: Closings) -> Closing:
    """Return the totals of a run that several files hold. Records that they share count once."""
    read.copies.append(several(found[0].closing.run_id, [file.path for file in found]))
    first, *others = [file.closing for file in found]
    if all(_is_same(first, each) for each in others):
        return first
    contents = [read_quietly(file.path)[0] for file in found]
    fullest = max(contents, key=lambda each: len(each.history))
    return _closing(fullest, united([each.history for each in contents]))


def _is_same(one: Closing, other: Closing) -> bool:
    sums = ((c.rows, c.duration_seconds, c.facility_kwh, c.emissions_kg) for c in (one, other))
    return next(sums) == next(sums)


def _closing(contents: LedgerContents, history: History) -> Closing:
    return closing_of(
        contents.run_id,
        history,
        monitor=contents.monitor,
        mode=contents.mode,
        stop_reason=contents.stop_reason,
    )


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
        histories: The history of each file. Records that begin at the same time are the same record.

    Returns:
        The longest history, with its missing records added from the others, in order of time.
    """
    fullest, *others = sorted(histories, key=len, reverse=True)
    known = {record.started_at for record in fullest}
    missing = []
    for history in others:
        missing += [record for record in history if record.started_at not in known]
        known.update(record.started_at for record in history)
    return History(sorted([*fullest, *missing], key=lambda record: record.started_at)) if missing else fullest
