"""One GPU as it is measured: by its counter while that can be trusted, else by its power."""

from collections.abc import Callable, Generator
from math import inf

from green_callbacks.clock import Clock
from green_callbacks.records import DeviceInfo, Method, Reading
from green_callbacks.sources.common.never_falling import never_below
from green_callbacks.sources.nvidia.counter.gauge import CounterGauge
from green_callbacks.sources.nvidia.driver.calls import DriverError
from green_callbacks.sources.nvidia.estimates import EnergySample, Estimate, PausingWork, UntrustworthyError
from green_callbacks.sources.nvidia.power.averaged import AveragedGauge
from green_callbacks.sources.nvidia.power.choice import PowerGauge, power_gauge
from green_callbacks.sources.nvidia.sensor import SENSOR_TOLERANCE, GpuSensor
from green_callbacks.sources.nvidia.silence import Silence, part_of
from green_callbacks.sources.nvidia.visible_devices import Chosen
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_COUNTER_POLL_SECONDS, _SUSPECT_POLL_SECONDS, _RETRY_SECONDS = 0.37, 0.25, 0.1
_SLOW_POLL_SECONDS, _SLOW_SHARE = 1.0, 8.0
"""A slow driver is asked once a second at most, and an eighth of the time at most."""
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
        self._gauge: CounterGauge | PowerGauge | None = None
        self._base_joules = 0.0
        self._base_gap_seconds = self._base_walk_square_joules = 0.0
        self._due_seconds = self._next_sample_seconds = 0.0
        self._joules: float | None = None
        self._below_joules = self._above_joules = 0.0
        self._reason: str | None = None
        self._silent_since = clock.monotonic()
        self._silence = Silence(self.name, clock)
        self._begin()

    @property
    def poll_seconds(self) -> float:
        """How often :meth:`work` wants to be begun, in s."""
        if self._sensor.is_slow:
            return max(_SLOW_POLL_SECONDS, _SLOW_SHARE * self._sensor.call_seconds)
        if self._gauge is None or isinstance(self._gauge, CounterGauge):
            is_suspect = self._gauge is not None and self._gauge.is_suspect
            return _SUSPECT_POLL_SECONDS if is_suspect else _COUNTER_POLL_SECONDS
        return self._gauge.poll_seconds

    @property
    def gap_seconds(self) -> float:
        """Seconds in which nothing was measured, those since it was lost not included."""
        return self._base_gap_seconds + (self._gauge.gap_seconds if self._gauge else 0.0)

    @property
    def reason(self) -> str | None:
        """Why the GPU does not answer; None while it does."""
        return self._reason

    @property
    def is_shared(self) -> bool:
        """Whether other processes were seen on the GPU."""
        return "shared" in self._flags

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
        except UntrustworthyError as doubt:
            self._distrust(doubt)
        except DriverError as error:
            self._lose(error)
        return self._reading()

    def describe(self) -> DeviceInfo:
        """Return what is known of the GPU besides its energy; a slice of MIG has no power limit of its own."""
        if self._is_slice:
            return DeviceInfo(self.name.removeprefix("gpu:"), self._sensor.name or None)
        return self._sensor.describe()

    def so_far(self) -> float | None:
        """Return the energy in J for a look between two edges: unlike :meth:`read`, it begins no bound anew."""
        if self._gauge is None or isinstance(self._gauge, CounterGauge):
            return self.read().joules
        return self._base_joules + self._gauge.last.joules

    def find(self) -> PausingWork:
        """Find out when the counter refreshes, or the average of the power."""
        if isinstance(self._gauge, CounterGauge | AveragedGauge):
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

    def sample(self, seconds: float | None = None) -> PausingWork:
        """Sample, if that is how this GPU is measured at short intervals; else glance at its counter.

        Args:
            seconds: For how long at most, in s; on and on unless given.
        """
        gauge = self._gauge
        if isinstance(gauge, CounterGauge):
            if self._reason is None:
                self._try(gauge.sample_once)
            return
        if gauge is None or gauge.has_buffer:
            return
        now = self._clock.monotonic()
        end = inf if seconds is None else now + seconds
        # A worker that was told before the last burst when to come again comes too soon.
        now = max(now, self._next_sample_seconds)
        while now <= end:
            if now > self._clock.monotonic():
                yield now
            if self._reason is None:
                self._try(gauge.sample)
            if self._gauge is not gauge or self._sensor.is_slow:
                return
            now = self._next_sample_seconds = gauge.next_seconds(self._clock.monotonic())

    def work(self) -> PausingWork:
        """Do what is due now and then: follow the counter, or sample."""
        now = self._clock.monotonic()
        self._due_seconds = now + _ALMOST * self.poll_seconds
        if self._reason is not None:
            self._due_seconds = max(self._due_seconds, now + _RETRY_SECONDS)
        self._try(self._work)
        if isinstance(self._gauge, CounterGauge):
            yield from self._watch(self._gauge.track())

    def _work(self) -> None:
        if self._reason is not None:
            self._sensor.renew()
        if self._gauge is None:
            self._begin()
        elif not isinstance(self._gauge, CounterGauge):
            self._gauge.sample()
            self._reason = None

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except UntrustworthyError as doubt:
            self._distrust(doubt)
        except DriverError as error:
            self._lose(error)

    def settle(self) -> Generator[float, None, Reading]:
        """Wait for a refresh of the counter, and return the energy at the instant of the call."""
        if not isinstance(self._gauge, CounterGauge):
            return self.read()
        try:
            estimate = yield from self._gauge.settle()
        except UntrustworthyError as doubt:
            self._distrust(doubt)
        except DriverError as error:
            self._lose(error)
        else:
            self._take(estimate)
        return self._reading()

    def _watch(self, steps: PausingWork) -> PausingWork:
        try:
            yield from steps
        except UntrustworthyError as doubt:
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
                self._gauge = power_gauge(self._sensor, self._clock)
            except DriverError as error:
                self._lose(error)
                return
        _, below, above = self._gauge.read()
        shown = self._gauge.last.joules  # and no estimate of what has run up: one too high would have to be waited for
        self._base_joules = -shown
        if self._reason is not None:
            self._base_gap_seconds = self._clock.monotonic() - self._silent_since
        self._take((shown, below, above))

    def _distrust(self, doubt: UntrustworthyError) -> None:
        """Go on by sampling from where the counter could still be trusted."""
        if doubt.flag not in self._flags:
            logger.warning("%s: %s; its power is sampled instead.", self.name, doubt)
        self.flag(doubt.flag)
        before = self._gauge
        try:
            sampled = power_gauge(self._sensor, self._clock, use_buffer=not (before and before.method == "sampled"))
            estimate = sampled.read()
        except DriverError as error:
            self._lose(error, doubt.last)
            return
        self._keep(doubt.last)
        joules, self._below_joules, self._above_joules = estimate
        self._base_joules = (self._joules or 0.0) - joules
        self._base_gap_seconds += max(0.0, self._clock.monotonic() - doubt.last.after_seconds)
        if before is not None:
            self._base_gap_seconds += before.gap_seconds
            self._base_walk_square_joules += before.walk_square_joules
            self._flags += tuple(flag for flag in before.flags if flag not in self._flags)
        self._gauge = sampled

    def _take(self, estimate: Estimate) -> None:
        """Keep an answer. The reading never falls, also where the last estimate was too high."""
        joules, below, above = estimate
        held = never_below(self._joules, (joules + self._base_joules, below, above))
        self._joules, self._below_joules, self._above_joules = held
        self._reason = None

    def _keep(self, last: EnergySample) -> None:
        """Keep what was known when it was known last, be it from an estimate or from what is looked at in between."""
        self._joules = max(self._joules or 0.0, self._base_joules + last.joules)
        self._below_joules = self._above_joules = 0.0
        self._silent_since = max(self._silent_since, last.after_seconds)
        self._reason = None

    def _lose(self, error: DriverError, last: EnergySample | None = None) -> None:
        """Note that the GPU does not answer; what is kept is the last look that can be trusted."""
        if self._reason is None:
            self._silence.warn(error)
            if self._gauge is not None:
                self._keep(last or self._gauge.last)
                self._above_joules = self._gauge.unseen_joules
        self._reason = str(error)

    def _reading(self) -> Reading:
        joules, below_joules, above_joules = self._joules, self._below_joules, self._above_joules
        gauge, gap_seconds, reason = self._gauge, self._base_gap_seconds, self._reason
        method: Method = "counter"
        flags = self._flags
        lag_joules = walk_square_joules = 0.0
        if gauge is not None:
            method, flags = gauge.method, flags + gauge.flags
            lag_joules, walk_square_joules = gauge.lag_joules, gauge.walk_square_joules
            gap_seconds += gauge.gap_seconds
            walk_square_joules += self._base_walk_square_joules
        if reason is not None:
            gap_seconds += self._clock.monotonic() - self._silent_since
        # By place: by name, it would take twice as long to make.
        reading = Reading(
            joules,
            "gpu",
            method,
            below_joules,
            above_joules,
            SENSOR_TOLERANCE,
            gap_seconds,
            flags,
            reason,
            lag_joules,
            walk_square_joules,
        )
        return part_of(reading, self._share) if self._is_slice else reading
