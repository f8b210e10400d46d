"""Cumulative counters in, laps out."""

import threading
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import partial
from math import hypot, sqrt
from typing import Final, NamedTuple

from green_callbacks.calls import CallThread, Threads, call_once
from green_callbacks.clock import Clock, SystemClock
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.readers import EDGE_SECONDS, SETTLED_SECONDS, Readers, name_of
from green_callbacks.records import DeviceEnergy, DeviceInfo, Reading
from green_callbacks.sources.base import EnergySource
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

OPEN_SECONDS: Final = 20.0
"""How long training waits at the start for one source to be found, in s: a driver that must wake takes some."""
CLOSE_SECONDS: Final = 0.2
"""How long anybody waits for all sources to let go, in s; one that hangs is left to itself."""
_UNMEASURED_SHARE: Final = 1 - 1e-9
_LATE: Final = f"no answer within {EDGE_SECONDS * 1e3:.0f} ms"
_PEAK: Final = 5.0
"""No stretch of a run draws more than so many times its mean power for long: NVIDIA's GPUs idle at 10 to 20 % of it."""
_BRIEF_SECONDS: Final = 1e-3
"""A silence shorter than this is none: two edges as close as that are one."""


class Tally(NamedTuple):
    """The energy of one device since the meter was opened, whatever its counter did meanwhile.

    Attributes:
        joules: Energy in J; never falls.
        reading: The last reading, with its bounds and labels.
        resets: How often the counter began anew.
        answered_seconds: Monotonic time of the last answer, in s.
        silent_seconds: Part of the reading's gap that is the time since the last answer, in s, and that its source has
            not told of. Defaults to 0.
    """

    joules: float
    reading: Reading
    resets: int
    answered_seconds: float
    silent_seconds: float = 0.0


class Snapshot(NamedTuple):
    """All devices at one instant.

    Attributes:
        seconds: Monotonic time in s.
        when: Time of day, aware, in UTC.
        tallies: Tally by device.
    """

    seconds: float
    when: datetime
    tallies: Mapping[str, Tally]


