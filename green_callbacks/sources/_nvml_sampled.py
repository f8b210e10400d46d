"""A GPU without an energy counter that can be trusted: its power, sampled and integrated."""

from collections import deque
from datetime import datetime
from math import hypot
from typing import ClassVar, Final

from green_callbacks.clock import Clock
from green_callbacks.records import Method
from green_callbacks.sources._integral import ALMOST_ALL, LONGEST_STEP_SECONDS, Integral
from green_callbacks.sources._nvml_between import Look
from green_callbacks.sources._nvml_driver import DriverError
from green_callbacks.sources._nvml_edge import Edge
from green_callbacks.sources._nvml_sensor import GpuSensor

SAMPLE_SECONDS: Final = 0.02
"""Time between two samples of the power, in s: the shortest refresh known. At another pace a sample would be now
older, now younger, and jumps up and down that come evenly would not make up for one another."""
AVERAGE_SECONDS: Final = 0.1
"""The same where the power is an average of the last second: it refreshes ten times in it."""
BUFFER_SECONDS: Final = 0.9
"""Time between two reads of the driver's buffer of samples, in s; the shortest known holds some seconds."""

_TOGETHER = 50
"""Samples that are integrated at once: after a while asleep, code that was not run for long costs more than it does."""
_BUFFER_HOLDS_SECONDS = 2.0
_AVERAGED_OVER_SECONDS = 1.0
_MICROSECONDS_PER_SECOND = 1e6
_UNSHARP_SECONDS = 0.0005
_READING_AGE_SECONDS, _AGE_SPREAD_SECONDS = 0.015, 0.02 / 12**0.5
_BUFFERED_AGE_SECONDS = 0.0075
_LATE_SAMPLES = 2.0
_TURNED_SECONDS = 0.008


class SampledGauge:
    """The energy of a GPU by its power, from zero.

    The driver's buffer of samples is taken where it works; else the power is read by :meth:`sample`. On chips that
    report the average of the last second, the integral of that lags by half of it: the last half second is added from
    the power of the instant.

    Args:
        sensor: The GPU.
        clock: The time.

    Raises:
        DriverError: The power cannot be read either.
    """

    method: ClassVar[Method] = "sampled"
    flags: ClassVar[tuple[str, ...]] = ()

    def __init__(self, sensor: GpuSensor, clock: Clock) -> None:
        self._sensor = sensor
        self._clock = clock
        self._integral = Integral()
        self._fresh: list[tuple[float, float]] = []
        self._recent = Integral()
        self._trail: deque[tuple[float, float]] = deque()
        self._stamp = 0
        self.lag_joules = self.walk_square_joules = 0.0
        self._sampled_seconds = clock.monotonic()
        self.has_buffer = self._fill_buffer()
        self._is_sampled_often = not self.has_buffer and not sensor.averages
        self.read()

    @property
    def poll_seconds(self) -> float:
        """How often :meth:`sample` wants to be called, in s."""
        if self.has_buffer:
            return BUFFER_SECONDS
        return AVERAGE_SECONDS if self._sensor.averages else SAMPLE_SECONDS

    @property
    def gap_seconds(self) -> float:
        """Seconds in which nothing was measured."""
        return self._integrate().gap_seconds

    @property
    def last(self) -> Look:
        """The last sample, and the energy up to it."""
        behind = self._recent.joules - self._trail[0][1] if self._trail else 0.0
        return Look(self._integrate().joules + behind, self._sampled_seconds, self._sampled_seconds)

    @property
    def unseen_joules(self) -> float:
        """How much more than the last sample shows may have run up until then, in J."""
        return (self._integral.last_watts or 0.0) * self.poll_seconds

    def sample(self) -> None:
        """Go on to now."""
        if self._is_sampled_often:
            watts = self._sensor.present_watts()
            self._sampled_seconds = self._clock.monotonic()
            self._fresh.append((self._sampled_seconds, watts))
            if len(self._fresh) >= _TOGETHER:
                self._integrate()
        else:
            self._take_samples()
            self._sampled_seconds = self._clock.monotonic()

    def _integrate(self) -> Integral:
        """Return the integral up to the last sample."""
        for seconds, watts in self._fresh:
            self._integral.add(seconds, watts)
        self._fresh.clear()
        return self._integral

    def _take_samples(self) -> None:
        if self.has_buffer:
            self._take_buffer()
        else:
            now = self._clock.monotonic()
            self._integral.add(now, self._sensor.average_watts())
            self._recent.add(now, self._sensor.present_watts())
            self._trail.append((now, self._recent.joules))
            while self._trail[0][0] < now - _AVERAGED_OVER_SECONDS / 2:
                self._trail.popleft()

    def read(self) -> Edge:
        """Return the energy now."""
        if self._is_sampled_often and self._clock.monotonic() - self._sampled_seconds < _LATE_SAMPLES * SAMPLE_SECONDS:
            # Not a sample: it would be older or younger than the others, and that would stay in the integral.
            watts = self._sensor.present_watts()
            joules = self._integrate().joules_at(self._clock.monotonic(), watts) + watts * _READING_AGE_SECONDS
        else:
            self.sample()
            integral = self._integrate()
            watts = integral.last_watts or 0.0
            joules = integral.joules + self._since_last(watts)
        self._learn_errors(watts)
        changed = abs(watts - self._integral.before_last_watts)
        half = hypot(ALMOST_ALL * _UNSHARP_SECONDS * watts, _TURNED_SECONDS * changed)
        return joules, half, half

    def _learn_errors(self, watts: float) -> None:
        self.walk_square_joules = self._integral.walk_square_joules()
        if self._is_sampled_often:
            self.lag_joules = ALMOST_ALL * _AGE_SPREAD_SECONDS * watts

    def _since_last(self, watts: float) -> float:
        """Return the energy up to now that the integral does not hold yet, in J."""
        if self.has_buffer:
            seconds = self._stamp_now() / _MICROSECONDS_PER_SECOND - self._stamp / _MICROSECONDS_PER_SECOND
            return watts * (min(max(0.0, seconds), _BUFFER_HOLDS_SECONDS) + _BUFFERED_AGE_SECONDS)
        if self._sensor.averages:
            half = _AVERAGED_OVER_SECONDS / 2
            first_at, first_joules = self._trail[0]
            known = self._clock.monotonic() - first_at
            return self._recent.joules - first_joules + max(0.0, half - known) * (self._recent.last_watts or 0.0)
        return watts * _READING_AGE_SECONDS

    def _fill_buffer(self) -> bool:
        """Return whether the driver's buffer is kept up to date, and begin with its last entry."""
        try:
            samples = self._sensor.power_samples(0)
        except DriverError:
            return False
        age = (self._stamp_now() - samples[-1].stamp) / _MICROSECONDS_PER_SECOND if samples else None
        if age is None or not -LONGEST_STEP_SECONDS < age < LONGEST_STEP_SECONDS or not samples[-1].watts:
            return False
        self._stamp = samples[-1].stamp
        self._integral.add(self._stamp / _MICROSECONDS_PER_SECOND, samples[-1].watts)
        return True

    def _take_buffer(self) -> None:
        try:
            samples = self._sensor.power_samples(self._stamp)
        except DriverError:
            # Nothing newer is an error too; a GPU that is lost does not answer this either.
            self._sensor.present_watts()
            samples = []
        for stamp, watts in samples:
            self._integral.add(stamp / _MICROSECONDS_PER_SECOND, watts)
            self._stamp = max(self._stamp, stamp)

    def _stamp_now(self) -> float:
        now: datetime = self._clock.now()
        return now.timestamp() * _MICROSECONDS_PER_SECOND
