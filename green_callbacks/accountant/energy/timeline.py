"""The open intervals of a run, and the edges between them."""

import threading
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from green_callbacks.accountant.energy.open_interval import Segment
from green_callbacks.accountant.ranks import Lap
from green_callbacks.clock import Clock
from green_callbacks.meter import EnergyMeter, Snapshot
from green_callbacks.records import EpochRecord

SHARED_EDGE_SECONDS: Final = 1e-3
"""Two edges closer than this are one: no sensor could tell them apart, and every reading costs."""


class Opened(NamedTuple):
    """What is open. Never changes: an edge puts another in its place, in one assignment.

    Attributes:
        segment: The open interval.
        outside: What lay outside epochs before it, if it is an epoch and that is not recorded yet.
        recorded_until: The edge up to which everything is recorded.
        rows: Records made at the last edge, which the history may not hold yet.
        position: Length of the history before them.
    """

    segment: Segment
    outside: Segment | None
    recorded_until: Snapshot
    rows: tuple[EpochRecord, ...] = ()
    position: int = 0


class Timeline:
    """Reads the meter at edges, and keeps what is open between them.

    An edge is made on the training thread, or ends a lap on another. A signal handler may come at any instruction of
    it: what it sees is the state before or after.

    Args:
        meter: What is read.
        clock: The time.
        first: The beginning.
        owned: The devices that count on this rank.
    """

    def __init__(self, meter: EnergyMeter, clock: Clock, first: Snapshot, owned: frozenset[str]) -> None:
        self._meter = meter
        self._clock = clock
        self._owned = owned
        self.edges = threading.RLock()
        """Held while an edge is made."""
        self.opened = Opened(Segment.begun(first, "other"), None, first)
        self.thread = threading.current_thread()
        """The thread that trains, as far as is known: the one that began the last epoch."""

    @property
    def segment(self) -> Segment:
        """The open interval."""
        return self.opened.segment

    def free_edges(self) -> None:
        """Let go of the lock, where an exception came between the end of an edge on this thread and its release."""
        while self.edges._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001  as Condition asks
            self.edges.release()

    def mark(self, phase: str | None = None) -> Snapshot:
        """End the lap at hand, and begin another.

        Args:
            phase: Phase of the new one. Defaults to the same.
        """
        with self.edges:
            edge = self._meter.read()
            opened = self.opened
            self.opened = opened._replace(segment=opened.segment.marked(edge, self._owned, phase))
            return edge

    def if_free(self, work: Callable[[], object]) -> bool:
        """Do something unless an edge is being made; none is made meanwhile. For another thread than that of training.

        Args:
            work: What to do.

        Returns:
            Whether it was done.
        """
        if not self.edges.acquire(blocking=False):
            return False
        try:
            work()
        finally:
            self.edges.release()
        return True

    def begin_epoch(self, epoch: int) -> None:
        """End what lies outside epochs, and begin an epoch.

        Args:
            epoch: Its index.
        """
        with self.edges:
            self.thread = threading.current_thread()
            opened = self.opened
            outside, edge = opened.segment, opened.segment.last
            if self._clock.monotonic() - edge.seconds > SHARED_EDGE_SECONDS:
                edge = self._meter.read()
                outside = outside.marked(edge, self._owned)
            self.opened = opened._replace(segment=Segment.begun(edge, "train", epoch), outside=outside)

    def end(
        self, record: Callable[[Sequence[tuple[Segment, Lap]]], Sequence[EpochRecord]], position: int, *, goes_on: bool
    ) -> None:
        """End the open interval; what it and what lay outside before it came to waits in :attr:`opened`.

        Args:
            record: Makes records of intervals and laps; those that are worth keeping.
            position: Length of the history.
            goes_on: Whether only a part of the epoch has ended.
        """
        with self.edges:
            opened = self.opened
            edge = self._meter.read()
            ended = opened.segment.marked(edge, self._owned)
            segments = [ended] if opened.outside is None else [opened.outside, ended]
            rows = record([(segment, segment.lap(self._owned)) for segment in segments])
            began = Segment.begun(edge, ended.phase, ended.epoch) if goes_on else Segment.begun(edge, "other")
            self.opened = Opened(began, None, edge, tuple(rows), position)
