"""Reading all sources at one instant, within a time limit."""

import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from functools import partial
from math import inf
from typing import Final, NamedTuple, Protocol

from green_callbacks.call_threads import CallThread, Threads
from green_callbacks.clock import Clock
from green_callbacks.measurement.reading_checks import checked_readings
from green_callbacks.records import Reading
from green_callbacks.sources.base import EnergySource
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

EDGE_SECONDS: Final = 0.04
"""Longest time that training waits at an edge for all sensors together, in s. A whole edge then takes 50 ms."""
SETTLED_SECONDS: Final = 3.0
"""Longest time that a window waits for a refresh of all counters, in s. The slowest known ones need a second."""
LATE: Final = f"no answer within {EDGE_SECONDS * 1e3:.0f} ms"
"""The reason in a reading whose source did not answer in time."""
_FIRST_SHARE: Final = 0.6
"""Share of a wait after which a hanging source is left behind, so that the next sources are read in time."""
_QUICK_SECONDS: Final = 0.02
"""Duration of a read, in s, below which a source that was left behind is waited for again."""

_STARVED_SECONDS: Final = 1e-3
"""Lateness of a wait, in s, which shows that the interpreter or the machine is busy with other work."""
_PATIENT_SECONDS: Final = 0.5
"""Additional wait on a busy machine, in s. It is a hundred turns of the interpreter's 5 ms."""


class Awaited(Protocol):
    """A lock that can be acquired once some work is done."""

    def acquire(self, *, timeout: float) -> bool:
        """Wait for the lock. Return whether it was acquired in time."""
        ...


class Answer(NamedTuple):
    """The last answer of a source.

    Attributes:
        seconds: Monotonic time at which it was asked, in s.
        readings: Its readings by device.
    """

    seconds: float
    readings: Mapping[str, Reading]


class Readers:
    """Asks every source at an edge, and never waits for a source that hangs.

    Sources that answer from memory are read on the calling thread. The others are read on a thread of their own, one
    after the other. A source that does not answer in time is left behind on that thread, and the sources after it get
    another thread. Its last answer holds until it answers again.

    Args:
        clock: The clock of the run.
        threads: Starts threads.
    """

    def __init__(self, clock: Clock, threads: Threads) -> None:
        self.answers: dict[EnergySource, Answer] = {}
        """The last answer of every source that has answered."""
        self._failure: Exception | SystemExit | None = None
        self._clock = clock
        self._threads = threads
        self._instant: tuple[EnergySource, ...] = ()
        self._lanes: tuple[_Lane, ...] = ()
        self._settling: _Lane | None = None
        self._failed: set[EnergySource] = set()
        self._said: set[EnergySource] = set()
        self._trusted: set[EnergySource] = set()

    def add(self, sources: Iterable[EnergySource]) -> None:
        """Add open sources."""
        added = list(sources)
        self._trusted.update(filter(_is_tested, added))
        self._instant += tuple(source for source in added if _is_instant(source))
        rest = tuple(source for source in added if not _is_instant(source))
        if rest:
            self._lanes += (self._new_lane(rest),)

    def drop(self, source: EnergySource) -> None:
        """Stop reading a source."""
        self._instant = tuple(each for each in self._instant if each is not source)
        for lane in self._lanes:
            lane.sources = tuple(each for each in lane.sources if each is not source)
        self.answers.pop(source, None)

    def read(self, seconds_limit: float = EDGE_SECONDS, *, settled: bool = False) -> None:
        """Ask every source, and wait for the answers.

        Args:
            seconds_limit: Longest time to wait for all of them, in s. A source that is known to be slow is asked, but
                not waited for. Defaults to :data:`EDGE_SECONDS`.
            settled: Whether to wait for a refresh of each counter. Defaults to False.
        """
        began = time.monotonic()
        asked = self._ask_all(began, settled=settled)
        for source in self._instant:
            if not (settled and _waits(source)):
                self._read(source, settled=settled)
        for lane, done in asked:
            if not lane.is_slow and not (done and comes(done, _left(began, _FIRST_SHARE * seconds_limit))):
                self._go_on_without(lane, done is not None, began + seconds_limit, settled=settled)

    def _ask_all(self, began: float, *, settled: bool) -> list[tuple["_Lane", "threading.Lock | None"]]:
        """Read all lanes. Return the lanes to wait for, each with a lock that is free once it is read."""
        asked = []
        for lane in self._lanes:
            if not settled and began - lane.answered_seconds < lane.lively_seconds and not lane.thread.is_busy:
                self._read_lane(lane, lane.sources, settled=False)
            elif lane.sources:
                asked.append((lane, self._ask(lane, lane.sources, settled=settled)))
        if settled and any(map(_waits, self._instant)):
            lane = self._settling = self._settling or self._new_lane(tuple(filter(_waits, self._instant)))
            asked.append((lane, self._ask(lane, lane.sources, settled=True)))
        return asked

    def _go_on_without(self, lane: "_Lane", was_asked: bool, until: float, *, settled: bool) -> None:  # noqa: FBT001
        """Leave behind the source that hangs, and wait for the others of its lane."""
        others, unread = self._leave_behind(lane)
        if others is None:
            return
        # A source that hangs since an earlier edge has kept the others from being read at this edge.
        answered = self._ask(others, unread if was_asked else others.sources, settled=settled)
        if answered is not None:
            answered.acquire(timeout=max(0.0, until - time.monotonic()))

    def raise_failure(self) -> None:
        """Raise what a source has raised since the last call, if any has.

        Raises:
            Exception: The last failure of a source.
        """
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def refresh_slow(self) -> None:
        """Ask the sources that are known to be slow, so that their last answer stays fresh."""
        for lane in self._lanes:
            if lane.is_slow:
                self._ask(lane, lane.sources, settled=False)

    def close(self) -> None:
        """End the threads, without waiting for a source that hangs."""
        lanes, self._lanes, self._instant = self._lanes, (), ()
        if self._settling is not None:
            lanes, self._settling = (*lanes, self._settling), None
        for lane in lanes:
            lane.sources = ()
            lane.thread.stop()
        for lane in lanes:
            if not lane.is_slow:
                lane.thread.join(EDGE_SECONDS)
        self.answers.clear()

    def _new_lane(self, sources: tuple[EnergySource, ...]) -> "_Lane":
        thread = CallThread("green_callbacks reader")
        thread.start(self._threads)
        weakref.finalize(self, thread.stop).atexit = False  # a meter that is dropped leaves no thread behind
        return _Lane(sources, thread)

    def _ask(self, lane: "_Lane", sources: tuple[EnergySource, ...], *, settled: bool) -> "threading.Lock | None":
        """Read sources of a lane. Return a lock that is free once they are read, or None while the lane is busy."""
        if lane.thread.is_busy:
            return None
        return lane.thread.ask(partial(self._read_lane, lane, sources, settled=settled))

    def _read_lane(self, lane: "_Lane", sources: tuple[EnergySource, ...], *, settled: bool) -> None:
        began = time.monotonic()
        for source in sources:
            if source in lane.sources:  # not given to another lane meanwhile
                lane.at = source
                self._read(source, settled=settled)
        lane.at = None
        lane.answered_seconds = time.monotonic()
        if lane.is_slow and lane.answered_seconds - began < _QUICK_SECONDS:
            lane.is_slow = False

    def _leave_behind(self, lane: "_Lane") -> tuple["_Lane | None", tuple[EnergySource, ...]]:
        """Leave a hanging source on its thread. Return a lane for the other sources, and the unread ones among them."""
        late, sources = lane.at, lane.sources
        if late is None or late not in sources:
            return None, ()
        unread = sources[sources.index(late) + 1 :]
        lane.sources, lane.is_slow = (late,), True
        if late not in self._said:
            self._said.add(late)
            logger.warning(
                "%s did not answer in time. Epochs end without it, and its energy is missing until it answers. "
                "Look at the sensor and its driver.",
                name_of(late),
            )
        if len(sources) == 1:
            return None, ()
        others = self._new_lane(tuple(source for source in sources if source is not late))
        self._lanes += (others,)
        return others, unread

    def _read(self, source: EnergySource, *, settled: bool) -> None:
        seconds = self._clock.monotonic()
        try:
            readings = source.read_settled() if settled else source.read()
            if source not in self._trusted:
                readings = checked_readings(readings)
        # A source may be the user's own, or break its promise not to raise, which must not end training. The failure
        # is logged once, and the readings of its devices hold the reason until it answers.
        except (Exception, SystemExit) as failure:
            self._failure = failure
            if source not in self._failed:
                self._failed.add(source)
                logger.exception("%s cannot be read. Its energy is missing until it can.", name_of(source))
            return
        self.answers[source] = Answer(seconds, readings)


