"""Samples and integrates the instantaneous power of a GPU without an energy counter that can be trusted."""

from math import hypot
from typing import ClassVar, Final

from green_callbacks.clock import Clock
from green_callbacks.records import Method
from green_callbacks.sources.common.power_integral import SAMPLING_SIGMAS, Integral
from green_callbacks.sources.nvidia.estimates import EnergySample, Estimate
from green_callbacks.sources.nvidia.power.instant_power import Levels
from green_callbacks.sources.nvidia.sensor import GpuSensor

SAMPLE_SECONDS: Final = 0.02
"""Interval between two samples of the power, in s. It is the shortest known refresh period.

With another interval, the age of samples would vary, and the errors of jumps up and down would not cancel.
"""

_BATCH_SAMPLES: Final = 50
"""Number of samples that are integrated at once. Batching saves CPU, because a rarely run thread has cold caches."""
_AGE_ERROR_SECONDS: Final = 0.0005
"""Standard error of a sample's time, in s (by experiment)."""
_FAST_AGE_SECONDS: Final = 0.005
"""Mean age of the power of a fast sensor, in s. It is half of the shortest averaging time."""
_SLOW_AGE_SECONDS: Final = 0.03
"""Mean age of the power of a slow sensor, in s. It averages over 0.025 s or over the whole refresh of 0.1 s."""
_SLOW_AGE_SPREAD_SECONDS: Final = 0.02
"""Difference of that age between boards, in s."""
_UNIFORM_SIGMAS: Final = 12**0.5
"""Width of a uniform distribution, in standard deviations."""
_LONGEST_REFRESH_SECONDS = 0.1
"""Longest known refresh period of a power that is not an average, in s (arXiv 2312.02741)."""
_LATE_SAMPLES: Final = 2.0
"""Number of sampling intervals after which a sample is late, and a refresh slow (by experiment)."""
_MISSED_VARIANCE: Final = 1.7
"""Growth of the variance of missed jumps beyond the square of the refresh period (by experiment)."""
_JUMP_ERROR_SHARE: Final = 0.4
"""Possible error of the time of a jump at an edge, as a share of a refresh period (by experiment)."""


class SampledGauge:
    """The energy of a GPU by its instantaneous power, from zero.

    Args:
        sensor: The GPU.
        clock: The clock.

    Raises:
        DriverError: The power cannot be read either.
    """

    method: ClassVar[Method] = "sampled"
    flags: ClassVar[tuple[str, ...]] = ()
    has_buffer: ClassVar[bool] = False

    def __init__(self, sensor: GpuSensor, clock: Clock) -> None:
        self._sensor = sensor
        self._clock = clock
        self._integral = Integral(SAMPLE_SECONDS)
        self._fresh: list[tuple[float, float]] = []
        self.lag_joules = self.walk_square_joules = 0.0
        self._seen_square_joules = 0.0
        self._refresh_seconds = SAMPLE_SECONDS if sensor.refreshes_fast else _LONGEST_REFRESH_SECONDS
        self._sampled_seconds = clock.monotonic()
        self._changed_seconds: float | None = None
        self._watts = 0.0  # no GPU reports this power
        self._levels = Levels(self._sampled_seconds, 0.0)
        self.sample()
        self.read()

    @property
    def poll_seconds(self) -> float:
        """Time until :meth:`sample` should be called next, in s."""
        now = self._clock.monotonic()
        return self.next_seconds(now) - now

    def next_seconds(self, now: float) -> float:
        """Return when :meth:`sample` should be called next, in monotonic s.

        The times lie on a grid, so that delays do not add up and the errors of jumps up and down cancel.

        Args:
            now: Monotonic time in s.
        """
        return now + 1.5 * SAMPLE_SECONDS - (now + SAMPLE_SECONDS / 2) % SAMPLE_SECONDS

    @property
    def gap_seconds(self) -> float:
        """Time in which nothing was measured, in s."""
        return self._integrate().gap_seconds

    @property
    def last(self) -> EnergySample:
        """The last sample, and the energy up to it."""
        return EnergySample(self._integrate().joules, self._sampled_seconds, self._sampled_seconds)

    @property
    def unseen_joules(self) -> float:
        """Most energy that the last sample may not show yet, in J."""
        return self._watts * SAMPLE_SECONDS

    def sample(self) -> None:
        """Take a sample."""
        watts = self._sensor.present_watts()
        self._sampled_seconds = self._clock.monotonic()
        self._fresh.append((self._sampled_seconds, watts))
        if watts != self._watts:
            if not self._watts:
                self._levels = Levels(self._sampled_seconds, watts)
            else:
                self._levels.add(self._sampled_seconds, watts)
                self._learn_refresh()
                self._changed_seconds = self._sampled_seconds
            self._watts = watts
        if len(self._fresh) >= _BATCH_SAMPLES:
            self._integrate()

    def read(self) -> Estimate:
        """Return the energy now."""
        if self._clock.monotonic() - self._sampled_seconds >= _LATE_SAMPLES * SAMPLE_SECONDS:
            self.sample()
            watts, now = self._watts, self._sampled_seconds
        else:
            # This power is not added as a sample, because its age differs from that of the samples on the grid.
            watts, now = self._sensor.present_watts(), self._clock.monotonic()
        age_seconds = self._refresh_seconds / 2 + (_SLOW_AGE_SECONDS if self._is_slow else _FAST_AGE_SECONDS)
        joules = self._integrate().joules_at(now, watts) + watts * age_seconds
        self._learn_errors(watts)
        changed = abs(watts - self._integral.before_last_watts)
        half = hypot(SAMPLING_SIGMAS * _AGE_ERROR_SECONDS * watts, _JUMP_ERROR_SHARE * self._refresh_seconds * changed)
        if not self._is_slow:
            return joules, half, half
        lower, higher = self._levels.reach()
        hidden = self._refresh_seconds / 2
        return joules, min(joules, hypot(half, lower * hidden)), hypot(half, higher * hidden)

    def _learn_refresh(self) -> None:
        """Take the shortest time between two changes as the refresh period."""
        if self._changed_seconds is not None and self._refresh_seconds > SAMPLE_SECONDS:
            between = self._sampled_seconds - self._changed_seconds
            self._refresh_seconds = max(SAMPLE_SECONDS, min(self._refresh_seconds, between))

    def _learn_errors(self, watts: float) -> None:
        """Update the errors. A power that refreshes rarely hides more jumps, and is older."""
        square_joules = self._integral.update_walk_square_joules()
        hidden = _MISSED_VARIANCE * (self._refresh_seconds / SAMPLE_SECONDS) ** 2
        self.walk_square_joules += hidden * (square_joules - self._seen_square_joules)
        self._seen_square_joules = square_joules
        spread_seconds = self._refresh_seconds / _UNIFORM_SIGMAS + (_SLOW_AGE_SPREAD_SECONDS if self._is_slow else 0.0)
        self.lag_joules = SAMPLING_SIGMAS * spread_seconds * watts

    @property
    def _is_slow(self) -> bool:
        """Whether the power refreshes less often than it is sampled."""
        return self._refresh_seconds > _LATE_SAMPLES * SAMPLE_SECONDS

    def _integrate(self) -> Integral:
        """Return the integral up to the last sample."""
        for seconds, watts in self._fresh:
            self._integral.add(seconds, watts)
        self._fresh.clear()
        return self._integral