class EnergyMeter:
    """Reads all sources together, and turns their counters into tallies that never fall.

    The energy between two snapshots is their difference, so consecutive laps share their boundary reading, and the
    sum of all laps is the last snapshot minus the first.

    Args:
        sources: Where joules come from.
        clock: The time; the machine's unless given.
    """

    def __init__(self, sources: Iterable[EnergySource], clock: Clock | None = None) -> None:
        self.sources = tuple(sources)
        self._clock = clock or SystemClock()
        # One that a signal handler may take again: it may close the run in the middle of a reading.
        self._lock = threading.RLock()
        self._threads = Threads()
        self._readers = Readers(self._clock, self._threads)
        self._is_strict = False
        self._open: tuple[EnergySource, ...] = ()
        self._tallies: dict[str, Tally] = {}
        self._owners: dict[str, EnergySource] = {}
        self._read_twice: set[str] = set()

    @property
    def threads(self) -> Threads:
        """What starts the threads of the run."""
        return self._threads

    def open(self, *, strict: bool = False) -> None:
        """Open every source; one that cannot be opened is left out with a warning.

        Args:
            strict: Raise instead of warning.

        Raises:
            SourceUnavailableError: A source cannot be opened, and ``strict``.
        """
        self._is_strict = strict
        opener = _Opener(self._threads)
        opened = []
        try:
            for source in self.sources:
                if self._opened(opener, source, strict=strict):
                    opened.append(source)  # noqa: PERF401  those that are open when one raises must be closed
        finally:
            opener.close()
            self._open += tuple(opened)
            self._readers.add(opened)

    @staticmethod
    def _opened(opener: "_Opener", source: EnergySource, *, strict: bool) -> bool:
        try:
            opener.open(source)
        except SourceUnavailableError as reason:
            if strict:
                raise
            logger.warning("%s", reason)
            return False
        return True

    @property
    def open_sources(self) -> tuple[EnergySource, ...]:
        """The sources that could be opened."""
        return self._open

    def warn_of_silent(self) -> None:
        """Name the open sources that have told of no device so far: who has no place at the start gets none later."""
        for source in self._open:
            if source not in self._readers.answers:
                logger.warning(
                    "%s has told of no device at the start, so what it measures is missing from the whole run. "
                    "Look at the sensor and its driver, and start again.",
                    name_of(source),
                )

    def infos(self) -> dict[str, DeviceInfo]:
        """Return what is known of the devices besides their energy."""
        infos: dict[str, DeviceInfo] = {}
        for source in self._open:
            try:
                infos |= source.describe()
            # A source may be the user's own: what it cannot tell is no reason to end training.
            except Exception:
                logger.exception("%s cannot describe its devices: the ledger names them by their energy alone.", source)
        return infos

    def read(self, *, settled: bool = False, patient: bool = False) -> Snapshot:
        """Read all devices.

        May be called from any thread. A source that does not answer in time keeps what it had, and its readings say
        so.

        Args:
            settled: Wait for a refresh of every counter, for the narrowest bounds; the snapshot is of the beginning.
            patient: Wait longer for a source that is slow, as at the start of a run, where its devices become known.

        Returns:
            The snapshot of this instant.
        """
        with self._lock:
            seconds, when = self._clock.monotonic(), self._clock.now()
            self._readers.read(
                OPEN_SECONDS if patient else SETTLED_SECONDS if settled else EDGE_SECONDS, settled=settled
            )
            if self._is_strict:
                self._readers.raise_failure()
            tallies = self._tallies.copy()
            answers = self._readers.answers
            told = 0
            for source in self._open:
                answer = answers.get(source)
                if answer is None:
                    continue
                late_seconds = seconds - answer.seconds
                for name, reading in answer.readings.items():
                    if self._owners.get(name) is source or self._counts(source, name):
                        tallies[name] = _tally(tallies.get(name), reading, seconds, max(0.0, late_seconds))
                        told += 1
            if told < len(tallies):
                self._keep_missing(tallies, seconds)
            self._tallies = tallies
            return Snapshot(seconds, when, tallies)

    def _keep_missing(self, tallies: dict[str, Tally], seconds: float) -> None:
        """Carry on the tallies of devices of which their source tells nothing any more."""
        answers = self._readers.answers
        for name, tally in tallies.items():
            owner = self._owners.get(name)
            answer = answers.get(owner) if owner else None
            if answer is None or name not in answer.readings:
                tallies[name] = _silent(tally, seconds, "its source tells nothing of it")

    def refresh_slow(self) -> None:
        """Ask the sources that did not answer in time, between two edges."""
        if self._lock.acquire(blocking=False):
            try:
                self._readers.refresh_slow()
            finally:
                self._lock.release()

    def _counts(self, source: EnergySource, name: str) -> bool:
        """Return whether a source is the one that counts for a device: the first that had it."""
        is_first = self._owners.setdefault(name, source) is source
        if not is_first and name not in self._read_twice:
            self._read_twice.add(name)
            logger.warning(
                "Two sources read %s: only the first counts. Leave one out, or name the devices apart.", name
            )
        return is_first

    def keep(self, devices: Collection[str]) -> None:
        """Close the sources of which no device counts here.

        Args:
            devices: The devices that do.
        """
        kept = set(devices)
        with self._lock:
            answers = self._readers.answers
            idle = [s for s in self._open if s in answers and not answers[s].readings.keys() & kept]
            for source in idle:
                self._readers.drop(source)
            self._open = tuple(source for source in self._open if source not in idle)
            self._let_go(idle)

    def close(self) -> None:
        """Close every source, and forget every device; safe to call again."""
        with self._lock:
            opened, self._open = self._open, ()
            self._readers.close()
            self._tallies, self._owners = {}, {}
            self._let_go(opened)

    def _let_go(self, sources: Iterable[EnergySource]) -> None:
        """Close sources; one that hangs is left to itself."""
        leaving = list(sources)
        if not leaving:
            return
        if not call_once(partial(_close_all, leaving), "green_callbacks closer", self._threads, CLOSE_SECONDS):
            logger.warning("%s did not let go of its sensor in time, and is left to itself.", name_of(leaving[0]))