class _Lane:
    """Sources that are read one after the other on one thread.

    Attributes:
        sources: The sources.
        thread: The thread.
        at: The source that is being read, or None between two edges.
        is_slow: Whether a source did not answer in time, so that nobody waits for the lane.
        answered_seconds: Monotonic time of the last answer of all sources, in s.
        lively_seconds: Time after that, in s, within which the calling thread may read the sources.
    """

    def __init__(self, sources: tuple[EnergySource, ...], thread: CallThread) -> None:
        self.sources = sources
        self.thread = thread
        self.at: EnergySource | None = None
        self.is_slow = False
        self.answered_seconds = -inf
        self.lively_seconds = min((source.lively_seconds for source in sources), default=0.0)


def name_of(source: EnergySource) -> str:
    """Return the name of a source in a message, such as ``NvmlSource``."""
    return type(source).__name__


def _is_instant(source: EnergySource) -> bool:
    """Return whether a source may be read on the calling thread, because the author of its ``read`` declares it.

    A subclass with its own ``read`` does not inherit the declaration.
    """
    if "read" in vars(source):
        return False
    owner = next((kind for kind in type(source).__mro__ if "read" in vars(kind)), None)
    return owner is not None and vars(owner).get("is_instant", False) is True


def _is_tested(source: EnergySource) -> bool:
    """Return whether the readings of a source need no checks, because tests of this package cover it."""
    return type(source).__module__.startswith(f"{EnergySource.__module__.rpartition('.')[0]}.") and not _is_instant(
        source
    )


def _waits(source: EnergySource) -> bool:
    """Return whether a source waits for a settled reading, although its other readings take no time."""
    return type(source).read_settled is not EnergySource.read_settled


def comes(done: Awaited, seconds: float) -> bool:
    """Return whether an answer came in time. Waits longer if this thread itself is late.

    Threads of Python wait for one another, and processes for a processor. If this thread returns late from its wait,
    the reading thread is late too, although the sensor may have answered long ago.
    """
    until = time.monotonic() + seconds
    if done.acquire(timeout=seconds):
        return True
    return time.monotonic() - until > _STARVED_SECONDS and done.acquire(timeout=_PATIENT_SECONDS)


def _left(began: float, seconds_limit: float) -> float:
    return max(0.0, began + seconds_limit - time.monotonic())
