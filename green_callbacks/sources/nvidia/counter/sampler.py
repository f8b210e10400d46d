"""Samples a GPU's energy counter, and notices rises, restarts and standstills."""

from typing import Final

from green_callbacks.clock import Clock
from green_callbacks.sources.common.plausibility import MOST_WATTS, OVER_LIMIT
from green_callbacks.sources.nvidia.counter.interpolation import EnergyInterpolator
from green_callbacks.sources.nvidia.estimates import EnergySample
from green_callbacks.sources.nvidia.sensor import GpuSensor

LONGEST_PERIOD_SECONDS: Final = 0.25
"""Longest refresh period that is assumed, in s. The longest period that was seen is 0.1 s."""
_BRIDGED_SECONDS: Final = 3.0
"""Longest loss of the counter, in s, that is bridged by the mean power. A longer loss is a gap (by convention)."""
_BRIDGE_TOLERANCE: Final = 0.05
"""Least relative error of the power in a bridged time (by convention)."""
_ROUNDING: Final = 1e-15
"""Largest relative rounding error of a sum of large numbers in double precision, a few times 2⁻⁵³."""


class CounterSampler:
    """Samples a counter, and continues the count over restarts, so that samples never fall.

    Args:
        sensor: The GPU.
        clock: The clock.
        interpolator: The estimator, which learns of restarts.

    Raises:
        DriverError: There is no counter. Every sample raises it, too, if the driver refuses.
    """

    def __init__(self, sensor: GpuSensor, clock: Clock, interpolator: EnergyInterpolator) -> None:
        self._sensor = sensor
        self._clock = clock
        self._interpolator = interpolator
        self._restarted_joules = self._most_watts = 0.0
        self.restarts = self.leaps = 0
        """Number of restarts, and number of restarts that were leaps upward."""
        self.gap_seconds = self.walk_square_joules = 0.0
        joules, now = sensor.energy_joules(), clock.monotonic()
        self.latest = self.risen = self.before_risen = EnergySample(joules, now, now)
        """The last sample, the last sample after a rise, and the sample before that one."""

    def sample(self) -> EnergySample:
        """Sample the counter now. This takes one call of the driver, or two if the first answer is impossible."""
        sample = self._ask()
        latest = self.latest
        if sample.joules < latest.joules or self._is_leap(latest, sample):
            sample = self._sample_again(latest)
        if sample.joules > self.risen.joules:
            self.risen, self.before_risen = sample, latest
        self.latest = sample
        return sample

    def _ask(self) -> EnergySample:
        monotonic = self._clock.monotonic
        before = monotonic()
        counted_joules = self._sensor.energy_joules()
        joules = counted_joules + self._restarted_joules
        if 0 < self.latest.joules - joules <= _ROUNDING * counted_joules:
            joules = self.latest.joules  # the same value with another rounding
        return EnergySample(joules, before, monotonic())

    def _sample_again(self, latest: EnergySample) -> EnergySample:
        """Ask again after an impossible value, which may have been a single wrong answer."""
        sample = self._ask()
        if sample.joules >= latest.joules and not self._is_leap(latest, sample):
            return sample
        return self._restart(sample)

    def _is_leap(self, latest: EnergySample, sample: EnergySample) -> bool:
        """Return whether the counter rose by more than the GPU can draw."""
        seconds = sample.after_seconds - latest.before_seconds + LONGEST_PERIOD_SECONDS
        rise = sample.joules - latest.joules
        if rise <= self._most_watts * seconds:
            return False
        self._learn_most_watts()
        return rise > self._most_watts * seconds

    def _learn_most_watts(self) -> None:
        """Ask for the power limit, which may have been raised. A limit below the mean power is ignored."""
        limit_watts = self._sensor.limit_watts()
        self._most_watts = OVER_LIMIT * max(limit_watts or MOST_WATTS, self._interpolator.power.mean_watts)

    def _restart(self, sample: EnergySample) -> EnergySample:
        """Continue after a restart of the counter, which then shows only the energy since the restart.

        After a short silence, the lost time is bridged at the mean power. A longer silence is a gap. If the counter
        shows more than the GPU can have drawn, its origin is unknown, and all of the time is lost.
        """
        silent = self._refreshed(sample) - self._refreshed(self.latest)
        since_joules = sample.joules - self._restarted_joules
        self._learn_most_watts()
        if since_joules > self._most_watts * (max(0.0, silent) + LONGEST_PERIOD_SECONDS):
            since_joules = 0.0
        if sample.joules > self.latest.joules:
            self.leaps += 1
        watts = self._interpolator.power.mean_watts
        lost = min(max(0.0, silent), max(0.0, silent - since_joules / watts)) if watts else silent
        bridged = silent <= _BRIDGED_SECONDS
        self.gap_seconds += 0.0 if bridged else lost
        if bridged:
            unsure_watts = max(_BRIDGE_TOLERANCE * watts, 2 * self._interpolator.power.spread_watts)
            self.walk_square_joules += (unsure_watts * lost) ** 2
        joules = self.latest.joules + since_joules + (watts * lost if bridged else 0.0)
        self._restarted_joules += joules - sample.joules
        self.restarts += 1
        self.risen = sample._replace(joules=joules)
        self._interpolator.restart(self.risen)
        return self.risen

    def still_seconds(self, sample: EnergySample) -> float:
        """Return the time since the last refresh at which the counter rose, in s.

        Args:
            sample: The sample at the instant in question.
        """
        risen = self.risen
        return max(0.0, sample.seconds - max(self._refreshed(risen), self.before_risen.before_seconds))

    def stopped(self) -> EnergySample:
        """Return the sample at which a counter stopped. Its time is when the mean power reached that value."""
        before, risen = self.before_risen, self.risen
        watts = self._interpolator.power.mean_watts
        seconds = before.seconds + (risen.joules - before.joules) / watts if watts else risen.seconds
        seconds = min(seconds, risen.seconds)
        return EnergySample(risen.joules, seconds, seconds)

    def _refreshed(self, sample: EnergySample) -> float:
        elapsed = self._interpolator.phase.elapsed(sample.seconds)
        return sample.seconds - (elapsed[0] if elapsed else 0.0)
