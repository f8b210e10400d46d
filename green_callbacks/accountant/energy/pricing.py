"""What intervals came to: their energy, priced."""

from green_callbacks.accountant.decisions.budget_checks import Spending
from green_callbacks.accountant.energy.grid_intensity import Grid
from green_callbacks.accountant.energy.open_interval import Segment
from green_callbacks.accountant.energy.timeline import SHARED_EDGE_SECONDS, Timeline
from green_callbacks.accountant.energy.unmeasured_gpus import GpuWatch
from green_callbacks.accountant.ranks import Lap, Slots
from green_callbacks.records import EpochRecord


class Pricing:
    """Makes records of intervals.

    Args:
        timeline: The open intervals.
        slots: The devices of all ranks.
        grid: The carbon intensity.
        pue: The PUE.
        gpus: What trains and is not measured.
    """

    def __init__(self, timeline: Timeline, slots: Slots, grid: Grid, pue: float, gpus: GpuWatch) -> None:
        self._timeline = timeline
        self._slots = slots
        self._grid = grid
        self._pue = pue
        self._gpus = gpus

    def lap(self, segment: Segment) -> Lap:
        """Return what an interval used on this rank, with the devices that are in use and not measured.

        Args:
            segment: The interval.
        """
        return self._gpus.added(segment.lap(self._slots.owned))

    def row(self, segment: Segment, lap: Lap, *, complete: bool, closes_epoch: bool = True) -> EpochRecord:
        """Make the record of an interval.

        Args:
            segment: The interval.
            lap: What it used.
            complete: Whether it ran to its end.
            closes_epoch: Whether its epoch ended with it. Defaults to true.
        """
        seen = segment.seen
        return EpochRecord(
            epoch=segment.epoch,
            started_at=segment.first.when,
            duration_seconds=lap.seconds,
            devices=lap.devices,
            intensity=self._grid.over(lap.pieces),
            pue=self._pue,
            step=seen.step,
            closes_epoch=closes_epoch or segment.epoch is None,
            complete=complete,
            phases=lap.phases,
            metrics=seen.metrics,
            learning_rate=seen.learning_rate,
            samples=lap.samples,
            tokens=lap.tokens,
            flops=lap.flops,
        )

    def unrecorded(self) -> EpochRecord | None:
        """Mark an edge, and return what this process has used since the last record; None if there is nothing."""
        edge = self._timeline.mark()
        since = Segment.begun(self._timeline.opened.recorded_until, "other").marked(edge, self._slots.owned)
        if since.seconds <= SHARED_EDGE_SECONDS:
            return None
        return self.row(since, self._slots.local(self.lap(since)), complete=False)

    def spending(self, together: bool) -> Spending:  # noqa: FBT001
        """Mark an edge, and return what the open intervals have used: an epoch, and what lay outside before it.

        Args:
            together: Whether all ranks call this.
        """
        self._timeline.mark()
        opened = self._timeline.opened
        segments = [opened.segment] if opened.outside is None else [opened.outside, opened.segment]
        laps = [self.lap(segment) for segment in segments]
        laps = self._slots.total(laps) if together else [self._slots.local(lap) for lap in laps]
        rows = [self.row(segment, lap, complete=False) for segment, lap in zip(segments, laps, strict=True)]
        return Spending(
            _sum([row.emissions_kg for row in rows]), _sum([row.facility_kwh for row in rows]), opened.segment.seconds
        )


def _sum(amounts: list[float | None]) -> float | None:
    """Return the sum of what is known; None if the last is not."""
    return None if amounts[-1] is None else sum(amount for amount in amounts if amount is not None)
