"""A GPU without an energy counter that can be trusted: its power of the instant, sampled and integrated."""

from math import hypot
from typing import ClassVar, Final

from green_callbacks.clock import Clock
from green_callbacks.records import Method
from green_callbacks.sources.common.power_integral import ALMOST_ALL, Integral
from green_callbacks.sources.nvidia.counter.instant_power import Levels
from green_callbacks.sources.nvidia.counter.interpolation import Look
from green_callbacks.sources.nvidia.counter.power_model import Edge
from green_callbacks.sources.nvidia.sensor import GpuSensor

SAMPLE_SECONDS: Final = 0.02
"""Time between two samples of the power, in s: the shortest refresh known. At another pace a sample would be now
older, now younger, and jumps up and down that come evenly would not make up for one another."""

_TOGETHER = 50
"""Samples that are integrated at once: after a while asleep, code that was not run for long costs more than it does."""
_UNSHARP_SECONDS = 0.0005
_AVERAGED_AGE_SECONDS = 0.005
"""Half of the shortest time over which a refresh is averaged, in s."""
_SLOW_AGE_SECONDS, _SLOW_AGE_SPREAD_SECONDS = 0.03, 0.02
"""The same where it refreshes every 0.1 s, and by how much it differs: it is averaged over 0.025 s or all of it."""
_UNIFORM = 12**0.5
_LONGEST_REFRESH_SECONDS = 0.1
"""The longest refresh known of a power that is not an average, in s (arXiv 2312.02741)."""
_LATE_SAMPLES = 2.0
_MISSED = 1.7
"""By how much more jumps miss, as a variance, than between samples that are twice as far apart (by experiment)."""
_TURNED = 0.4
"""By how much of a refresh a jump may be misplaced at an edge."""


class SampledGauge:
    """The energy of a GPU by its power of the instant, from zero.

    Args:
        sensor: The GPU.
        clock: The time.

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
        self._watts = 0.0  # none that is told
        self._levels = Levels(self._sampled_seconds, 0.0)
        self.sample()
        self.read()

    @property
    def poll_seconds(self) -> float:
        """When :meth:`sample` wants to be called next, in s from now."""
        now = self._clock.monotonic()
        return self.next_seconds(now) - now

    def next_seconds(self, now: float) -> float:
        """Return when :meth:`sample` wants to be called next: on a grid, and not too soon.

        On a grid delays do not add up, and jumps up and down that come evenly make up for one another.

        Args:
            now: Monotonic time in s.
        """
        return now + 1.5 * SAMPLE_SECONDS - (now + SAMPLE_SECONDS / 2) % SAMPLE_SECONDS

    @property
    def gap_seconds(self) -> float:
        """Seconds in which nothing was measured."""
        return self._integrate().gap_seconds

    @property
    def last(self) -> Look:
        """The last sample, and the energy up to it."""
        return Look(self._integrate().joules, self._sampled_seconds, self._sampled_seconds)

    @property
    def unseen_joules(self) -> float:
        """How much more than the last sample shows may have run up until then, in J."""
        return self._watts * SAMPLE_SECONDS

    def sample(self) -> None:
        """Go on to now."""
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
        if len(self._fresh) >= _TOGETHER:
            self._integrate()

    def read(self) -> Edge:
        """Return the energy now."""
        if self._clock.monotonic() - self._sampled_seconds >= _LATE_SAMPLES * SAMPLE_SECONDS:
            self.sample()
            watts, now = self._watts, self._sampled_seconds
        else:
            # Not a sample: it would be older or younger than the others, and that would stay in the integral.
            watts, now = self._sensor.present_watts(), self._clock.monotonic()
        age_seconds = self._refresh_seconds / 2 + (_SLOW_AGE_SECONDS if self._is_slow else _AVERAGED_AGE_SECONDS)
        joules = self._integrate().joules_at(now, watts) + watts * age_seconds
        self._learn_errors(watts)
        changed = abs(watts - self._integral.before_last_watts)
        half = hypot(ALMOST_ALL * _UNSHARP_SECONDS * watts, _TURNED * self._refresh_seconds * changed)
        if not self._is_slow:
            return joules, half, half
        lower, higher = self._levels.reach()
        hidden = self._refresh_seconds / 2
        return joules, min(joules, hypot(half, lower * hidden)), hypot(half, higher * hidden)

    def _learn_refresh(self) -> None:
        """Take the shortest time between two changes for the time between refreshes."""
        if self._changed_seconds is not None and self._refresh_seconds > SAMPLE_SECONDS:
            between = self._sampled_seconds - self._changed_seconds
            self._refresh_seconds = max(SAMPLE_SECONDS, min(self._refresh_seconds, between))

    def _learn_errors(self, watts: float) -> None:
        """A power that refreshes seldom hides jumps for as long, and is older."""
        square_joules = self._integral.walk_square_joules()
        hidden = _MISSED * (self._refresh_seconds / SAMPLE_SECONDS) ** 2
        self.walk_square_joules += hidden * (square_joules - self._seen_square_joules)
        self._seen_square_joules = square_joules
        spread_seconds = self._refresh_seconds / _UNIFORM + (_SLOW_AGE_SPREAD_SECONDS if self._is_slow else 0.0)
        self.lag_joules = ALMOST_ALL * spread_seconds * watts

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
