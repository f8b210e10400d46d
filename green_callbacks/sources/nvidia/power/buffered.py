"""A GPU without an energy counter whose driver samples the power by itself: its buffer, integrated."""

from math import hypot
from typing import ClassVar, Final

from green_callbacks.clock import Clock
from green_callbacks.records import Method
from green_callbacks.sources.common.power_integral import ALMOST_ALL, Integral
from green_callbacks.sources.nvidia.counter.interpolation import Look
from green_callbacks.sources.nvidia.counter.power_model import Edge
from green_callbacks.sources.nvidia.distrust import UntrustworthyError
from green_callbacks.sources.nvidia.driver.answers import PowerSample
from green_callbacks.sources.nvidia.driver.calls import DriverError
from green_callbacks.sources.nvidia.driver.time_stamps import MOST_AGE_SECONDS, STEP_SECONDS, StampClock
from green_callbacks.sources.nvidia.sensor import GpuSensor

BUFFER_SECONDS: Final = 0.9
"""Time between two reads of the driver's buffer of samples, in s; the shortest known holds some seconds."""
_SUSPECT_SECONDS: Final = 0.1
"""Age of the newest sample, in s, from which on the buffer is read more often: it should refresh every 0.02 s."""
_SUSPECT_POLL_SECONDS: Final = 0.25
_STILL_SECONDS: Final = 0.6
"""Age of the newest sample, in s, at which the buffer stands still."""
_AGE_SECONDS: Final = 0.0075
_UNSHARP_SECONDS: Final = 0.0005
_TURNED_SECONDS: Final = 0.008


class BufferedGauge:
    """The energy of a GPU by the driver's buffer of power samples, from zero.

    Args:
        sensor: The GPU.
        clock: The time.

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
        """How often :meth:`sample` wants to be called, in s."""
        return BUFFER_SECONDS if self._age_seconds < _SUSPECT_SECONDS else _SUSPECT_POLL_SECONDS

    def next_seconds(self, now: float) -> float:
        """Return when :meth:`sample` wants to be called next.

        Args:
            now: Monotonic time in s.
        """
        return now + self.poll_seconds

    @property
    def gap_seconds(self) -> float:
        """Seconds in which nothing was measured."""
        return self._gap_seconds + self._integral.gap_seconds

    @property
    def last(self) -> Look:
        """The last sample, and the energy up to it."""
        return Look(self._integral.joules, self._last_seconds, self._last_seconds)

    @property
    def unseen_joules(self) -> float:
        """How much more than the last sample shows may have run up until then, in J."""
        return (self._integral.last_watts or 0.0) * BUFFER_SECONDS

    def sample(self) -> None:
        """Take what the driver has sampled since the last time.

        Raises:
            DriverError: The driver refuses; that it has nothing new is no refusal.
            UntrustworthyError: The buffer stands still.
        """
        for sample in self._present(self._sensor.power_samples(self._stamp)):
            self._take(sample)
        self._stamps.settle(self._stamp)
        age_seconds = self._age_seconds
        if age_seconds >= _STILL_SECONDS or (age_seconds >= _SUSPECT_SECONDS and self._stamps.is_off):
            self._look_for_stamps()
        self.walk_square_joules = self._integral.walk_square_joules()

    def read(self) -> Edge:
        """Return the energy now.

        Raises:
            UntrustworthyError: The buffer stands still.
        """
        self.sample()
        watts = self._integral.last_watts or 0.0
        since = max(0.0, self._age_seconds) + _AGE_SECONDS
        changed = abs(watts - self._integral.before_last_watts)
        half = hypot(ALMOST_ALL * _UNSHARP_SECONDS * watts, _TURNED_SECONDS * changed)
        late = watts * max(0.0, since - _SUSPECT_SECONDS)
        return self._integral.joules + watts * since, half + late, half + late

    @property
    def _age_seconds(self) -> float:
        """How long ago the newest sample was taken, in s."""
        return self._clock.monotonic() - self._last_seconds

    def _begin(self, sample: PowerSample) -> None:
        """Begin with a sample, whatever was before it."""
        self._stamps.set_by(sample.stamp)
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
        """Return the samples by the time of day of now: the buffer may still hold some by the one before it."""
        now = self._clock.monotonic()
        first = max((at for at in range(1, len(samples)) if samples[at].stamp < samples[at - 1].stamp), default=0)
        return [one for one in samples[first:] if one.stamp not in self._past or self._stamps.seconds(one.stamp) <= now]

    def _look_for_stamps(self) -> None:
        """Tell a buffer that stands still from one whose time stamps were set back."""
        samples = self._sensor.power_samples(0)
        if samples and samples[-1].stamp < self._stamp:
            # Those of the time of day before seem later than those to come.
            self._past |= {sample.stamp for sample in samples}
            self._begin_anew(samples[-1])
            return
        if self._age_seconds < _STILL_SECONDS:
            return
        why = f"its buffer of power samples has stood still for {self._age_seconds:.1f} s"
        raise UntrustworthyError(flag="samples_frozen", why=why, last=self.last)

    def _begin_anew(self, sample: PowerSample) -> None:
        """Go on after the time of day was set: the time since the last sample is a gap."""
        before_seconds = self._last_seconds
        self._begin(sample)
        self._gap_seconds += max(0.0, self._last_seconds - before_seconds)
        self.flags = ("clock_stepped",)
