"""What a sum of many runs must know of each ledger."""

from dataclasses import dataclass, replace
from pathlib import Path

from green_callbacks.errors import LedgerError
from green_callbacks.ledger._rounding import few_digits
from green_callbacks.ledger.closing_line import Closing, closing_of, read_closing
from green_callbacks.ledger.contents import LedgerContents
from green_callbacks.ledger.head import Head
from green_callbacks.ledger.nested_runs import NestedRun
from green_callbacks.ledger.quick_overview import last_head
from green_callbacks.ledger.reader import read_quietly
from green_callbacks.records import History, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """The totals of a ledger, and what tells its run from others.

    Example:
        >>> from green_callbacks.ledger import Head, closing_of
        >>> from green_callbacks.records import History
        >>> closing = closing_of("digits", History(), monitor=None, mode="max")
        >>> entry = LedgerEntry(closing=closing, head=Head(run_id="digits", version="0.1.0"), is_closed=True)
        >>> entry.run_id
        'digits'

    Attributes:
        closing: The totals, without front and curve.
        head: The head of the last session, without its plan, products and versions.
        is_closed: Whether the run was closed. Otherwise it was killed or is still running.
        best: Best value of the metric of the run, with six digits. Defaults to None, without such a value.
        remark: Sentences about damaged lines that were skipped. Defaults to None, if there are none.
    """

    closing: Closing
    head: Head
    is_closed: bool
    best: float | None = None
    remark: str | None = None

    @property
    def run_id(self) -> str:
        """Name of the run. Empty if its process was killed before it could write the name."""
        return self.closing.run_id

    @property
    def nested(self) -> NestedRun:
        """The run, as far as a sum of several runs must know it."""
        closing = self.closing
        devices, seconds = list(closing.devices), closing.duration_seconds
        return NestedRun.of(self.head, devices, closing.facility_kwh, seconds, is_closed=self.is_closed)


@dataclass(frozen=True, slots=True)
class UnreadLedger:
    """A ledger that cannot be read.

    Example:
        >>> UnreadLedger("notes.jsonl is not a ledger.").lasts
        True

    Attributes:
        reason: Why, as a sentence.
        lasts: Whether this stays so until the file changes. Defaults to True.
    """

    reason: str
    lasts: bool = True


def entry_of(path: Path) -> LedgerEntry | UnreadLedger:
    """Read a ledger, by its two ends if it is closed, else by its records. Raises nothing that a file could cause.

    Args:
        path: The file.

    Returns:
        The totals, which are the same either way, or why the file cannot be read.

    Example:
        >>> entry_of(Path("no-such-file.jsonl")).lasts
        False
    """
    return closed_entry(path) or summed_entry(path)


def closed_entry(path: Path) -> LedgerEntry | None:
    """Return the entry of a closed ledger from its two ends. None if only the records can tell it.

    Args:
        path: The file.
    """
    closing = read_closing(path)
    if closing is None or not closing.is_of_this_version:
        return None
    head = last_head(path, closing)
    return None if head is None else entry_from(closing, head, is_closed=True)


def summed_entry(path: Path) -> LedgerEntry | UnreadLedger:
    """Return the entry of a ledger from its records, or why it cannot be read.

    Args:
        path: The file.
    """
    try:
        contents, remark = read_quietly(path)
    except LedgerError as reason:
        return UnreadLedger(str(reason), lasts=not isinstance(reason.__cause__, OSError))
    return entry_from_records(contents, contents.history, remark)


def entry_from_records(contents: LedgerContents, history: History, remark: str | None = None) -> LedgerEntry:
    """Return the entry of a ledger that was read in full.

    Args:
        contents: Its contents.
        history: The records that count.
        remark: Sentences about damaged lines that were skipped. Defaults to None, if there are none.
    """
    closing = closing_of(
        contents.run_id, history, monitor=contents.monitor, mode=contents.mode, stop_reason=contents.stop_reason
    )
    return entry_from(closing, contents.head, is_closed=contents.is_closed, remark=remark)


def entry_from(closing: Closing, head: Head, *, is_closed: bool, remark: str | None = None) -> LedgerEntry:
    """Return an entry, without anything that is large.

    Args:
        closing: The totals.
        head: The head of the last session.
        is_closed: Whether the run was closed.
        remark: Sentences about damaged lines that were skipped. Defaults to None, if there are none.
    """
    best = few_digits(closing.front[-1].value) if closing.front and closing.front[-1].value is not None else None
    return LedgerEntry(
        # What a closing line leaves out or rounds must not depend on how the ledger was read.
        closing=replace(closing, front=(), curve=(), is_uniform=False, head_offset=None),
        head=replace(head, plan=Plan(), devices={}, versions={}),
        is_closed=is_closed,
        best=best if isinstance(best, float) else None,
        remark=remark,
    )
