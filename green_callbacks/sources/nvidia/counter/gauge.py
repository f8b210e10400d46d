"""Reads the energy counter of a GPU between its refreshes, and follows the refreshes with a few sparse samples."""

from collections.abc import Generator
from random import Random
from typing import ClassVar, Final

from green_callbacks.clock import Clock
from green_callbacks.records import Method
from green_callbacks.sources.common.plausibility import FROZEN_SECONDS, Plausibility, stands_still
from green_callbacks.sources.nvidia.counter.interpolation import EnergyInterpolator
from green_callbacks.sources.nvidia.counter.refresh_phase import Elapsed
from green_callbacks.sources.nvidia.counter.sampler import LONGEST_PERIOD_SECONDS, CounterSampler
from green_callbacks.sources.nvidia.driver.calls import DriverError
from green_callbacks.sources.nvidia.estimates import EnergySample, Estimate, PausingWork, UntrustworthyError
from green_callbacks.sources.nvidia.sensor import GpuSensor

COUNTER_POLL_SECONDS: Final = 0.37
"""Interval between two polls of a counter, in s (by experiment)."""
_SUSPECT_POLL_SECONDS: Final = 0.25
"""The same interval while the counter may stand still, in s (by experiment)."""
_SETTLING_PERIODS: Final = 2.5
"""Longest wait of :meth:`CounterGauge.settle`, in refresh periods. One refresh surely falls into it (by experiment)."""
_FINE_FIND_SECONDS: Final = 0.004
"""Pause between two reads while a refresh is searched for, in s. It limits the error of the first phase."""
_COARSE_FIND_SECONDS: Final = 0.012
"""Pause between later reads of the search, in s, so that a long period costs fewer calls (by experiment)."""
_SETTLING_SECONDS: Final = 0.002
"""Pause between two reads while a window settles, in s. It limits the error of the window's edge."""
_FINE_STEPS: Final = 6
"""Number of reads after a refresh with the fine pause. They cover the short periods of 0.01 s and 0.02 s."""
_LEAST_TRACK_GUARD_SECONDS: Final = 0.001
"""Shortest time before and after a predicted refresh, in s, at which the counter is read (by experiment)."""
_SCAN_PARTS: Final = 6
"""Number of parts of a period in which a refresh that is late is searched for (by experiment)."""
_TRACK_ATTEMPTS: Final = 4
"""Number of refreshes that one call of :meth:`CounterGauge.track` follows at most (by experiment)."""
_LEARNING_TRACK_SECONDS: Final = 0.3
"""Time between two tracked refreshes while the phase is learned, in s (by experiment)."""
_STEADY_TRACK_SECONDS: Final = 1.5
"""Mean time between two tracked refreshes later, in s (by experiment)."""
_FIND_AGAIN_SECONDS: Final = 12.0
"""Time after which a phase that was not found is searched for again, in s. A search takes 0.5 s."""
_LEAST_COUNTED_SECONDS: Final = 0.9
"""Shortest time over which counter and power are compared, in s. NVIDIA averages the power over 1 s."""
_SUSPECT_SECONDS: Final = 0.3
"""Time without a rise, in s, after which the counter is read more often. It is three of the usual periods."""
_LATE_SECONDS: Final = 0.12
"""Time since a rise, in s, up to which a counter is not checked. It is a little over the usual period of 0.1 s."""
_LATE_PERIODS: Final = 2.5
"""Number of periods without a refresh after which the upper bound includes all energy since (by experiment)."""
_MOST_LEAPS: Final = 3
"""Number of leaps after which a counter is not trusted any more. One leap may be a wrong answer (by convention)."""


