"""Keeps the runs of a folder for a page, and follows them while they grow."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from green_callbacks.ledger import shown
from green_callbacks.ledger.followed_ledger import FollowedLedger
from green_callbacks.ledger.overview import LedgerOverview
from green_callbacks.ledger.quick_overview import quick_overview
from green_callbacks.page.finding import FoundLedger, LedgerFinder, Search, Stamp
from green_callbacks.page.row import moment
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_PAUSE_SECONDS: Final = 1.0
"""Shortest time between the end of one search and the next, in s. A page that asks often costs no more than this."""

_PAUSE_SHARE: Final = 3.0
"""The same time as a multiple of the time that a search takes. So there is time to read between searches."""

_SLOW_SECONDS: Final = 10.0
"""Time at one file or folder after which people are told, in s. Reading 1,000,000 epochs takes longer."""

_HELD_SECONDS: Final = 2.0
"""Longest time that the reading of ledgers waits for an answer to a page, in s. An answer takes 0.5 s at 1,000 runs."""

_NS_PER_SECOND: Final = 1e9
"""Nanoseconds in a second."""

_NAMED: Final = 2
"""Number of unreadable ledgers whose reasons are told before the others are only counted. More would fill the page."""


@dataclass(frozen=True, slots=True)
class CollectedRun:
    """A ledger of the folder, and the run in it.

    Attributes:
        found: The ledger.
        overview: The run. None until it is read.
        problem: Why the ledger cannot be read. None for a readable ledger.
        is_read: Whether the ledger was read, with success or not.
    """

    found: FoundLedger
    overview: LedgerOverview | None = None
    problem: str | None = None
    is_read: bool = False

    @property
    def run_id(self) -> str:
        """Name of the run that the ledger states. Before it is read, the name of the file."""
        stated = self.overview.head.run_id if self.overview is not None else ""
        return stated or self.found.path.stem

    @property
    def seen_at(self) -> datetime:
        """Time of the last write."""
        return moment(self.found.stamp.written_ns / _NS_PER_SECOND)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The runs of a folder at one moment.

    Attributes:
        runs: The runs whose ledgers are readable or not yet read, newest first.
        read: Number of ledgers that were read, or found to be unreadable.
        of: Number of ledgers that were found. Before the first search ends, at least 1, so that ``read`` is less.
        said: Sentences about everything that is missing.
        is_searched: Whether the folder was searched at least once.
        version: Number that changes whenever the runs change.
    """

    runs: Sequence[CollectedRun]
    read: int
    of: int
    said: Sequence[str]
    is_searched: bool
    version: int


class _Busy(NamedTuple):
    since: float
    place: Path


