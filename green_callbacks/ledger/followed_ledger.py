"""Follows a ledger that may still grow, and keeps its overview up to date.

A closed run is overviewed from the two ends of its file. Any other ledger is read from the beginning, and its records
are dropped once the overview is made, because thousands of ledgers may lie in a folder. Only a ledger that was seen to
grow keeps its records, so that the next look reads no more than the new lines. All ledgers together keep a bounded
number of records.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import FileIO
from os import fstat, stat, stat_result
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Final, NamedTuple, Self
from weakref import ref

from green_callbacks.errors import LedgerError
from green_callbacks.ledger._line_replay import LineReplay
from green_callbacks.ledger.ledger_files import bounded_lines, opened
from green_callbacks.ledger.overview import LedgerOverview, overview_of
from green_callbacks.ledger.quick_overview import quick_overview

KEPT_SECONDS: Final = 600.0
"""Time without growth after which records are dropped, in s. A running run writes a heartbeat once a minute."""

MAX_KEPT_ROWS: Final = 500_000
"""Number of records of three devices that are kept for all growing ledgers together.

By experiment, such a record takes 235 bytes, so these take about 120 MB. A record of more devices counts for several.
"""

_USUAL_DEVICES: Final = 3
"""Number of devices of a record that counts once."""

_MARK_BYTES: Final = 256
"""Number of bytes before the place of reading that are compared. By convention, about as long as a line.

