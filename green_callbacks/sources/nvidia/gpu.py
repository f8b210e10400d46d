"""One GPU as it is measured, by its counter while that can be trusted, else by its power."""

from collections.abc import Callable, Generator
from math import inf
from typing import Final

from green_callbacks.clock import Clock
from green_callbacks.records import DeviceInfo, Reading
from green_callbacks.sources.nvidia.counter.gauge import COUNTER_POLL_SECONDS, CounterGauge
from green_callbacks.sources.nvidia.driver.calls import DriverError
from green_callbacks.sources.nvidia.estimates import PausingWork, UntrustworthyError
from green_callbacks.sources.nvidia.gpu_account import Gauge, GpuAccount, part_of
from green_callbacks.sources.nvidia.power.averaged import AveragedGauge
from green_callbacks.sources.nvidia.power.choice import power_gauge
from green_callbacks.sources.nvidia.sensor import GpuSensor
from green_callbacks.sources.nvidia.visible_devices import Chosen
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_RETRY_SECONDS: Final = 0.1
"""Shortest time between two attempts to find a lost GPU again, in s (by convention)."""
_SLOW_POLL_SECONDS: Final = 1.0
"""Shortest interval between two calls of :meth:`MeasuredGpu.work` with a slow driver, in s (by convention)."""
_SLOW_CALLS: Final = 8.0
"""The same interval in durations of a call, so that a slow driver works at most an eighth of the time."""
_ALMOST_DUE: Final = 0.9
"""Share of an interval after which work is due, because the worker may come a little early (by experiment)."""