class Collection:
    """The runs of a folder. They are read by one thread, which ends when there is nothing left to read.

    A page gets whatever is known at once, and asks again until all ledgers are read. So a disk that hangs delays nobody
    for longer than the time that the page allows. Newer ledgers are read before older ledgers, and closed runs, whose
    last line has the totals, before runs whose records must be summed.

    Args:
        folder: The folder, which is searched with all folders below it.
        clock: Returns a time in s that never goes back. Defaults to ``time.monotonic``.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Collection(Path(folder)).read_all().of
        0
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._clock = clock
        self._finder = LedgerFinder(folder)
        self._followed: dict[str, FollowedLedger] = {}  # of the working thread alone
        self._needs_records: set[Stamp] = set()  # of the working thread alone
        self._changed = threading.Condition()
        # All that follows is guarded by the lock of the condition.
        self._runs: dict[str, CollectedRun] = {}
        self._said: Sequence[str] = ()
        self._busy: _Busy | None = None
        self._searched_at: float | None = None
        self._pause_seconds = _PAUSE_SECONDS
        self._must_search = self._must_read = self._is_working = self._has_found = False
        self._holders = 0
        self._version = 0

    def holds_any(self, wait_seconds: float) -> bool:
        """Return whether the folder holds a ledger. The totals of closed runs are read meanwhile, and no records.

        Args:
            wait_seconds: Longest time to wait for the search, in s.
        """
        with self._changed:
            if not self._has_found:
                self._ask(reads=False)
                self._changed.wait_for(lambda: self._has_found or not self._is_working, wait_seconds)
            return self._has_found

    def look(self, wait_seconds: float) -> Snapshot:
        """Return all known runs. Search the folder again and read its news, unless the last search is recent.

        Args:
            wait_seconds: Longest time to wait for the news, in s.
        """
        with self._changed:
            self._ask(reads=True)
            self._changed.wait_for(lambda: not self._is_working, wait_seconds)
            return self._snapshot()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the reading of ledgers wait for a short time, so that an answer to a page is ready sooner."""
        with self._changed:
            self._holders += 1
        try:
            yield
        finally:
            with self._changed:
                self._holders -= 1
                self._changed.notify_all()

    def read_all(self) -> Snapshot:
        """Search the folder and read all news, however long it takes. Starts no thread."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_working)
            self._must_search = self._must_read = self._is_working = True
        self._work()
        with self._changed:
            return self._snapshot()

    def find(self, key: str) -> CollectedRun | None:
        """Return the run with a key. None if there is no such run.

        Args:
            key: Key of the ledger.
        """
        with self._changed:
            return self._runs.get(key)

    @property
    def is_searched(self) -> bool:
        """Whether the folder was searched at least once."""
        return self._searched_at is not None

    @property
    def is_empty(self) -> bool:
        """Whether the folder was searched, and holds no ledger."""
        with self._changed:
            return self.is_searched and not self._runs

    def _ask(self, *, reads: bool) -> None:
        """Ask for a search, and for reading its results. The lock is held."""
        if self._searched_at is None or self._clock() - self._searched_at >= self._pause_seconds:
            self._must_search = True
        if reads and (self._must_search or any(not run.is_read for run in self._runs.values())):
            self._must_read = True
        if self._is_working or not (self._must_search or self._must_read):
            return
        self._is_working = True
        try:
            threading.Thread(target=self._work, name="green_callbacks page", daemon=True).start()
        except RuntimeError:  # the system allows no more threads
            self._changed.release()
            try:
                self._work()
            finally:
                self._changed.acquire()

    def _work(self) -> None:
        """Search and read until nothing is left to do."""
        try:
            while self._next_task():
                pass
        finally:
            with self._changed:
                self._is_working, self._busy = False, None
                self._changed.notify_all()

    def _next_task(self) -> bool:
        with self._changed:
            searches, self._must_search = self._must_search, False
            reads, self._must_read = self._must_read and not searches, self._must_read and searches
            if not (searches or reads):
                self._is_working = False  # in one step with the look at the tasks, so that none is lost
                return False
        if searches:
            self._search()
            self._glance()
        else:
            self._read()
        return True

    def _search(self) -> None:
        self._at(self.folder)
        begun_at = self._clock()
        search = self._finder.find(self._find_first)
        with self._changed:
            self._take(search)
            self._searched_at = self._clock()
            self._pause_seconds = max(_PAUSE_SECONDS, _PAUSE_SHARE * (self._searched_at - begun_at))
            self._changed.notify_all()
        self._needs_records &= {ledger.stamp for ledger in search.ledgers}
        for key in self._followed.keys() - {ledger.key for ledger in search.ledgers}:
            del self._followed[key]

    def _find_first(self) -> None:
        if not self._has_found:
            with self._changed:
                self._has_found = True
                self._changed.notify_all()

    def _take(self, search: Search) -> None:
        """Drop vanished ledgers, and mark new and changed ledgers as not read. The lock is held."""
        runs: dict[str, CollectedRun] = {}
        for found in sorted(search.ledgers, key=_newest_first):
            run = self._runs.get(found.key)
            if run is None:
                runs[found.key] = CollectedRun(found)
            elif run.found.stamp == found.stamp:
                runs[found.key] = run
            else:  # the older state is shown until the newer state is read
                runs[found.key] = CollectedRun(found, run.overview, run.problem)
        if list(runs.items()) != list(self._runs.items()) or tuple(search.said) != self._said:
            self._version += 1
        self._runs, self._said = runs, tuple(search.said)

    def _glance(self) -> list[FoundLedger]:
        """Read all new closed runs by their last lines. Return the ledgers whose records must be read."""
        with self._changed:
            waiting = [run.found for run in self._runs.values() if not run.is_read]
        return [found for found in waiting if not self._done(self._read_quickly, found)]

    def _read(self) -> None:
        with self._changed:
            resting = [run.found for run in self._runs.values() if run.is_read and self._keeps_records(run)]
        for found in resting:  # so that a torn last line counts in the end, and records are dropped
            self._done(self._rest, found)
        for found in self._glance():
            if self._must_search:  # news first, and the others after them
                with self._changed:
                    self._must_read = True
                return
            self._done(self._read_fully, found)

    def _done(self, read: Callable[[FoundLedger], bool], found: FoundLedger) -> bool:
        if self._holders:
            with self._changed:
                self._changed.wait_for(lambda: not self._holders, _HELD_SECONDS)
        self._at(found.path)
        try:
            return read(found)
        except Exception as fault:
            logger.exception("%s cannot be read.", found.path)
            problem = (
                f"{shown(found.path)} is not shown because of a fault of this package ({type(fault).__name__}). Please "
                "report it with the file."
            )
            self._put(CollectedRun(found, None, problem, is_read=True))
            return True

    def _read_quickly(self, found: FoundLedger) -> bool:
        """Read the totals in the last line of a closed run. Return False if there is no such line."""
        if found.key in self._followed or found.stamp in self._needs_records:
            return False
        overview = quick_overview(found.path)
        if overview is None:
            self._needs_records.add(found.stamp)
            return False
        self._put(CollectedRun(found, overview, is_read=True))
        return True

    def _read_fully(self, found: FoundLedger) -> bool:
        followed = self._followed.setdefault(found.key, FollowedLedger(found.path))
        followed.refresh()
        self._put(CollectedRun(found, followed.overview, followed.problem, is_read=True))
        return True

    def _keeps_records(self, run: CollectedRun) -> bool:
        followed = self._followed.get(run.found.key)
        return followed is not None and followed.keeps_records

    def _rest(self, found: FoundLedger) -> bool:
        return self._followed[found.key].refresh() and self._read_fully(found)

    def _put(self, run: CollectedRun) -> None:
        with self._changed:
            if run.found.key in self._runs:
                self._runs[run.found.key] = run
                self._version += 1

    def _at(self, place: Path) -> None:
        self._busy = _Busy(self._clock(), place)

    def _snapshot(self) -> Snapshot:
        """Return all known runs. The lock is held."""
        runs = list(self._runs.values())
        return Snapshot(
            runs=tuple(run for run in runs if run.problem is None),
            read=sum(run.is_read for run in runs),
            of=max(len(runs), 0 if self.is_searched else 1),
            said=(*self._said, *_unreadable(runs), *self._slow()),
            is_searched=self.is_searched,
            version=self._version,
        )

    def _slow(self) -> Iterable[str]:
        if self._busy is not None and self._clock() - self._busy.since > _SLOW_SECONDS:
            seconds = self._clock() - self._busy.since
            yield (
                f"{shown(self._busy.place)} has been read for {seconds:.0f} s, so newer states are not shown yet. The "
                "file is very long, or its disk does not answer."
            )


def _newest_first(found: FoundLedger) -> tuple[int, str]:
    return -found.stamp.written_ns, found.relative


def _unreadable(runs: Iterable[CollectedRun]) -> Iterable[str]:
    problems = [run.problem for run in runs if run.problem is not None]
    yield from problems[:_NAMED]
    if (more := len(problems) - _NAMED) > 0:
        yield f"{more} other ledgers cannot be read either." if more > 1 else "1 other ledger cannot be read either."
