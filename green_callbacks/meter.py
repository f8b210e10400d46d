"""Cumulative counters in, laps out."""

import logging
import threading
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from math import hypot, sqrt
from typing import NamedTuple

from green_callbacks.clock import Clock, SystemClock
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.records import DeviceEnergy, Reading
from green_callbacks.sources.base import EnergySource

logger = logging.getLogger(__name__)

_UNMEASURED_SHARE = 1 - 1e-9


class Tally(NamedTuple):
    """The energy of one device since the meter was opened, whatever its counter did meanwhile.

    Attributes:
        joules: Energy in J; never falls.
        reading: The last reading, with its bounds and labels.
        resets: How often the counter began anew.
    """

    joules: float
    reading: Reading
    resets: int


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
        self._lock = threading.Lock()
        self._open: dict[EnergySource, Mapping[str, Reading]] = {}
        self._tallies: dict[str, Tally] = {}
        self._readers: dict[str, EnergySource] = {}
        self._read_twice: set[str] = set()

    def open(self, *, strict: bool = False) -> None:
        """Open every source; one that cannot be opened is left out with a warning.

        Args:
            strict: Raise instead of warning.

        Raises:
            SourceUnavailableError: A source cannot be opened, and ``strict``.
        """
        for source in self.sources:
            try:
                source.open()
            except SourceUnavailableError as reason:
                if strict:
                    raise
                logger.warning("%s", reason)
            else:
                self._open[source] = {}

    @property
    def open_sources(self) -> tuple[EnergySource, ...]:
        """The sources that could be opened."""
        return tuple(self._open)

    def read(self, *, settled: bool = False) -> Snapshot:
        """Read all devices.

        May be called from any thread.

        Args:
            settled: Wait for a refresh of every counter, for the narrowest bounds; the snapshot is of the beginning.

        Returns:
            The snapshot of this instant.
        """
        with self._lock:
            seconds, when = self._clock.monotonic(), self._clock.now()
            for source in sorted(self._open, key=_waits) if settled else self._open:
                readings = self._open[source] = source.read_settled() if settled else source.read()
                for name, reading in readings.items():
                    if self._readers.get(name) is source or self._counts(source, name):
                        self._tallies[name] = _tally(self._tallies.get(name), reading)
            return Snapshot(seconds, when, self._tallies.copy())

    def _counts(self, source: EnergySource, name: str) -> bool:
        """Return whether a source is the one that counts for a device: the first that had it."""
        is_first = self._readers.setdefault(name, source) is source
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
        with self._lock:
            for source in [source for source, last in self._open.items() if not last.keys() & set(devices)]:
                source.close()
                del self._open[source]

    def close(self) -> None:
        """Close every source, and forget every device; safe to call again."""
        with self._lock:
            for source in self._open:
                source.close()
            self._open.clear()
            self._tallies.clear()
            self._readers.clear()


def _waits(source: EnergySource) -> bool:
    """Return whether a source waits for a refresh: it is read after those that do not, lest they be read late."""
    return type(source).read_settled is not EnergySource.read_settled


def _tally(before: Tally | None, reading: Reading) -> Tally:
    """Carry a tally on to a new reading.

    A counter that fell by more than its uncertainty began anew from zero: what it shows now is the energy since. One
    that fell by less was estimated too high before, and is waited for.
    """
    if before is None:
        return Tally(0.0, reading, 0)
    joules, last = reading.joules, before.reading.joules
    if joules is None or last is None:
        return Tally(before.joules, reading, before.resets)
    rise = joules - last
    if rise >= 0:
        return Tally(before.joules + rise, reading, before.resets)
    if -rise <= before.reading.below_joules + reading.above_joules:
        return Tally(before.joules, _held(before.reading, reading), before.resets)
    return Tally(before.joules + joules, reading, before.resets + 1)


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
    seconds, before = last.seconds - first.seconds, first.tallies
    return {
        name: _device(before.get(name), tally, seconds)
        for name, tally in last.tallies.items()
        if counted is None or name in counted
    }


def _device(first: Tally | None, last: Tally, seconds: float) -> DeviceEnergy:
    """Return what a device used between two tallies; by place, which takes half the time of names.

    What two edges may be off is independent, and so adds up in squares; what a model may be off is added.
    """
    last_joules, (read, component, method, below, above, tolerance, last_gap, flags, _, lag, walk), resets = last
    if first is None or read is None:
        return DeviceEnergy(None, component, method, seconds, None, None, seconds, tolerance, flags)
    first_joules, (_, _, _, first_below, first_above, _, first_gap, _, _, first_lag, first_walk), first_resets = first
    joules, gap_seconds = last_joules - first_joules, min(seconds, max(0.0, last_gap - first_gap))
    if resets > first_resets:
        flags = (*flags, "reset")
    if not joules and gap_seconds > 0 and gap_seconds >= seconds * _UNMEASURED_SHARE:
        return DeviceEnergy(None, component, method, seconds, None, None, gap_seconds, tolerance, flags)
    model = tolerance * joules if method == "modelled" else 0.0
    walked = sqrt(walk - first_walk) if walk > first_walk else 0.0
    low = max(0.0, joules - hypot(below, first_above, lag - first_lag, walked) - model)
    high = joules + hypot(above, first_below, lag - first_lag, walked) + model
    return DeviceEnergy(joules, component, method, seconds, low, high, gap_seconds, tolerance, flags)
