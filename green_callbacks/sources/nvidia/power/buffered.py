"""Integrates the driver's own buffer of power samples, for a GPU without an energy counter."""

from math import hypot
from typing import ClassVar, Final

from green_callbacks.clock import Clock
from green_callbacks.records import Method
from green_callbacks.sources.common.power_integral import SAMPLING_SIGMAS, Integral
from green_callbacks.sources.nvidia.driver.answers import PowerSample
from green_callbacks.sources.nvidia.driver.calls import DriverError
from green_callbacks.sources.nvidia.driver.time_stamps import MOST_AGE_SECONDS, STEP_SECONDS, StampClock
from green_callbacks.sources.nvidia.estimates import EnergySample, Estimate, UntrustworthyError
from green_callbacks.sources.nvidia.sensor import GpuSensor

BUFFER_SECONDS: Final = 0.9
"""Interval between two reads of the buffer, in s. The shortest known buffer holds some seconds."""
_SUSPECT_AGE_SECONDS: Final = 0.1
"""Age of the newest sample, in s, from which the buffer is read more often. It should refresh every 0.02 s."""
_SUSPECT_POLL_SECONDS: Final = 0.25
"""Interval between two reads of a buffer that may stand still, in s (by convention)."""
_BUFFER_STILL_SECONDS: Final = 0.6
"""Age of the newest sample, in s, from which the buffer stands still (by convention)."""
_SAMPLE_AGE_SECONDS: Final = 0.0075
"""Mean age of a sample at its time stamp, in s (by experiment)."""
_STAMP_ERROR_SECONDS: Final = 0.0005
"""Standard error of a sample's age, in s (by experiment)."""
_JUMP_ERROR_SECONDS: Final = 0.008
"""Possible error of the time of a jump at an edge, in s (by experiment)."""


class BufferedGauge:
    """The energy of a GPU by the driver's buffer of power samples, from zero.

    Args:
        sensor: The GPU.
        clock: The clock.

    Raises:
        DriverError: There is no buffer that is kept up to date.
    """

    method: ClassVar[Method] = "sampled"
    has_buffer: ClassVar[bool] = True
    lag_joules: ClassVar[float] = 0.0

    def __init__(self, sensor: GpuSensor, clock: Clock) -> None:
        self._sensor = sensor
        self._clock = clock
        self._integral = Integral()
        self._stamps = StampClock(clock)
        self.flags: tuple[str, ...] = ()
        self._past: set[int] = set()
        self._gap_seconds = self.walk_square_joules = 0.0
        samples = sensor.power_samples(0)
        age = clock.monotonic() - self._stamps.seconds(samples[-1].stamp) if samples else MOST_AGE_SECONDS
        if not -MOST_AGE_SECONDS < age < MOST_AGE_SECONDS:
            msg = "its buffer of power samples is not kept up to date"
            raise DriverError(msg)
        self._begin(samples[-1])

    @property
    def poll_seconds(self) -> float:
        """Interval between two calls of :meth:`sample`, in s."""
        return BUFFER_SECONDS if self._age_seconds < _SUSPECT_AGE_SECONDS else _SUSPECT_POLL_SECONDS

    def next_seconds(self, now: float) -> float:
        """Return when :meth:`sample` should be called next, in monotonic s.

        Args:
            now: Monotonic time in s.
        """
        return now + self.poll_seconds

    @property
    def gap_seconds(self) -> float:
        """Time in which nothing was measured, in s."""
        return self._gap_seconds + self._integral.gap_seconds

    @property
    def last(self) -> EnergySample:
        """The last sample, and the energy up to it."""
        return EnergySample(self._integral.joules, self._last_seconds, self._last_seconds)

    @property
    def unseen_joules(self) -> float:
        """Most energy that the last sample may not show yet, in J."""
        return (self._integral.last_watts or 0.0) * BUFFER_SECONDS

    def sample(self) -> None:
        """Take the samples that are new in the buffer.

        Raises:
            DriverError: The driver refuses. An empty answer is no refusal.
            UntrustworthyError: The buffer stands still.
        """
        for sample in self._present(self._sensor.power_samples(self._stamp)):
            self._take(sample)
        self._stamps.settle(self._stamp)
        age_seconds = self._age_seconds
        if age_seconds >= _BUFFER_STILL_SECONDS or (age_seconds >= _SUSPECT_AGE_SECONDS and self._stamps.is_off):
            self._check_stamps()
        self.walk_square_joules = self._integral.update_walk_square_joules()

    def read(self) -> Estimate:
        """Return the energy now.

        Raises:
            UntrustworthyError: The buffer stands still.
        """
        self.sample()
        watts = self._integral.last_watts or 0.0
        since = max(0.0, self._age_seconds) + _SAMPLE_AGE_SECONDS
        changed = abs(watts - self._integral.before_last_watts)
        half = hypot(SAMPLING_SIGMAS * _STAMP_ERROR_SECONDS * watts, _JUMP_ERROR_SECONDS * changed)
        late = watts * max(0.0, since - _SUSPECT_AGE_SECONDS)
        return self._integral.joules + watts * since, half + late, half + late

    @property
    def _age_seconds(self) -> float:
        """Time since the newest sample, in s."""
        return self._clock.monotonic() - self._last_seconds

    def _begin(self, sample: PowerSample) -> None:
        """Begin with a sample, whatever was before it."""
        self._stamps.restart(sample.stamp)
        self._stamp = sample.stamp
        self._last_seconds = min(self._stamps.seconds(sample.stamp), self._clock.monotonic())
        self._integral.begin_anew(self._last_seconds, sample.watts)

    def _take(self, sample: PowerSample) -> None:
        now, seconds = self._clock.monotonic(), self._stamps.seconds(sample.stamp)
        if seconds > now + STEP_SECONDS:
            self._begin_anew(sample)
            return
        self._last_seconds = max(self._last_seconds, min(seconds, now))
        self._integral.add(self._last_seconds, sample.watts)
        self._stamp = max(self._stamp, sample.stamp)

    def _present(self, samples: list[PowerSample]) -> list[PowerSample]:
        """Return the samples of the present time of day. The buffer may hold samples from before it was set."""
        now = self._clock.monotonic()
        first = max((at for at in range(1, len(samples)) if samples[at].stamp < samples[at - 1].stamp), default=0)
        return [one for one in samples[first:] if one.stamp not in self._past or self._stamps.seconds(one.stamp) <= now]

    def _check_stamps(self) -> None:
        """Distinguish a buffer that stands still from a buffer whose time stamps were set back."""
        samples = self._sensor.power_samples(0)
        if samples and samples[-1].stamp < self._stamp:
            # Samples from before the time of day was set have later stamps than the samples to come.
            self._past |= {sample.stamp for sample in samples}
            self._begin_anew(samples[-1])
            return
        if self._age_seconds < _BUFFER_STILL_SECONDS:
            return
        why = f"its buffer of power samples has stood still for {self._age_seconds:.1f} s"
        raise UntrustworthyError(flag="samples_frozen", why=why, last=self.last)

    def _begin_anew(self, sample: PowerSample) -> None:
        """Continue after the time of day was set. The time since the last sample is a gap."""
        before_seconds = self._last_seconds
        self._begin(sample)
        self._gap_seconds += max(0.0, self._last_seconds - before_seconds)
        self.flags = ("clock_stepped",)
