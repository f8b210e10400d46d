"""The meter, which turns cumulative counters into laps."""

from collections.abc import Collection, Iterable, Mapping

from green_callbacks.call_threads import Threads
from green_callbacks.clock import Clock, SystemClock
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.measurement.device_tally import Snapshot, Tally, energy_between, silent
from green_callbacks.measurement.energy_division import Claim
from green_callbacks.measurement.gauge import Gauge
from green_callbacks.measurement.read_time_limit import EDGE_SECONDS, LATE, SETTLED_SECONDS, name_of
from green_callbacks.measurement.registry import REGISTRY
from green_callbacks.measurement.shared_polling import Observation, Poll
from green_callbacks.measurement.source_closing import let_go
from green_callbacks.records import ActivityTotals, DeviceInfo
from green_callbacks.sources.base import EnergySource
from green_callbacks.sources.common.opening import OPEN_SECONDS, Opener
from green_callbacks.text.log import get_logger

__all__ = ["EnergyMeter", "Snapshot", "Tally", "energy_between"]

logger = get_logger(__name__)


class EnergyMeter:
    """Reads all sources together, and turns their counters into tallies that never fall.

    The energy of a lap is the difference of two snapshots. Consecutive laps share a snapshot, so the sum of all laps is
    the last snapshot minus the first.

    The meters of several runs of one process may have the same devices. Each device is measured once, by the sources
    of the first run that had it. These stay open as long as any run needs them. The energy of a device between two
    readings is divided in equal parts between its runs, so that the tallies of all runs add up to the energy of the
    device.

    Args:
        sources: The energy sources.
        clock: The clock. Defaults to the clock of the machine.

    >>> from green_callbacks.clock import ScriptedClock
    >>> from green_callbacks.sources import ScriptedSource
    >>> clock = ScriptedClock()
    >>> meter = EnergyMeter([ScriptedSource(100.0, clock=clock)], clock)
    >>> meter.open()
    >>> first = meter.read()
    >>> clock.advance(10.0)
    >>> energy_between(first, meter.read())["scripted:0"].joules
    1000.0
    >>> meter.close()
    """

    def __init__(self, sources: Iterable[EnergySource], clock: Clock | None = None) -> None:
        self.sources = tuple(sources)
        self._clock = clock or SystemClock()
        self._threads = Threads()
        self._is_strict = False
        self.refusals: dict[EnergySource, str] = {}
        """The reasons why sources could not be opened."""
        self._begin()

    def _begin(self) -> None:
        self._own = Gauge(self._clock, self._threads)
        self._lent: tuple[EnergySource, ...] = ()
        self._claims: Mapping[Gauge, Claim] = {}
        self.is_ending = False
        """Set before the last reading, after which the run has no part of its devices."""

    @property
    def threads(self) -> Threads:
        """Starts the threads of the run."""
        return self._threads

    def open(self, *, strict: bool = False, borrow: bool = False) -> None:
        """Open every source. A source that cannot be opened is left out with a warning.

        Args:
            strict: Whether to raise instead of warning. Defaults to False.
            borrow: Whether to leave out sources that another run of this process reads. If so, :meth:`share` must
                follow. Defaults to False.

        Raises:
            SourceUnavailableError: A source cannot be opened, and ``strict``.
        """
        self._is_strict = strict
        if borrow:
            self._lent = tuple(each for each in self.sources if REGISTRY.lender(each, self._clock) is not None)
        self._open([each for each in self.sources if not any(each is lent for lent in self._lent)], strict=strict)

    def _open(self, sources: Iterable[EnergySource], *, strict: bool) -> None:
        opener = Opener(self._threads)
        opened = []
        try:
            for source in sources:
                REGISTRY.hold(source, self._own)
                if self._opened(opener, source, strict=strict):
                    opened.append(source)
                else:
                    REGISTRY.release([source], self._own)
                    REGISTRY.closed([source])
        finally:
            opener.close()
            self._own.add(opened)

    def _opened(self, opener: Opener, source: EnergySource, *, strict: bool) -> bool:
        try:
            opener.open(source)
        except SourceUnavailableError as reason:
            if strict:
                raise
            logger.warning("%s", reason)
            self.refusals[source] = str(reason)
            return False
        return True

    @property
    def open_sources(self) -> tuple[EnergySource, ...]:
        """The sources that could be opened, and the sources of other runs that this run reads too."""
        return tuple(source for source, _ in self._sources())

    def _sources(self) -> list[tuple[EnergySource, Gauge]]:
        found = [(source, self._own) for source in self._own.sources]
        for gauge, claim in self._claims.items():
            if gauge is not self._own:
                needed = {id(gauge.owners[name]) for name in claim.devices if name in gauge.owners}
                found += [(source, gauge) for source in gauge.sources if id(source) in needed]
        return found

    def polls(self) -> list[Poll]:
        """Return the polls of all sources that want to be polled, for the worker."""
        kinds = (Poll, Observation)
        polls = [gauge.poll(source, kind) for source, gauge in self._sources() for kind in kinds]
        return [each for each in polls if each.poll_seconds is not None]

    def warn_of_silent(self) -> None:
        """Warn of open sources without devices. A device that is unknown at the start is not added later."""
        for source in self._own.sources:
            if source not in self._own.readers.answers:
                silence = (
                    f"{name_of(source)} has reported no device at the start, so its devices are missing from the whole "
                    "run. Look at the sensor and its driver, and start again."
                )
                logger.warning("%s", silence)
                self.refusals[source] = silence

    def infos(self) -> dict[str, DeviceInfo]:
        """Return names, products and power limits of the devices."""
        infos: dict[str, DeviceInfo] = {}
        for source in (*self.open_sources, *self._lent):
            try:
                infos |= source.describe()
            # A source may be the user's own, and its failure must not end training.
            except Exception:
                logger.exception("%s cannot describe its devices. The ledger holds their energy alone.", source)
        return infos

    def share(self, devices: Collection[str]) -> Snapshot | None:
        """Settle which run measures the devices, and close the sources without devices of this run.

        Args:
            devices: The devices that count for this run.

        Returns:
            The snapshot with which the shares begin, or None if no other run has any of the devices.
        """
        joined = self._join(devices)
        lent, self._lent = self._lent, ()
        own = self._own
        ours = self._claims[own].devices
        if lent and not ours <= own.state.tallies.keys():  # the run that lent it has ended meanwhile
            self._open(lent, strict=self._is_strict)
            own.read(self._clock.monotonic(), OPEN_SECONDS)
        self._close(own, own.idle_sources(ours))
        if len(self._claims) == 1:
            return None
        seconds, when = self._clock.monotonic(), self._clock.now()
        own.read(seconds, EDGE_SECONDS)
        return Snapshot(seconds, when, {**own.state.tallies_of(self._claims[own]), **joined}, self._activity())

    def _join(self, devices: Collection[str]) -> dict[str, Tally]:
        """Claim devices, and join the gauges of other runs that measure them. Return the first tallies."""
        while True:
            self._claims = claims = REGISTRY.claim(devices, self._own)
            joined: dict[str, Tally] = {}
            for gauge, claim in claims.items():
                if gauge is not self._own:
                    joined |= gauge.join(claim, EDGE_SECONDS).tallies_of(claim)
            if len(joined) == sum(len(claim.devices) for gauge, claim in claims.items() if gauge is not self._own):
                return joined
            self._give_up()  # a gauge was closed meanwhile

    def devices_shared_with(self, other: "EnergyMeter") -> frozenset[str]:
        """Return the devices that are divided between this run and another.

        Args:
            other: The meter of the other run.
        """
        theirs = other._claims  # noqa: SLF001  of the same class
        common = [claim.devices & theirs[gauge].devices for gauge, claim in self._claims.items() if gauge in theirs]
        return frozenset[str]().union(*common)

    def read(self, *, settled: bool = False, patient: bool = False) -> Snapshot:
        """Read all devices, on any thread.

        A source that does not answer in time keeps its last tallies, and its readings hold the reason.

        Args:
            settled: Whether to wait for a refresh of every counter, for the narrowest bounds. The snapshot then holds
                the instant of the call. Defaults to False.
            patient: Whether to wait longer for slow sources, as at the start, where devices become known. Defaults to
                False.

        Returns:
            The snapshot of this instant.
        """
        own = self._own
        seconds, when = self._clock.monotonic(), self._clock.now()
        limit_seconds = OPEN_SECONDS if patient else SETTLED_SECONDS if settled else EDGE_SECONDS
        is_in_time = self.is_ending or own.read(seconds, limit_seconds, settled=settled)
        self._raise_failure(own)
        state = own.state
        if is_in_time and not (state.shared or self.is_ending or self._lent or len(self._claims) > 1):
            return Snapshot(seconds, when, state.tallies, self._activity())
        return Snapshot(seconds, when, self._parts(seconds, is_in_time=is_in_time), self._activity())

    def _activity(self) -> Mapping[str, ActivityTotals]:
        """Return what the devices did so far. It is never divided between runs, because all see the same device."""
        own = self._own
        told = own.watch.now()
        if not self._lent and self._claims.keys() <= {own}:  # fast, because this runs at every edge
            return told
        for gauge in (*self._claims, *(REGISTRY.lender(source, self._clock) for source in self._lent)):
            if gauge is not None and gauge is not own:
                told = {**gauge.watch.now(), **told}
        return told

    def _raise_failure(self, gauge: Gauge) -> None:
        if self._is_strict:
            gauge.readers.raise_failure()

    def _parts(self, seconds: float, *, is_in_time: bool) -> dict[str, Tally]:
        """Return the tallies if other runs have some of the devices, and the last tallies of an ending run."""
        if not self._claims:
            return {**self._borrowed(), **self._own.state.tallies}
        tallies: dict[str, Tally] = {}
        for gauge, claim in self._claims.items():
            if self.is_ending:
                gauge.leave(claim, EDGE_SECONDS)
            elif gauge is not self._own:
                is_in_time = gauge.read(seconds, EDGE_SECONDS)
                self._raise_failure(gauge)
            part = gauge.state.tallies_of(claim)
            tallies |= part if is_in_time else {name: silent(tally, seconds, LATE) for name, tally in part.items()}
        return tallies

    def _borrowed(self) -> dict[str, Tally]:
        """Return the tallies of devices that other runs measure for this run."""
        tallies: dict[str, Tally] = {}
        for source in self._lent:
            gauge = REGISTRY.lender(source, self._clock)
            if gauge is not None:
                tallies |= {
                    name: each for name, each in gauge.state.tallies.items() if gauge.owners.get(name) is source
                }
        return tallies

    def refresh_slow(self) -> None:
        """Ask the sources that did not answer in time, between two edges."""
        for gauge in (self._own, *self._claims):
            gauge.refresh_slow()

    def close(self) -> None:
        """Close every source that no other run needs, and forget every device. It may be called again."""
        for gauge in {self._own, *self._give_up()}:
            needed = REGISTRY.needed(gauge)
            self._close(gauge, gauge.idle_sources(needed) if needed else gauge.sources)
            if not needed:
                gauge.close()
        self._begin()

    def _give_up(self) -> list[Gauge]:
        """Give up all claims. Return the gauges of the claims."""
        claims = REGISTRY.claims_of(self._own)
        for gauge, claim in claims:
            gauge.leave(claim, EDGE_SECONDS)
            gauge.forget(claim)
            REGISTRY.give_up(gauge, claim)
        return [gauge for gauge, _ in claims]

    def _close(self, gauge: Gauge, sources: Collection[EnergySource]) -> None:
        if not sources:
            return
        gauge.drop(sources)
        free = REGISTRY.release(sources, gauge)
        let_go(free, self._threads)
        REGISTRY.closed(free)
