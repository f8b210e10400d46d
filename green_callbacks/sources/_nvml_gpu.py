"""One GPU as it is measured: by its counter while that can be trusted, else by its power."""

import logging
from collections.abc import Generator
from itertools import count

from green_callbacks.clock import Clock
from green_callbacks.records import Method, Reading
from green_callbacks.sources._nvml_between import Look
from green_callbacks.sources._nvml_counter import CounterGauge, CounterUntrustworthyError
from green_callbacks.sources._nvml_driver import DriverError
from green_callbacks.sources._nvml_edge import Edge, Steps
from green_callbacks.sources._nvml_sampled import SampledGauge
from green_callbacks.sources._nvml_select import Chosen
from green_callbacks.sources._nvml_sensor import GpuSensor

logger = logging.getLogger(__name__)

SENSOR_TOLERANCE = 0.05
"""Gain of the power sensor from board to board: Yang, Adamek, Armour, arXiv 2312.02741."""
_MIG_TOLERANCE = 0.4
_COUNTER_POLL_SECONDS = 0.37
_RETRY_SECONDS = 0.1
_ALMOST = 0.9


class MeasuredGpu:
    """A GPU, or the slice of one, as a cumulative reading that never falls.

    Args:
        chosen: Which.
        sensor: Its sensors.
        clock: The time.
    """

    def __init__(self, chosen: Chosen, sensor: GpuSensor, clock: Clock) -> None:
        self.name = f"gpu:{chosen.mig.uuid if chosen.mig else chosen.gpu.uuid}"
        self._share = chosen.mig.share if chosen.mig else 1.0
        self._is_slice = chosen.mig is not None
        self._flags = (*chosen.flags, "module") if sensor.is_superchip else tuple(chosen.flags)
        self._sensor = sensor
        self._clock = clock
        self._gauge: CounterGauge | SampledGauge | None = None
        self._base_joules = 0.0
        self._base_gap_seconds = 0.0
        self._due_seconds = 0.0
        self._joules: float | None = None
        self._below_joules = self._above_joules = 0.0
        self._reason: str | None = None
        self._silent_since = clock.monotonic()
        self._begin()

    @property
    def poll_seconds(self) -> float:
        """How often :meth:`work` wants to be begun, in s."""
        if not isinstance(self._gauge, SampledGauge):
            return _COUNTER_POLL_SECONDS
        now = self._clock.monotonic()
        return _next_on_grid(now, self._gauge.poll_seconds) - now

    @property
    def gap_seconds(self) -> float:
        """Seconds in which nothing was measured, those since it was lost not included."""
        return self._base_gap_seconds + (self._gauge.gap_seconds if self._gauge else 0.0)

    @property
    def reason(self) -> str | None:
        """Why the GPU does not answer; None while it does."""
        return self._reason

    def flag(self, word: str) -> None:
        """Add a word that a reader of the energy must know."""
        if word not in self._flags:
            self._flags += (word,)

    def read(self) -> Reading:
        """Return the energy now, without waiting."""
        try:
            if self._gauge is None:
                self._begin()
            else:
                self._take(self._gauge.read())
        except DriverError as error:
            self._lose(error)
        return self._reading()

    def so_far(self) -> float | None:
        """Return the energy in J for a look between two edges: unlike :meth:`read`, it begins no bound anew."""
        if not isinstance(self._gauge, SampledGauge):
            return self.read().joules
        return self._base_joules + self._gauge.last.joules

    def find(self) -> Steps:
        """Find the phase of the counter, if there is one."""
        if isinstance(self._gauge, CounterGauge):
            yield from self._watch(self._gauge.find())

    def is_due(self, now_seconds: float) -> bool:
        """Return whether :meth:`work` should begin; a GPU that is sampled at short intervals never waits for it.

        Args:
            now_seconds: Monotonic time in s.
        """
        if self._reason is None and self._gauge is not None:
            if isinstance(self._gauge, CounterGauge):
                return self._gauge.is_due(now_seconds)
            if not self._gauge.has_buffer:
                return False
        return now_seconds >= self._due_seconds

    def sample(self, times: int | None = None) -> Steps:
        """Sample, if that is how this GPU is measured at short intervals; else glance at its counter.

        Args:
            times: How often; on and on unless given.
        """
        gauge = self._gauge
        if isinstance(gauge, CounterGauge) and self._reason is None:
            try:
                gauge.glance()
            except DriverError as error:
                self._lose(error)
        if not isinstance(gauge, SampledGauge) or gauge.has_buffer:
            return
        seconds = gauge.poll_seconds
        for _ in count() if times is None else range(times):
            if self._reason is None:
                try:
                    gauge.sample()
                except DriverError as error:
                    self._lose(error)
            yield _next_on_grid(self._clock.monotonic(), seconds)

    def work(self) -> Steps:
        """Do what is due now and then: follow the counter, or sample."""
        now = self._clock.monotonic()
        self._due_seconds = now + _ALMOST * self.poll_seconds
        try:
            if self._reason is not None:
                self._due_seconds = max(self._due_seconds, now + _RETRY_SECONDS)
                self._sensor.renew()
            if isinstance(self._gauge, SampledGauge):
                self._gauge.sample()
                self._reason = None
            elif self._gauge is None:
                self._begin()
        except DriverError as error:
            self._lose(error)
        if isinstance(self._gauge, CounterGauge):
            yield from self._watch(self._gauge.track())

    def settle(self) -> Generator[float, None, Reading]:
        """Wait for a refresh of the counter, and return the energy at the instant of the call."""
        if not isinstance(self._gauge, CounterGauge):
            return self.read()
        try:
            edge = yield from self._gauge.settle()
        except DriverError as error:
            self._lose(error)
        else:
            self._take(edge)
        return self._reading()

    def _watch(self, steps: Steps) -> Steps:
        try:
            yield from steps
        except CounterUntrustworthyError as doubt:
            self._distrust(doubt)
        except DriverError as error:
            self._lose(error)
        else:
            self._reason = None

    def _begin(self) -> None:
        """Take the counter if it answers, else the power."""
        try:
            self._gauge = CounterGauge(self._sensor, self._clock)
        except DriverError:
            try:
                self._gauge = SampledGauge(self._sensor, self._clock)
            except DriverError as error:
                self._lose(error)
                return
        _, below, above = self._gauge.read()
        shown = self._gauge.last.joules  # and no estimate of what has run up: one too high would have to be waited for
        self._base_joules = -shown
        if self._reason is not None:
            self._base_gap_seconds = self._clock.monotonic() - self._silent_since
        self._take((shown, below, above))

    def _distrust(self, doubt: CounterUntrustworthyError) -> None:
        """Go on by sampling from where the counter could still be trusted."""
        logger.warning("%s: %s; its power is sampled instead.", self.name, doubt)
        self.flag(doubt.flag)
        try:
            sampled = SampledGauge(self._sensor, self._clock)
            edge = sampled.read()
        except DriverError as error:
            self._lose(error)
            return
        self._keep(doubt.last)
        self._base_joules = (self._joules or 0.0) - edge[0]
        self._base_gap_seconds += max(0.0, self._clock.monotonic() - doubt.last.after_seconds)
        self._gauge = sampled

    def _take(self, edge: Edge) -> None:
        """Keep an answer; one below the last is an estimate too high then, and is waited for."""
        joules, below, above = edge
        joules += self._base_joules
        last_joules = self._joules
        if last_joules is not None and last_joules > joules:
            excess = last_joules - joules
            joules, below, above = last_joules, below + excess, max(0.0, above - excess)
        self._joules, self._below_joules, self._above_joules = joules, below, above
        self._reason = None

    def _keep(self, last: Look) -> None:
        """Keep what was known when it was known last, be it from an edge or from what is looked at in between."""
        self._joules = max(self._joules or 0.0, self._base_joules + last.joules)
        self._below_joules = self._above_joules = 0.0
        self._silent_since = max(self._silent_since, last.after_seconds)
        self._reason = None

    def _lose(self, error: DriverError) -> None:
        if self._reason is None:
            logger.warning("%s does not answer: %s. Its energy is not counted until it does.", self.name, error)
            if self._gauge is not None:
                self._keep(self._gauge.last)
                self._above_joules = self._gauge.unseen_joules
        self._reason = str(error)

    def _reading(self) -> Reading:
        joules, below_joules, above_joules = self._joules, self._below_joules, self._above_joules
        gauge, gap_seconds, reason = self._gauge, self._base_gap_seconds, self._reason
        method: Method = "counter"
        flags, tolerance = self._flags, SENSOR_TOLERANCE
        lag_joules = walk_square_joules = 0.0
        if gauge is not None:
            method, flags = gauge.method, flags + gauge.flags
            lag_joules, walk_square_joules = gauge.lag_joules, gauge.walk_square_joules
            gap_seconds += gauge.gap_seconds
        if reason is not None:
            gap_seconds += self._clock.monotonic() - self._silent_since
        if self._is_slice:
            method, tolerance, share = "modelled", _MIG_TOLERANCE, self._share
            joules, below_joules, above_joules = joules and joules * share, below_joules * share, above_joules * share
            lag_joules, walk_square_joules = lag_joules * share, walk_square_joules * share**2
        # By place: by name, it would take twice as long to make.
        return Reading(
            joules,
            "gpu",
            method,
            below_joules,
            above_joules,
            tolerance,
            gap_seconds,
            flags,
            reason,
            lag_joules,
            walk_square_joules,
        )


def _next_on_grid(now_seconds: float, step_seconds: float) -> float:
    """Return the next instant of a grid, not too soon.

    On a grid delays do not add up, and jumps up and down that come evenly make up for one another.
    """
    return now_seconds + 1.5 * step_seconds - (now_seconds + step_seconds / 2) % step_seconds