A file that was written again in place differs there.
"""


class _Seen(NamedTuple):
    """The state of a file. A file in the same state has the same content."""

    device: int
    inode: int
    size: int
    written_ns: int
    changed_ns: int

    @classmethod
    def of(cls, status: stat_result) -> Self:
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def has_grown_from(self, before: "_Seen | None") -> bool:
        return before is not None and self[:2] == before[:2] and self.size > before.size


@dataclass(slots=True)
class _Reading:
    """A ledger that was read up to some place.

    Attributes:
        replay: Its lines so far.
        offset: End of the last whole line, in bytes.
        mark: The bytes before that place.
        has_tail: Whether a line without a line break follows, which may still be written.
    """

    replay: LineReplay
    offset: int = 0
    mark: bytes = b""
    has_tail: bool = False

    def is_continued_by(self, file: FileIO) -> bool:
        """Return whether the bytes before the place of reading are unchanged. Leaves the file at that place."""
        file.seek(self.offset - len(self.mark))
        return file.read(len(self.mark)) == self.mark

    def read_on(self, file: FileIO, *, is_torn: bool) -> None:
        """Read the lines from the place of reading on.

        Args:
            file: The file, at the place of reading.
            is_torn: Whether a last line without a line break counts. It cannot be continued then.

        Raises:
            LedgerError: The lines are not those of a ledger.
        """
        for line in bounded_lines(file, is_torn=is_torn):
            self.replay.take(line)
            self.offset += 1 + (line if isinstance(line, int) else len(line))
        end = file.tell()
        self.has_tail = end > self.offset
        file.seek(max(0, min(self.offset, end) - _MARK_BYTES))
        self.mark = file.read(min(self.offset, _MARK_BYTES))


class FollowedLedger:
    """A ledger that may still grow.

    A last line without a line break waits for the rest of it. It counts as a damaged line once the file has stopped
    growing, as it does for :func:`green_callbacks.ledger.read_ledger`.

    Args:
        path: The file.
        now: Returns a time in s, to drop the records of a ledger that no longer grows. Defaults to the clock of the
            system.

    Example:
        >>> from green_callbacks.ledger import FollowedLedger
        >>> followed = FollowedLedger("no-such-file.jsonl")
        >>> followed.refresh(), followed.overview, followed.problem is None
        (True, None, False)
    """

    def __init__(self, path: str | Path, now: Callable[[], float] = monotonic) -> None:
        self.path = Path(path)
        self.overview: LedgerOverview | None = None
        """The run at the last refresh. None before it, and where the file cannot be read."""
        self.problem: str | None = None
        """Why the file cannot be read, in a sentence. None if it can."""
        self._now = now
        self._seen: _Seen | None = None
        self._reading: _Reading | None = None
        self._grew_at_seconds = 0.0
        self._is_unreadable = False

    @property
    def keeps_records(self) -> bool:
        """Whether the records are kept in memory, because the ledger was seen to grow."""
        return self._reading is not None

    @property
    def kept_rows(self) -> int:
        """Number of records that are kept in memory. Many devices in a record count as more records."""
        reading = self._reading
        if reading is None:
            return 0
        return max(len(reading.replay.history), reading.replay.device_numbers // _USUAL_DEVICES)

    def drop_records(self) -> None:
        """Drop the records from memory. The next change of the file is read from its beginning."""
        self._reading = None

    def refresh(self) -> bool:
        """Read what has changed since the last call. Raises nothing that the file could cause.

        Returns:
            Whether :attr:`overview` or :attr:`problem` has changed.
        """
        before = (self.overview, self.problem)
        try:
            seen = _Seen.of(stat(self.path))  # noqa: PTH116  runs for each of many ledgers
        except (OSError, ValueError):
            seen = None
        if seen is None or seen != self._seen or self._is_unreadable:
            self._look(seen)
        elif self._reading is not None:
            self._rest(self._reading)
        return (self.overview, self.problem) != before

    def _look(self, seen: _Seen | None) -> None:
        has_grown = seen is not None and seen.has_grown_from(self._seen)
        try:
            self._read(has_grown=has_grown)
        except LedgerError as reason:
            self.overview, self.problem, self._reading = None, str(reason), None
            self._seen, self._is_unreadable = seen, isinstance(reason.__cause__, OSError)
        else:
            self.problem, self._is_unreadable = None, False

    def _read(self, *, has_grown: bool) -> None:
        if not (has_grown and self._reading) and (quick := self._quick()) is not None:
            self.overview, self._reading = quick, None
            return
        with opened(self.path) as file:
            seen = _Seen.of(fstat(file.fileno()))
            reading = self._reading
            if reading is None or not seen.has_grown_from(self._seen) or not reading.is_continued_by(file):
                file.seek(0)
                reading = _Reading(LineReplay(self.path))
            reading.read_on(file, is_torn=not has_grown)
        self._seen = seen
        self._show(reading)
        is_done = self._is_closed and not reading.has_tail
        self._keep(reading if has_grown and not is_done else None)

    def _quick(self) -> LedgerOverview | None:
        try:
            seen = _Seen.of(stat(self.path))  # noqa: PTH116  runs for each of many ledgers
        except (OSError, ValueError):
            return None
        quick = quick_overview(self.path)
        if quick is not None:
            self._seen = seen
        return quick

    def _show(self, reading: _Reading) -> None:
        contents = reading.replay.contents()
        self.overview = overview_of(self.path, contents, reading.replay.remark())

    @property
    def _is_closed(self) -> bool:
        return self.overview is not None and self.overview.is_closed

    def _keep(self, reading: _Reading | None) -> None:
        self._reading, self._grew_at_seconds = reading, self._now()
        if reading is not None:
            _SHARED.add(self)

    def _rest(self, reading: _Reading) -> None:
        """Finish the reading of a file that has not changed since the last call."""
        if reading.has_tail:
            self._reading = None
            self._look(self._seen)
        elif self._now() - self._grew_at_seconds > KEPT_SECONDS:
            self._reading = None


class KeptRecords:
    """The records in memory of many ledgers. The ledger whose last growth is longest ago loses its records first.

    Args:
        most: Largest number of records to keep. The ledger that grew last may have more.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._ledgers: list[ref[FollowedLedger]] = []

    def add(self, ledger: "FollowedLedger") -> None:
        """Make room for the records of a ledger that has just grown.

        Args:
            ledger: The ledger. It is forgotten when nobody else uses it.
        """
        with self._lock:
            others = [each for found in self._ledgers if (each := found()) is not None and each is not ledger]
            left, stay = self._most - ledger.kept_rows, [ledger]
            for other in reversed(others):
                left -= other.kept_rows
                if left < 0:
                    other.drop_records()
                elif other.kept_rows:
                    stay.append(other)
            self._ledgers = [ref(each) for each in reversed(stay)]


_SHARED: Final = KeptRecords(MAX_KEPT_ROWS)
"""The records of all followed ledgers of this process."""
