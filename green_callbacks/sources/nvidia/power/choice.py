"""Chooses the best of three ways to obtain the energy of a GPU from its power."""

from typing import Protocol

from green_callbacks.clock import Clock
from green_callbacks.records import Method
from green_callbacks.sources.nvidia.driver.calls import DriverError
from green_callbacks.sources.nvidia.estimates import EnergySample, Estimate
from green_callbacks.sources.nvidia.power.averaged import AveragedGauge
from green_callbacks.sources.nvidia.power.buffered import BufferedGauge
from green_callbacks.sources.nvidia.power.sampled import SampledGauge
from green_callbacks.sources.nvidia.sensor import GpuSensor


class PowerGauge(Protocol):
    """The energy of a GPU by its power, from zero. Methods raise ``DriverError`` if the driver refuses."""

    @property
    def method(self) -> Method:
        """Method of the readings."""
        ...

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags for readings."""
        ...

    @property
    def has_buffer(self) -> bool:
        """Whether the driver samples by itself, so that :meth:`sample` is called about once a second."""
        ...

    @property
    def lag_joules(self) -> float:
        """Possible offset of the energy, in J, because the age of a power is not known."""
        ...

    @property
    def walk_square_joules(self) -> float:
        """Square of the energy that samples may have missed, in J². It never falls."""
        ...

    @property
    def poll_seconds(self) -> float:
        """Time until :meth:`sample` should be called next, in s."""
        ...

    def next_seconds(self, now: float) -> float:
        """Return when :meth:`sample` should be called next, in monotonic s.

        Args:
            now: Monotonic time in s.
        """
        ...

    @property
    def gap_seconds(self) -> float:
        """Time in which nothing was measured, in s."""
        ...

    @property
    def last(self) -> EnergySample:
        """The energy up to the last sample."""
        ...

    @property
    def unseen_joules(self) -> float:
        """Most energy that the last sample may not show yet, in J."""
        ...

    def sample(self) -> None:
        """Take a sample."""

    def read(self) -> Estimate:
        """Return the energy now."""
        ...


def power_gauge(sensor: GpuSensor, clock: Clock, *, use_buffer: bool = True) -> PowerGauge:
    """Return the best way to sample the power of a GPU.

    Args:
        sensor: The GPU.
        clock: The clock.
        use_buffer: Whether the driver's own samples may be taken. Defaults to True.

    Raises:
        DriverError: The power cannot be read.
    """
    if use_buffer:
        try:
            return BufferedGauge(sensor, clock)
        except DriverError:
            pass  # there is no current buffer, but the power itself may still be reported
    return AveragedGauge(sensor, clock) if sensor.averages else SampledGauge(sensor, clock)
