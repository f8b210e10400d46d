"""The energy of a GPU by its power: of the three ways to sample it, the best that the GPU allows."""

from typing import Protocol

from green_callbacks.clock import Clock
from green_callbacks.records import Method
from green_callbacks.sources.nvidia.counter.interpolation import Look
from green_callbacks.sources.nvidia.counter.power_model import Edge
from green_callbacks.sources.nvidia.driver.calls import DriverError
from green_callbacks.sources.nvidia.power.averaged import AveragedGauge
from green_callbacks.sources.nvidia.power.buffered import BufferedGauge
from green_callbacks.sources.nvidia.power.sampled import SampledGauge
from green_callbacks.sources.nvidia.sensor import GpuSensor


class PowerGauge(Protocol):
    """The energy of a GPU by its power, from zero. What asks the driver raises ``DriverError`` when it refuses."""

    @property
    def method(self) -> Method:
        """How joules are obtained."""
        ...

    @property
    def flags(self) -> tuple[str, ...]:
        """Short words that a reader of the energy must know."""
        ...

    @property
    def has_buffer(self) -> bool:
        """Whether the driver samples by itself, so that :meth:`sample` is called about once a second."""
        ...

    @property
    def lag_joules(self) -> float:
        """What the energy may be off, in J, by how old a power is when it is read."""
        ...

    @property
    def walk_square_joules(self) -> float:
        """What has gone unseen between samples, in J²: it never falls."""
        ...

    @property
    def poll_seconds(self) -> float:
        """When :meth:`sample` wants to be called next, in s from now."""
        ...

    def next_seconds(self, now: float) -> float:
        """Return when :meth:`sample` wants to be called next, in monotonic s."""
        ...

    @property
    def gap_seconds(self) -> float:
        """Seconds in which nothing was measured."""
        ...

    @property
    def last(self) -> Look:
        """The energy up to the last sample."""
        ...

    @property
    def unseen_joules(self) -> float:
        """How much more than the last sample shows may have run up until then, in J."""
        ...

    def sample(self) -> None:
        """Go on to now."""

    def read(self) -> Edge:
        """Return the energy now."""
        ...


def power_gauge(sensor: GpuSensor, clock: Clock, *, use_buffer: bool = True) -> PowerGauge:
    """Return the best way to sample the power of a GPU.

    Args:
        sensor: The GPU.
        clock: The time.
        use_buffer: Whether the driver's own samples may be taken. Defaults to True.

    Raises:
        DriverError: The power cannot be read.
    """
    if use_buffer:
        try:
            return BufferedGauge(sensor, clock)
        except DriverError:
            pass  # there is none, or it is not kept up to date: the power itself may still be told
    return AveragedGauge(sensor, clock) if sensor.averages else SampledGauge(sensor, clock)