class _Opener:
    """Opens sources on a thread that can be left behind with one that hangs."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._thread: CallThread | None = None

    def open(self, source: EnergySource) -> None:
        """Open a source.

        Raises:
            SourceUnavailableError: It cannot be opened, or does not answer.
        """
        if self._thread is None:
            self._thread = CallThread("green_callbacks opener")
            self._thread.start(self._threads)
        attempt = _Attempt(source)
        if not self._thread.ask(attempt).acquire(timeout=OPEN_SECONDS):
            attempt.is_given_up = True
            self.close()
            msg = (
                f"{name_of(source)} did not open within {OPEN_SECONDS:.0f} s: its devices are not measured. "
                "Look at the sensor and its driver."
            )
            raise SourceUnavailableError(msg)
        if attempt.failure is not None:
            raise attempt.failure

    def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()
            thread.join(EDGE_SECONDS)


class _Attempt:
    """One attempt to open a source, whose outcome may come when nobody waits for it any more."""

    def __init__(self, source: EnergySource) -> None:
        self._source = source
        self.failure: SourceUnavailableError | None = None
        self.is_given_up = False

    def __call__(self) -> None:
        try:
            self._source.open()
        except SourceUnavailableError as failure:
            self.failure = failure
        # A source may be the user's own, and raise what it likes: it is left out like one that cannot be opened.
        except (Exception, SystemExit) as failure:
            logger.exception("%s cannot be opened.", name_of(self._source))
            self.failure = SourceUnavailableError(f"{name_of(self._source)} cannot be opened: {failure}")
        if self.is_given_up:
            _close_all([self._source])


def _close_all(sources: Iterable[EnergySource]) -> None:
    for source in sources:
        try:
            source.close()
        # A source may be the user's own: one that cannot be closed must not keep the others open.
        except (Exception, SystemExit):
            logger.exception("%s cannot be closed.", name_of(source))


def _tally(before: Tally | None, reading: Reading, seconds: float, late_seconds: float) -> Tally:
    """Carry a tally on to a new reading.

    A counter that fell by more than its uncertainty began anew from zero: what it shows now is the energy since. One
    that fell by less was estimated too high before, and is waited for.

    Args:
        before: The tally so far.
        reading: The last answer.
        seconds: The instant, in s.
        late_seconds: How old the answer is, in s: 0 for one of this instant.
    """
    if late_seconds > 0:
        reading = reading._replace(gap_seconds=reading.gap_seconds + late_seconds, reason=reading.reason or _LATE)
    answered_seconds = seconds - late_seconds
    if before is None:
        return Tally(0.0, reading, 0, answered_seconds, late_seconds)
    if reading.reason is not None and late_seconds <= 0:
        answered_seconds = before.answered_seconds
    joules, last = reading.joules, before.reading.joules
    if joules is None and last is not None:
        return _silent(before, seconds, reading.reason or "it tells no energy")
    if joules is None or last is None:
        return Tally(before.joules, reading, before.resets, answered_seconds, late_seconds)
    rise = joules - last
    if rise >= 0:
        return Tally(before.joules + rise, reading, before.resets, answered_seconds, late_seconds)
    if -rise <= before.reading.below_joules + reading.above_joules:
        return Tally(before.joules, _held(before.reading, reading), before.resets, answered_seconds, late_seconds)
    return Tally(before.joules + joules, reading, before.resets + 1, answered_seconds, late_seconds)


def _silent(before: Tally, seconds: float, reason: str) -> Tally:
    """Carry a tally on over a device that does not answer: its counter may have gone on when it does again."""
    silent_seconds = seconds - before.answered_seconds
    gap_seconds = before.reading.gap_seconds - before.silent_seconds + silent_seconds
    reading = before.reading._replace(gap_seconds=gap_seconds, reason=reason)
    return before._replace(reading=reading, silent_seconds=silent_seconds)


def _held(before: Reading, now: Reading) -> Reading:
    """Return the reading of now at the value of before, so that the next rise is counted from there."""
    assert before.joules is not None and now.joules is not None  # noqa: S101, PT018  the caller has looked
    excess = before.joules - now.joules
    return now._replace(
        joules=before.joules,
        below_joules=now.below_joules + excess,
        above_joules=max(0.0, now.above_joules - excess),
    )


def energy_between(first: Snapshot, last: Snapshot, counted: Collection[str] | None = None) -> dict[str, DeviceEnergy]:
    """Return what every device used from one snapshot to a later one.

    Args:
        first: The beginning.
        last: The end.
        counted: The devices that count; all of them unless given.

    Returns:
        Energy by device, with bounds for the uncertainty of both edges.
    """
    before = first.tallies
    return {
        name: _device(before.get(name), tally, first.seconds, last.seconds)
        for name, tally in last.tallies.items()
        if counted is None or name in counted
    }


def _device(first: Tally | None, last: Tally, began: float, ended: float) -> DeviceEnergy:
    """Return what a device used between two tallies; by place, which takes half the time of names.

    What two edges may be off is independent, and so adds up in squares; what a model may be off is added.
    """
    seconds = ended - began
    last_joules, (read, component, method, below, above, tolerance, last_gap, flags, _, lag, walk), resets, at, _ = last
    if first is None or read is None:
        return DeviceEnergy(None, component, method, seconds, None, None, seconds, tolerance, flags)
    first_joules, before, first_resets, first_at, _ = first
    _, _, _, first_below, first_above, _, first_gap, _, _, first_lag, first_walk = before
    joules, gap_seconds = last_joules - first_joules, min(seconds, max(0.0, last_gap - first_gap))
    if resets > first_resets:
        flags = (*flags, "reset")
    silent_seconds = began - first_at
    carried_joules = 0.0
    if joules and silent_seconds > _BRIEF_SECONDS and last_gap - first_gap < ended - at:
        # It had gone on counting while it did not answer: what it used before this record has come with it.
        flags = (*flags, "catch_up")
        gap_seconds = min(seconds, max(gap_seconds, ended - at))
        carried_joules = min(joules, _PEAK * joules * silent_seconds / max(at - first_at, silent_seconds))
    is_silent = last.reading.reason is not None and before.reason is not None
    least_seconds = seconds - _BRIEF_SECONDS if is_silent else seconds * _UNMEASURED_SHARE
    if not joules and gap_seconds > 0 and gap_seconds >= least_seconds:
        return DeviceEnergy(None, component, method, seconds, None, None, gap_seconds, tolerance, flags)
    model = tolerance * joules if method == "modelled" else 0.0
    walked = sqrt(walk - first_walk) if walk > first_walk else 0.0
    low = max(0.0, joules - hypot(below, first_above, lag - first_lag, walked) - model - carried_joules)
    high = joules + hypot(above, first_below, lag - first_lag, walked) + model
    return DeviceEnergy(joules, component, method, seconds, low, high, gap_seconds, tolerance, flags)
