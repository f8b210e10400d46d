"""The open intervals of a run, and the edges between them."""

import threading
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from green_callbacks.accountant.energy.lap_vectors import Lap
from green_callbacks.accountant.energy.open_interval import OpenInterval
from green_callbacks.clock import Clock
from green_callbacks.meter import EnergyMeter, Snapshot
from green_callbacks.records import EpochRecord

SHARED_EDGE_SECONDS: Final = 1e-3
"""Time, in s, below which two edges are one. No sensor could tell them apart, and every reading costs time."""
_OWN_EDGE_SECONDS: Final = 0.2
"""Longest work of our own at the end of an epoch, in s, that is no time outside epochs (by experiment). 1,024 ranks
take about 30 ms. Longer work is a wait for other ranks."""

MakeRows = Callable[[Sequence[tuple[OpenInterval, Lap]]], Sequence[EpochRecord]]
"""Makes the records of intervals and of their laps."""


class Opened(NamedTuple):
    """The open intervals. It never changes, because an edge replaces it in one assignment.

    Attributes:
        interval: The open interval.
        outside: The interval outside epochs before an open epoch, if it is not recorded yet.
        recorded_until: The edge up to which everything is recorded.
        rows: Records of the last edge, which the history may not hold yet.
        position: Length of the history before them.
    """

    interval: OpenInterval
    outside: OpenInterval | None
    recorded_until: Snapshot
    rows: tuple[EpochRecord, ...] = ()
    position: int = 0


class Timeline:
    """Reads the meter at edges, and keeps the open intervals between them.

    The training thread makes the edges, and other threads end laps. A signal handler may interrupt an edge at any
    instruction. It sees the state before or after the edge.

    Args:
        meter: The meter.
        clock: The clock of the run.
        first: The first edge.
        owned: The devices that count on this rank.
    """

    def __init__(self, meter: EnergyMeter, clock: Clock, first: Snapshot, owned: frozenset[str]) -> None:
        self._meter = meter
        self._clock = clock
        self._owned = owned
        self.edges = threading.RLock()
        """Held while an edge is made."""
        self.opened = Opened(OpenInterval.begun(first, "other"), None, first)
        self._done_at_seconds = 0.0
        """Time at which our own work at the last edge was done, in s."""
        self.thread = threading.current_thread()
        """The thread that began the last epoch, or started the run. It is taken for the training thread."""

    @property
    def interval(self) -> OpenInterval:
        """The open interval."""
        return self.opened.interval

    def free_edges(self) -> None:
        """Release the lock of this thread, if an exception came between the end of an edge and its release."""
        while self.edges._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001  as Condition asks
            self.edges.release()

    def mark(self, phase: str | None = None) -> Snapshot:
        """End the open lap, and begin another.

        Args:
            phase: Phase of the new lap. Defaults to the phase of the lap before.
        """
        with self.edges:
            edge = self._meter.read()
            opened = self.opened
            self.opened = opened._replace(interval=opened.interval.marked(edge, self._owned, phase))
            return edge

    def if_free(self, work: Callable[[], object]) -> bool:
        """Do something while no edge is made. Does nothing during an edge. For threads beside the training thread.

        Args:
            work: The work.

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

    def done(self) -> None:
        """Note that our own work at the last edge is done, and that what follows is not ours."""
        self._done_at_seconds = self._clock.monotonic()

    def begin_epoch(self, epoch: int, asked_at_seconds: float | None = None) -> None:
        """End what lies outside epochs, and begin an epoch.

        Args:
            epoch: Its index.
            asked_at_seconds: Time at which the training thread asked for it, in s. Defaults to now.
        """
        asked_at_seconds = self._clock.monotonic() if asked_at_seconds is None else asked_at_seconds
        with self.edges:
            self.thread = threading.current_thread()
            opened = self.opened
            outside, edge = opened.interval, opened.interval.last
            if not self._is_shared(edge.seconds, asked_at_seconds):
                edge = self._meter.read()
                outside = outside.marked(edge, self._owned)
            self.opened = opened._replace(interval=OpenInterval.begun(edge, "train", epoch), outside=outside)

    def _is_shared(self, edge_seconds: float, asked_at_seconds: float) -> bool:
        """Return whether the edge of the last epoch is the edge of the next one too."""
        done_at_seconds = max(edge_seconds, self._done_at_seconds)
        is_ours = done_at_seconds - edge_seconds <= _OWN_EDGE_SECONDS
        return asked_at_seconds - (done_at_seconds if is_ours else edge_seconds) <= SHARED_EDGE_SECONDS

    def end(
        self,
        record: Callable[[Sequence[tuple[OpenInterval, Lap]]], Sequence[EpochRecord]],
        position: int,
        *,
        goes_on: bool,
    ) -> None:
        """End the open interval. Its record, and the record of the interval before it, wait in :attr:`opened`.

        Args:
            record: Makes records of intervals and laps, and returns the records to keep.
            position: Length of the history.
            goes_on: Whether only a part of the epoch has ended.
        """
        with self.edges:
            opened = self.opened
            edge = self._meter.read()
            ended = opened.interval.marked(edge, self._owned)
            intervals = [ended] if opened.outside is None else [opened.outside, ended]
            rows = record([(interval, interval.lap(self._owned)) for interval in intervals])
            began = OpenInterval.begun(edge, ended.phase, ended.epoch) if goes_on else OpenInterval.begun(edge, "other")
            self.opened = Opened(began, None, edge, tuple(rows), position)
