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
"""How long training waits at an edge for all sensors together, in s; with what else an edge takes, 50 ms."""
SETTLED_SECONDS: Final = 3.0
"""How long a window waits for a refresh of all counters, in s: the slowest known refresh about once a second."""
LATE: Final = f"no answer within {EDGE_SECONDS * 1e3:.0f} ms"
"""What a reading says for a reason whose source did not answer in time."""
_FIRST_SHARE: Final = 0.6
"""Part of a wait after which the source at hand is left behind, so that those after it are still read in time."""
_QUICK_SECONDS: Final = 0.02
"""A source that was left behind is waited for again once it has answered within this time, in s."""

_STARVED_SECONDS: Final = 1e-3
"""A wait that ends this much too late, in s, says that the interpreter or the machine is busy with others."""
_PATIENT_SECONDS: Final = 0.5
"""How much longer is waited then, in s: a hundred turns of the interpreter's 5 ms."""


class Awaited(Protocol):
    """A lock that is had once something has been done."""

    def acquire(self, *, timeout: float) -> bool:
        """Wait for it; return whether it was had in time."""
        ...


class Answer(NamedTuple):
    """What a source answered last.

    Attributes:
        seconds: Monotonic time at which it was asked, in s.
        readings: Its readings by device.
    """

    seconds: float
    readings: Mapping[str, Reading]


class Readers:
    """Asks every source at an edge, and never waits for one that hangs.

    Sources that only look at memory are read on the thread that asks. The others are read on a thread of their own,
    one after the other. One that does not answer in time is left behind on that thread, and those after it get
    another. Until it answers again its last answer stands.

    Args:
        clock: The clock of the run.
        threads: What starts threads.
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
        """Take sources that are open."""
        added = list(sources)
        self._trusted.update(filter(_is_tested, added))
        self._instant += tuple(source for source in added if _is_instant(source))
        rest = tuple(source for source in added if not _is_instant(source))
        if rest:
            self._lanes += (self._new_lane(rest),)

    def drop(self, source: EnergySource) -> None:
        """Read a source no more."""
        self._instant = tuple(each for each in self._instant if each is not source)
        for lane in self._lanes:
            lane.sources = tuple(each for each in lane.sources if each is not source)
        self.answers.pop(source, None)

    def read(self, seconds_limit: float = EDGE_SECONDS, *, settled: bool = False) -> None:
        """Ask every source, and wait for the answers.

        Args:
            seconds_limit: How long to wait for all of them, in s. A source that is known to be slow is asked, and not
                waited for.
            settled: Whether to wait for a refresh of each counter.
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
        """Have all lanes read; return those to wait for, each with what can be acquired once it is read."""
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
        # One that hangs since an edge before has kept all the others from being read at this one.
        answered = self._ask(others, unread if was_asked else others.sources, settled=settled)
        if answered is not None:
            answered.acquire(timeout=max(0.0, until - time.monotonic()))

    def raise_failure(self) -> None:
        """Raise what a source has raised since the last call, if any has.

        Raises:
            Exception: It.
        """
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def refresh_slow(self) -> None:
        """Ask the sources that are known to be slow, so that their last answer does not grow old."""
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
        """Have sources of a lane read; return what can be acquired once they are, None while the lane is busy."""
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
        """Leave the source at hand on its thread; return a lane for the others, and those of them not yet read."""
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
        # A source may be the user's own, or break its promise not to raise: training must not end by that. Nothing is
        # hidden: it is said once, and the readings of its devices tell the reason until it answers.
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
        is_slow: Whether it did not answer in time, so that nobody waits for it.
        answered_seconds: When all of them had answered last, in monotonic seconds.
        lively_seconds: How long after that they may be read on the thread that asks, in s.
    """

    def __init__(self, sources: tuple[EnergySource, ...], thread: CallThread) -> None:
        self.sources = sources
        self.thread = thread
        self.at: EnergySource | None = None
        self.is_slow = False
        self.answered_seconds = -inf
        self.lively_seconds = min((source.lively_seconds for source in sources), default=0.0)


def name_of(source: EnergySource) -> str:
    """Return how to call a source in a message, e.g. ``NvmlSource``."""
    return type(source).__name__


def _is_instant(source: EnergySource) -> bool:
    """Tell whether to read a source on the thread that asks: only if whoever wrote its ``read`` says so.

    A subclass that reads in its own way does not inherit the promise.
    """
    if "read" in vars(source):
        return False
    owner = next((kind for kind in type(source).__mro__ if "read" in vars(kind)), None)
    return owner is not None and vars(owner).get("is_instant", False) is True


def _is_tested(source: EnergySource) -> bool:
    """Tell whether the readings of a source need not be checked: those of our sensors are, by our tests."""
    return type(source).__module__.startswith(f"{EnergySource.__module__.rpartition('.')[0]}.") and not _is_instant(
        source
    )


def _waits(source: EnergySource) -> bool:
    """Tell whether a source that is read in an instant waits where a settled reading is asked for."""
    return type(source).read_settled is not EnergySource.read_settled


def comes(done: Awaited, seconds: float) -> bool:
    """Wait for an answer; longer where it is not the sensor that is late, but this very thread.

    Threads of Python wait for one another, and processes for a processor. Where this thread comes back late from a
    wait, so does the one that reads, and the sensor may have answered long ago.
    """
    until = time.monotonic() + seconds
    if done.acquire(timeout=seconds):
        return True
    return time.monotonic() - until > _STARVED_SECONDS and done.acquire(timeout=_PATIENT_SECONDS)


def _left(began: float, seconds_limit: float) -> float:
    return max(0.0, began + seconds_limit - time.monotonic())
