"""Records of intervals, with their energy and emissions."""

from collections.abc import Callable, Mapping

from green_callbacks.accountant.decisions.budget_checks import Spending
from green_callbacks.accountant.energy.device_slots import DeviceSlots
from green_callbacks.accountant.energy.grid_intensity import GridIntensity
from green_callbacks.accountant.energy.lap_vectors import Lap
from green_callbacks.accountant.energy.open_interval import OpenInterval
from green_callbacks.accountant.energy.timeline import SHARED_EDGE_SECONDS, Timeline
from green_callbacks.accountant.energy.unmeasured_gpus import UnmeasuredGpus
from green_callbacks.accountant.setup.counts_per_sample import CountsPerSample
from green_callbacks.records import DeviceEnergy, EpochRecord

Flagged = Callable[[Mapping[str, DeviceEnergy], float, float], Mapping[str, DeviceEnergy]]
"""Returns the energy of devices with more flags, for a beginning in s since 1970 and a length in s."""


class Pricing:
    """Makes records of intervals.

    Args:
        timeline: The open intervals.
        slots: The devices of all ranks.
        grid: The carbon intensity.
        pue: The PUE.
        gpus: Accelerators that train and are not measured.
        per_sample: What the user knows of each sample.
    """

    def __init__(
        self,
        timeline: Timeline,
        slots: DeviceSlots,
        grid: GridIntensity,
        pue: float,
        gpus: UnmeasuredGpus,
        per_sample: CountsPerSample,
    ) -> None:
        self._timeline = timeline
        self._slots = slots
        self._grid = grid
        self._pue = pue
        self._gpus = gpus
        self._per_sample = per_sample
        self.flagged: Flagged = _as_they_are
        """Flags the devices that other processes measure, too."""

    def lap(self, interval: OpenInterval) -> Lap:
        """Return the energy of an interval on this rank, with the unmeasured devices.

        Args:
            interval: The interval.
        """
        return self._gpus.added(interval.lap(self._slots.owned))

    def row(self, interval: OpenInterval, lap: Lap, *, complete: bool, closes_epoch: bool = True) -> EpochRecord:
        """Make the record of an interval.

        Args:
            interval: The interval.
            lap: Its energy.
            complete: Whether it ran to its end.
            closes_epoch: Whether its epoch ended with it. Defaults to True.
        """
        observations = interval.observations
        return EpochRecord(
            epoch=interval.epoch,
            started_at=interval.first.when,
            duration_seconds=lap.seconds,
            devices=self.flagged(lap.devices, interval.first.when.timestamp(), lap.seconds),
            intensity=self._grid.over(lap.pieces),
            pue=self._pue,
            step=observations.step,
            closes_epoch=closes_epoch or interval.epoch is None,
            complete=complete,
            phases=lap.phases,
            metrics=observations.metrics,
            learning_rate=observations.learning_rate,
            samples=lap.samples,
            tokens=self._per_sample.tokens_of(lap.samples, lap.tokens),
            flops=self._per_sample.flops_of(lap.samples, lap.flops),
            steps=observations.steps,
            data_wait_seconds=_within(observations.data_wait_seconds, lap.seconds),
            activity=lap.activity,
        )

    def unrecorded(self) -> EpochRecord | None:
        """Mark an edge, and return the energy of this process since the last record, or None if there is none."""
        edge = self._timeline.mark()
        since = OpenInterval.begun(self._timeline.opened.recorded_until, "other").marked(edge, self._slots.owned)
        if since.seconds <= SHARED_EDGE_SECONDS:
            return None
        return self.row(since, self._slots.local(self.lap(since)), complete=False)

    def spending(self, together: bool) -> Spending:  # noqa: FBT001
        """Mark an edge, and return the energy and emissions of the open intervals.

        Args:
            together: Whether all ranks call this.
        """
        self._timeline.mark()
        opened = self._timeline.opened
        intervals = [opened.interval] if opened.outside is None else [opened.outside, opened.interval]
        laps = [self.lap(interval) for interval in intervals]
        laps = self._slots.total(laps) if together else [self._slots.local(lap) for lap in laps]
        rows = [self.row(interval, lap, complete=False) for interval, lap in zip(intervals, laps, strict=True)]
        return Spending(
            _sum([row.emissions_kg for row in rows]), _sum([row.facility_kwh for row in rows]), opened.interval.seconds
        )


def _as_they_are(devices: Mapping[str, DeviceEnergy], _began: float, _seconds: float) -> Mapping[str, DeviceEnergy]:
    return devices


def _sum(amounts: list[float | None]) -> float | None:
    """Return the sum of the known amounts, or None if the last amount is unknown."""
    return None if amounts[-1] is None else sum(amount for amount in amounts if amount is not None)


def _within(wait_seconds: float | None, seconds: float) -> float | None:
    """Return an estimated wait, which is no longer than its interval."""
    return None if wait_seconds is None else min(wait_seconds, seconds)