class MeasuredGpu:
    """A GPU, or a slice of a GPU, as a cumulative reading that never falls.

    Args:
        chosen: The GPU.
        sensor: Its sensors.
        clock: The clock.
    """

    def __init__(self, chosen: Chosen, sensor: GpuSensor, clock: Clock) -> None:
        self.name = f"gpu:{chosen.mig.uuid if chosen.mig else chosen.gpu.uuid}"
        self._share = chosen.mig.share if chosen.mig else 1.0
        self._is_slice = chosen.mig is not None
        self._flags = (*chosen.flags, "module") if sensor.is_superchip else tuple(chosen.flags)
        self._sensor = sensor
        self._clock = clock
        self._gauge: Gauge | None = None
        self._account = GpuAccount(self.name, clock)
        self._due_seconds = self._next_sample_seconds = 0.0
        self._begin()

    @property
    def poll_seconds(self) -> float:
        """Interval between two calls of :meth:`work`, in s."""
        if self._sensor.is_slow:
            return max(_SLOW_POLL_SECONDS, _SLOW_CALLS * self._sensor.call_seconds)
        return COUNTER_POLL_SECONDS if self._gauge is None else self._gauge.poll_seconds

    @property
    def gap_seconds(self) -> float:
        """Time in which nothing was measured, in s. The present silence is not included."""
        return self._account.gap_seconds(self._gauge)

    @property
    def reason(self) -> str | None:
        """Why the GPU does not answer. None while it answers."""
        return self._account.reason

    @property
    def is_shared(self) -> bool:
        """Whether other processes were seen on the GPU."""
        return "shared" in self._flags

    def flag(self, word: str) -> None:
        """Add a flag to all later readings.

        Args:
            word: The flag.
        """
        if word not in self._flags:
            self._flags += (word,)

    def read(self) -> Reading:
        """Return the energy now, without waiting."""
        try:
            if self._gauge is None:
                self._begin()
            else:
                self._account.take(self._gauge.read())
        except UntrustworthyError as doubt:
            self._distrust(doubt)
        except DriverError as error:
            self._account.lose(error, self._gauge)
        return self._reading()

    def describe(self) -> DeviceInfo:
        """Return UUID, product name and default power limit. A slice of MIG has no power limit of its own."""
        if self._is_slice:
            return DeviceInfo(self.name.removeprefix("gpu:"), self._sensor.name or None)
        return self._sensor.describe()

    def joules_so_far(self) -> float | None:
        """Return the energy in J between two edges. Unlike :meth:`read`, it keeps the bounds of sampled power."""
        if self._gauge is None or isinstance(self._gauge, CounterGauge):
            return self.read().joules
        return self._account.last_joules(self._gauge)

    def find(self) -> PausingWork:
        """Find the refresh times of the counter, or of an averaged power."""
        if isinstance(self._gauge, CounterGauge | AveragedGauge):
            yield from self._watch(self._gauge.find())

    def is_due(self, now_seconds: float) -> bool:
        """Return whether :meth:`work` should begin. It never should for a GPU that is sampled at short intervals.

        Args:
            now_seconds: Monotonic time in s.
        """
        if self._account.reason is None and self._gauge is not None:
            if isinstance(self._gauge, CounterGauge):
                return self._gauge.is_due(now_seconds)
            if not self._gauge.has_buffer:
                return False
        return now_seconds >= self._due_seconds

    def sample(self, seconds: float | None = None) -> PausingWork:
        """Sample the power at short intervals if this GPU is measured so. Sample a counter once.

        Args:
            seconds: How long to sample, in s. Defaults to no limit.
        """
        gauge = self._gauge
        if isinstance(gauge, CounterGauge):
            if self._account.reason is None:
                self._try(gauge.sample_once)
            return
        if gauge is None or gauge.has_buffer:
            return
        now = self._clock.monotonic()
        end = inf if seconds is None else now + seconds
        # The worker comes too soon if it was given its time before the last burst.
        now = max(now, self._next_sample_seconds)
        while now <= end:
            if now > self._clock.monotonic():
                yield now
            if self._account.reason is None:
                self._try(gauge.sample)
            if self._gauge is not gauge or self._sensor.is_slow:
                return
            now = self._next_sample_seconds = gauge.next_seconds(self._clock.monotonic())

    def work(self) -> PausingWork:
        """Track a refresh of the counter, or read the driver's buffer of samples."""
        now = self._clock.monotonic()
        self._due_seconds = now + _ALMOST_DUE * self.poll_seconds
        if self._account.reason is not None:
            self._due_seconds = max(self._due_seconds, now + _RETRY_SECONDS)
        self._try(self._work)
        if isinstance(self._gauge, CounterGauge):
            yield from self._watch(self._gauge.track())

    def _work(self) -> None:
        if self._account.reason is not None:
            self._sensor.renew()
        if self._gauge is None:
            self._begin()
        elif not isinstance(self._gauge, CounterGauge):
            self._gauge.sample()
            self._account.reason = None

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except UntrustworthyError as doubt:
            self._distrust(doubt)
        except DriverError as error:
            self._account.lose(error, self._gauge)

    def settle(self) -> Generator[float, None, Reading]:
        """Wait for a refresh of the counter, and return the energy at the instant of the call."""
        if not isinstance(self._gauge, CounterGauge):
            return self.read()
        try:
            estimate = yield from self._gauge.settle()
        except UntrustworthyError as doubt:
            self._distrust(doubt)
        except DriverError as error:
            self._account.lose(error, self._gauge)
        else:
            self._account.take(estimate)
        return self._reading()

    def _watch(self, steps: PausingWork) -> PausingWork:
        try:
            yield from steps
        except UntrustworthyError as doubt:
            self._distrust(doubt)
        except DriverError as error:
            self._account.lose(error, self._gauge)
        else:
            self._account.reason = None

    def _begin(self) -> None:
        """Begin with the counter if it answers, else with the power."""
        try:
            self._gauge = CounterGauge(self._sensor, self._clock)
        except DriverError:
            try:
                self._gauge = power_gauge(self._sensor, self._clock)
            except DriverError as error:
                self._account.lose(error, None)
                return
        self._account.begin(self._gauge)

    def _distrust(self, doubt: UntrustworthyError) -> None:
        """Continue by sampling from where the gauge could still be trusted."""
        if doubt.flag not in self._flags:
            logger.warning("%s is sampled by its power from now on, because %s.", self.name, doubt)
        self.flag(doubt.flag)
        before = self._gauge
        try:
            sampled = power_gauge(self._sensor, self._clock, use_buffer=not (before and before.method == "sampled"))
            estimate = sampled.read()
        except DriverError as error:
            self._account.lose(error, before, doubt.last)
            return
        self._account.switch(before, doubt.last, estimate)
        if before is not None:
            self._flags += tuple(flag for flag in before.flags if flag not in self._flags)
        self._gauge = sampled

    def _reading(self) -> Reading:
        reading = self._account.reading(self._gauge, self._flags)
        return part_of(reading, self._share) if self._is_slice else reading
