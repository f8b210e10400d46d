"""Sources that are read together, for one run or for several runs on the same devices."""

from collections.abc import Callable, Collection, Iterable

from green_callbacks.call_threads import Threads
from green_callbacks.clock import Clock
from green_callbacks.measurement.activity_watch import ActivityWatch
from green_callbacks.measurement.device_tally import Tally, carried_on, silent
from green_callbacks.measurement.energy_division import NOTHING, Claim, State
from green_callbacks.measurement.interrupt_safe_lock import Turn, done_in_turn, in_turn
from green_callbacks.measurement.read_time_limit import Readers
from green_callbacks.measurement.shared_polling import Poll, Rota
from green_callbacks.sources.base import EnergySource
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)


class Gauge:
    """Reads sources at one instant, and keeps the tally of each device.

    One run reads it, on any of its threads. Several runs on the same devices all read it, and each gets its part. A
    signal handler may interrupt a reading at any instruction, and may read too. It finds the state before or after.

    Args:
        clock: The clock of the run.
        threads: Starts threads.
    """

    def __init__(self, clock: Clock, threads: Threads) -> None:
        self.clock = clock
        self.sources: tuple[EnergySource, ...] = ()
        self.held: tuple[EnergySource, ...] = ()
        """The sources that it needs open, or is about to open. The registry maintains them."""
        self.owners: dict[str, EnergySource] = {}
        """The source that counts for each device, which is the first source that had it."""
        self.readers = Readers(clock, threads)
        self.watch = ActivityWatch()
        """What its devices do besides using energy."""
        self.state: State = NOTHING
        self.turn = Turn()
        self._read_twice: set[str] = set()
        self._rotas: dict[tuple[EnergySource, type[Poll]], Rota] = {}

    def add(self, sources: Iterable[EnergySource]) -> None:
        """Add open sources."""
        added = tuple(sources)
        self.sources += added
        self.readers.add(added)
        self.watch.add(added)

    def read(self, seconds: float, limit_seconds: float, *, settled: bool = False) -> bool:
        """Read all sources, and replace :attr:`state`.

        Args:
            seconds: Monotonic time of this instant, in s.
            limit_seconds: Longest time to wait for all sources together, in s. The same limit holds before that for
                another thread that reads them.
            settled: Whether to wait for a refresh of each counter.

        Returns:
            Whether the sources were read in time.
        """
        lock = self.turn.take(limit_seconds)
        if lock is None:
            return False
        try:
            self._read(seconds, limit_seconds, settled=settled)
        finally:
            lock.release()
        return True

    @done_in_turn
    def _read(self, seconds: float, limit_seconds: float, *, settled: bool = False) -> None:
        self.readers.read(limit_seconds, settled=settled)
        self._go_on(seconds)

    def join(self, claim: Claim, limit_seconds: float) -> State:
        """Give a run its part of its devices from now on.

        Args:
            claim: Its devices.
            limit_seconds: Longest time to wait for the sources, in s.

        Returns:
            The state that its part begins with.
        """
        return self._change(limit_seconds, lambda state: state.joined(claim))

    def leave(self, claim: Claim, limit_seconds: float) -> State:
        """Give a run no part of its devices from now on. It may be called again.

        Args:
            claim: Its devices.
            limit_seconds: Longest time to wait for the sources, in s.

        Returns:
            The state, which holds the last tallies of the run.
        """
        return self.state if claim in self.state.ended else self._change(limit_seconds, lambda state: state.left(claim))

    @in_turn
    def forget(self, claim: Claim) -> None:
        """Forget a run that has ended.

        Args:
            claim: Its devices.
        """
        self.state = self.state.forgot(claim)

    def poll(self, source: EnergySource, kind: type[Poll]) -> Poll:
        """Return a poll of a source, in its rota.

        Args:
            source: The source.
            kind: The kind of poll. Each kind has a rota of its own.
        """
        return kind(source, self._rotas.setdefault((source, kind), Rota()))

    @in_turn
    def _change(self, limit_seconds: float, change: Callable[[State], State]) -> State:
        """Read the sources, change the runs that get a part, and return the new state."""
        self._read(self.clock.monotonic(), limit_seconds)
        self.state = after = change(self.state)
        return after

    @in_turn
    def drop(self, sources: Collection[EnergySource]) -> None:
        """Stop reading sources, and forget their devices.

        Args:
            sources: The sources.
        """
        self.sources = tuple(source for source in self.sources if source not in sources)
        self.watch.drop(sources)
        for source in sources:
            self.readers.drop(source)
        gone = {name for name, owner in self.owners.items() if owner in sources}
        self.owners = {name: owner for name, owner in self.owners.items() if name not in gone}
        self.state = self.state.without(gone)

    def idle_sources(self, kept: Collection[str]) -> list[EnergySource]:
        """Return the sources of whose devices none counts.

        Args:
            kept: The devices that count.
        """
        answers = self.readers.answers
        return [
            source for source in self.sources if source in answers and answers[source].readings.keys().isdisjoint(kept)
        ]

    def refresh_slow(self) -> None:
        """Ask the sources that did not answer in time, between two edges."""
        lock = self.turn.take(0.0)
        if lock is not None:
            try:
                self.readers.refresh_slow()
            finally:
                lock.release()

    @in_turn
    def close(self) -> None:
        """Forget every source and every device."""
        self.readers.close()
        self.watch = ActivityWatch()
        self.sources, self.owners, self.state = (), {}, NOTHING

    def _go_on(self, seconds: float) -> None:
        """Take the answers. Repeat it if a signal handler has taken them meanwhile, so that nothing counts twice."""
        while True:
            before = self.state
            after = self._after(before, max(seconds, before.seconds))
            if self.state is before:
                self.state = after
                return

    def _after(self, before: State, seconds: float) -> State:
        tallies = dict(before.tallies)
        answers = self.readers.answers
        reported = 0
        for source in self.sources:
            answer = answers.get(source)
            if answer is None:
                continue
            late_seconds = seconds - answer.seconds
            for name, reading in answer.readings.items():
                if self.owners.get(name) is source or self._counts(source, name):
                    tallies[name] = carried_on(tallies.get(name), reading, seconds, max(0.0, late_seconds))
                    reported += 1
        if reported < len(tallies):
            self._keep_missing(tallies, seconds)
        return before.went_on(seconds, tallies)

    def _keep_missing(self, tallies: dict[str, Tally], seconds: float) -> None:
        """Carry on the tallies of devices that their source no longer reports."""
        answers = self.readers.answers
        for name, tally in tallies.items():
            owner = self.owners.get(name)
            answer = answers.get(owner) if owner else None
            if answer is None or name not in answer.readings:
                tallies[name] = silent(tally, seconds, "its source does not report it")

    def _counts(self, source: EnergySource, name: str) -> bool:
        """Return whether a source counts for a device, because it is the first source that had it."""
        is_first = self.owners.setdefault(name, source) is source
        if not is_first and name not in self._read_twice:
            self._read_twice.add(name)
            logger.warning(
                "Two sources read %s. Only the first counts. Leave one out, or give the devices different names.", name
            )
        return is_first