class CounterGauge:
    """The energy of a GPU by its counter.

    Args:
        sensor: The GPU.
        clock: The clock.

    Raises:
        DriverError: There is no counter.
    """

    method: ClassVar[Method] = "counter"
    lag_joules: ClassVar[float] = 0.0

    def __init__(self, sensor: GpuSensor, clock: Clock) -> None:
        self._sensor = sensor
        self._clock = clock
        self._random = Random(sensor.uuid)  # noqa: S311  no secret
        self._tracked_watts: float | None = None
        self._plausibility = Plausibility(sensor.limit_watts)
        self._turn = 0.0
        self._restarts = 0
        self._tracked_seconds = self._found_seconds = 0.0
        self._interpolator = EnergyInterpolator(self._present_watts() or 0.0)
        self._sampler = CounterSampler(sensor, clock, self._interpolator)
        self._mean_since = self._sampler.latest

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags for readings."""
        return ("reset",) if self._restarts else ()

    @property
    def gap_seconds(self) -> float:
        """Time in which nothing was measured, in s."""
        return self._sampler.gap_seconds

    @property
    def walk_square_joules(self) -> float:
        """Square of the possible error of bridged time, in J². It never falls."""
        return self._sampler.walk_square_joules

    @property
    def last(self) -> EnergySample:
        """The last sample of the counter, whoever asked for it."""
        return self._sampler.latest

    @property
    def unseen_joules(self) -> float:
        """Most energy that the last sample may not show yet, in J."""
        return self._interpolator.power.mean_watts * (self._interpolator.phase.period_seconds or LONGEST_PERIOD_SECONDS)

    @property
    def poll_seconds(self) -> float:
        """Interval between two polls, in s."""
        return _SUSPECT_POLL_SECONDS if self.is_suspect else COUNTER_POLL_SECONDS

    @property
    def is_suspect(self) -> bool:
        """Whether the counter has not risen for longer than it should."""
        return self._sampler.still_seconds(self._sampler.latest) > _SUSPECT_SECONDS

    def read(self) -> Estimate:
        """Return the energy now, without waiting. This takes two calls of the driver.

        Raises:
            UntrustworthyError: The counter stands still.
        """
        sample, watts = self._sample(), self._present_watts()
        estimate = self._interpolator.estimate(sample, watts)
        is_late = sample.after_seconds - self._sampler.risen.after_seconds > _LATE_SECONDS
        return self._standing(sample, watts, estimate) if is_late else estimate

    def sample_once(self) -> None:
        """Sample the counter once, which narrows the next estimate. This takes one call of the driver.

        Raises:
            UntrustworthyError: The counter stands still.
        """
        sample = self._sample()
        if (
            sample.after_seconds - self._sampler.risen.after_seconds > 0
            and self._sampler.still_seconds(sample) > _SUSPECT_SECONDS
        ):
            self._tracked_watts = self._present_watts()
            self._check_stands(sample, self._tracked_watts)
        self._interpolator.observe_sample(sample)

    def _standing(self, sample: EnergySample, watts: float | None, estimate: Estimate) -> Estimate:
        """Return the estimate for a counter that has not risen since the last sample. It may have stopped."""
        self._check_stands(sample, watts)
        still_seconds = self._sampler.still_seconds(sample)
        period = self._interpolator.phase.period_seconds
        if still_seconds <= (_LATE_PERIODS * period if period else _SUSPECT_SECONDS):
            return estimate
        joules, below, above = estimate
        return joules, below, above + still_seconds * (self._interpolator.power.mean_watts if watts is None else watts)

    def _check_stands(self, sample: EnergySample, watts: float | None) -> None:
        doubt = stands_still(self._sampler.still_seconds(sample), watts)
        if doubt is not None:
            raise UntrustworthyError(flag="counter_frozen", why=doubt, last=self._sampler.stopped())

    def find(self) -> PausingWork:
        """Find phase and period by frequent samples, until two refreshes have come."""
        self._found_seconds = self._clock.monotonic()
        self._interpolator.forget_phase()
        start = last = refreshed = self._sample()
        steps = found = 0
        while last.after_seconds - start.before_seconds < 2 * LONGEST_PERIOD_SECONDS and found < 2:  # noqa: PLR2004
            if self._sensor.is_slow:
                return
            pause = _FINE_FIND_SECONDS if not found or steps < _FINE_STEPS else _COARSE_FIND_SECONDS
            yield last.after_seconds + pause
            sample = self._sample()
            steps += 1
            if sample.joules > last.joules:
                self._interpolator.observe_refresh(last, sample)
                if found:
                    self._interpolator.calibrate(self._present_watts(), sample.joules - refreshed.joules)
                refreshed, steps, found = sample, 0, found + 1
            last = sample

    def is_due(self, now_seconds: float) -> bool:
        """Return whether a refresh should be tracked. The interval is shorter while the phase is learned.

        Args:
            now_seconds: Monotonic time in s.
        """
        phase = self._interpolator.phase
        learning = phase.is_learning and not phase.is_sharp(now_seconds + _LEARNING_TRACK_SECONDS)
        # Evenly spaced reads would always see the same part of a training step.
        steady_seconds = _STEADY_TRACK_SECONDS * (0.5 + self._turn)
        return now_seconds - self._tracked_seconds >= (_LEARNING_TRACK_SECONDS if learning else steady_seconds)

    def track(self) -> PausingWork:
        """Sample shortly before and after the next refresh. This takes three or four calls of the driver.

        Raises:
            UntrustworthyError: The counter stands still or contradicts the power.
        """
        phase = self._interpolator.phase
        for _ in range(_TRACK_ATTEMPTS):
            now = self._clock.monotonic()
            if self._sensor.is_slow:  # the time of a refresh would be as uncertain as a call is long
                self.sample_once()
                self._tracked_watts = self._present_watts()
                break
            elapsed = phase.elapsed(now)
            if self.is_suspect:
                self.sample_once()
                break
            if elapsed is None:
                if now - self._found_seconds > _FIND_AGAIN_SECONDS or phase.is_learning:
                    yield from self.find()
                self._tracked_watts = self._present_watts()
                break
            seen = yield from self._bracket(now, elapsed)
            if not seen and self.is_suspect:
                yield self._sampler.latest.after_seconds + max(
                    0.0, FROZEN_SECONDS - self._sampler.still_seconds(self._sampler.latest)
                )
                self.sample_once()
                break
            if seen and (not phase.is_learning or phase.is_sharp(self._clock.monotonic())):
                break
        self._tracked_seconds = self._clock.monotonic()
        self._check()

    def settle(self) -> Generator[float, None, Estimate]:
        """Wait for the next refresh, and return the energy at the instant of the call."""
        first = last = self._sample()
        watts = self._present_watts()
        period = self._interpolator.phase.period_seconds or LONGEST_PERIOD_SECONDS
        while last.after_seconds - first.seconds < _SETTLING_PERIODS * period and not self._sensor.is_slow:
            yield last.after_seconds + _SETTLING_SECONDS
            sample = self._sample()
            if sample.joules > last.joules:
                self._interpolator.observe_refresh(last, sample)
                return self._interpolator.interpolated(first, last, sample, (watts, self._present_watts()))
            last = sample
        return self._standing(last, watts, self._interpolator.estimate(first, watts))

    def _bracket(self, now: float, elapsed: Elapsed) -> Generator[float, None, bool]:
        """Sample before and after the next refresh, and on until it has come. Return whether it was seen."""
        period = self._interpolator.phase.period_seconds or LONGEST_PERIOD_SECONDS
        seconds, spread, _ = elapsed
        guard = min(max(_LEAST_TRACK_GUARD_SECONDS, spread), period / 3)
        due = now + period - seconds
        due += period if due - period + guard < now else 0.0
        # Users read at any time within a period. So the power for the calibration is read at a random time, too.
        self._turn = self._random.random()
        yield due - guard - self._turn * (period - 2 * guard)
        self._tracked_watts = self._present_watts()
        yield due - guard
        before = last = self._sample()
        if before.after_seconds > due - guard / 2:  # the thread woke too late
            return False
        # Sample at the predicted time, too. Otherwise the filter only ever confirms its own prediction.
        for wake in (due, due + guard, *(due + guard + part * period / _SCAN_PARTS for part in range(1, _SCAN_PARTS))):
            yield wake
            sample = self._sample()
            if sample.joules > last.joules:
                # If the awaited refresh came before the first sample, two refreshes have come since.
                if sample.after_seconds - before.before_seconds < period and self._tracked_watts is not None:
                    self._interpolator.calibrate(self._tracked_watts, sample.joules - before.joules)
                    if not self._sensor.averages:
                        self._plausibility.compare((sample.joules - before.joules) / period, self._tracked_watts)
                self._interpolator.observe_refresh(last, sample)
                return True
            last = sample
        self._interpolator.phase.doubt()
        return False

    def _sample(self) -> EnergySample:
        sample = self._sampler.sample()
        if self._sampler.restarts != self._restarts:
            self._restarts, self._mean_since = self._sampler.restarts, sample
            self._plausibility.restart()
        return sample

    def _check(self) -> None:
        """Raise if the counter stands still while the GPU draws power, or if it contradicts the power."""
        sample = self._sampler.latest
        self._check_stands(sample, self._tracked_watts)
        if self._sampler.leaps >= _MOST_LEAPS:
            leaps = f"its energy counter has leaped {self._sampler.leaps} times"
            raise UntrustworthyError(flag="counter_implausible", why=leaps, last=sample)
        seconds = sample.after_seconds - self._mean_since.after_seconds
        if seconds < _LEAST_COUNTED_SECONDS:
            return
        watts = (sample.joules - self._mean_since.joules) / seconds
        average_watts = self._average_watts()
        if average_watts is not None:
            self._plausibility.compare(watts, average_watts)
        contradiction = self._plausibility.doubt(watts)
        if contradiction is not None:
            raise UntrustworthyError(flag="counter_implausible", why=contradiction, last=sample)
        self._interpolator.power.learn_mean(watts, seconds)
        self._mean_since = sample

    def _average_watts(self) -> float | None:
        """Return the power of the last second in W, or None where the GPU does not report it."""
        if not self._sensor.averages:
            return None
        try:
            return self._sensor.average_watts()
        except DriverError:
            return None

    def _present_watts(self) -> float | None:
        try:
            return self._sensor.present_watts()
        except DriverError:
            return None
