"""What the runs of many ledgers came to, each run once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from green_callbacks.errors import LedgerError
from green_callbacks.ledger.closing_line import Closing, closing_of, read_closing
from green_callbacks.ledger.ledger_files import shown
from green_callbacks.ledger.reader import LedgerContents, read_quietly
from green_callbacks.records import History

_File = tuple[Path, Closing]


@dataclass(slots=True)
class Closings:
    """What many runs came to.

    Attributes:
        closings: The totals of each run that could be read.
        unread: Why a file could not be read, a sentence for each.
        damaged: What of a file could not be read, sentences for each.
        copies: Which run stands in several files, a sentence for each.
    """

    closings: list[Closing] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)


def closings_of(paths: Iterable[Path], *, but: str = "") -> Closings:
    """Sum runs up: by their closing lines where these can be trusted, else by their records.

    Args:
        paths: The ledgers. What is none, or cannot be read, is passed over.
        but: Name of a run that is left out, wherever it stands.

    Returns:
        The totals, equal to the last bit either way, and what was passed over. A run that stands in several files, as
        after copying, counts once. Keeps one ledger at a time in memory, but of those.
    """
    read = Closings()
    files: dict[str, list[_File]] = {}
    for path in paths:
        closing = read_closing(path) or _summed(path, read)
        if closing is not None and (not closing.run_id or closing.run_id != but):
            files.setdefault(closing.run_id or str(path), []).append((path, closing))
    for found in files.values():
        read.closings.append(found[0][1] if len(found) == 1 else _once(found, read))
    return read


def _summed(path: Path, read: Closings) -> Closing | None:
    try:
        contents, remark = read_quietly(path)
    except LedgerError as reason:
        read.unread.append(str(reason))
        return None
    if remark is not None:
        read.damaged.append(remark)
    return _closing(contents, contents.history)


def _once(found: Sequence[_File], read: Closings) -> Closing:
    """Sum up a run that stands in several files: what they have in common counts once."""
    read.copies.append(several(found[0][1].run_id, [path for path, _ in found]))
    first, *others = [closing for _, closing in found]
    if all(_is_same(first, each) for each in others):
        return first
    contents = [read_quietly(path)[0] for path, _ in found]
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
    """Say that a run stands in several files.

    Args:
        run_id: Name of the run.
        paths: The files.
    """
    return f"The run {run_id} stands in {len(paths)} files and counts once: {', '.join(map(shown, paths))}."


def united(histories: Sequence[History]) -> History:
    """Return the records of one run that stand in several files, each once.

    Args:
        histories: What the files hold. Records that begin at the same time are the same.

    Returns:
        The fullest of them, with what it lacks of the others in order of time.
    """
    fullest, *others = sorted(histories, key=len, reverse=True)
    known = {record.started_at for record in fullest}
    missing = []
    for history in others:
        missing += [record for record in history if record.started_at not in known]
        known.update(record.started_at for record in history)
    return History(sorted([*fullest, *missing], key=lambda record: record.started_at)) if missing else fullest
