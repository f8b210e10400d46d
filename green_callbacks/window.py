"""Precise measurement of short blocks, for callers that can wait a moment at each edge."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.meter import EnergyMeter, Snapshot, energy_between
from green_callbacks.records import DeviceEnergy
from green_callbacks.sources import EnergySource
from green_callbacks.sources.accelerators.in_use import in_use, unmeasured
from green_callbacks.sources.accelerators.unmeasured import why_unmeasured
from green_callbacks.sources.discovery import Discovery, survey
from green_callbacks.text.log import get_logger
from green_callbacks.worker import Worker

logger = get_logger(__name__)

_STOP_SECONDS: Final = 0.2
"""Longest time to wait for the threads at the end of a window, in s."""


class Window:
    """The energy of a measured block. It is complete once the block has ended.

    Attributes:
        duration_seconds: Length in s.
        devices: Energy by device.

    >>> Window()  # before the block has ended
    Window(energy_joules=None, duration_seconds=0.0)
    """

    def __init__(self) -> None:
        self.duration_seconds = 0.0
        self.devices: Mapping[str, DeviceEnergy] = {}

    def __repr__(self) -> str:
        """Return the energy in J and the length in s."""
        return f"Window(energy_joules={self.energy_joules}, duration_seconds={self.duration_seconds})"

    @property
    def energy_joules(self) -> float | None:
        """Energy of all devices in J, or None if nothing was measured."""
        return _sum([device.joules for device in self.devices.values()])

    @property
    def low_joules(self) -> float | None:
        """Lower bound in J, for the uncertainty of both edges. Each device states the tolerance of its sensor."""
        return _sum([device.low_joules for device in self.devices.values()])

    @property
    def high_joules(self) -> float | None:
        """Upper bound in J, for the uncertainty of both edges."""
        return _sum([device.high_joules for device in self.devices.values()])

    def _close(self, first: Snapshot, last: Snapshot) -> None:
        self.duration_seconds = last.seconds - first.seconds
        self.devices = energy_between(first, last)


@contextmanager
def measure(sources: Sequence[EnergySource] | None = None) -> Iterator[Window]:
    """Measure the energy of a block as precisely as the sensors allow.

    Waits for a refresh of the counters at each edge, about 0.1 s on NVIDIA GPUs. It does not wait for work that is
    queued on a device, so synchronize inside the block. At the end, a warning names a GPU that torch, TensorFlow or JAX
    uses and that cannot be measured.

    Args:
        sources: The energy sources. Defaults to every sensor of this machine.

    Yields:
        The window, which is complete once the block has ended.

    Raises:
        ConfigurationError: ``sources`` is no list of sources.

    >>> from green_callbacks.sources import ScriptedSource
    >>> with measure([ScriptedSource(100.0)]) as window:
    ...     work = sum(range(1000))
    >>> window.energy_joules > 0
    True
    """
    found = survey() if sources is None else Discovery(_checked(sources))
    meter = EnergyMeter(found.sources)
    worker = Worker("green_callbacks measure", meter.threads)
    window = Window()
    meter.open()
    try:
        for source in meter.open_sources:
            if source.poll_seconds is not None:
                lane = worker.lane(f"the sensor {type(source).__name__}")
                worker.every(partial(getattr, source, "poll_seconds"), source.poll, lane, at_once=True)
        worker.start()
        meter.read(settled=True)  # the wait for a refresh belongs before the window; after it, its phase is known
        first = meter.read()
        try:
            yield window
        finally:
            window._close(first, meter.read(settled=True))  # noqa: SLF001  the window is ours
            _warn_of_unmeasured(first, {**found.refusals, **meter.refusals})
    finally:
        worker.stop(_STOP_SECONDS)
        meter.close()


def _warn_of_unmeasured(snapshot: Snapshot, refusals: Mapping[EnergySource, str]) -> None:
    """Warn if a framework computes on a GPU that is not measured."""
    readings = {name: tally.reading for name, tally in snapshot.tallies.items()}
    for each in unmeasured(in_use(), readings)[:1]:
        logger.warning("%s", why_unmeasured(each, readings, refusals))


def _checked(sources: object) -> Sequence[EnergySource]:
    is_list = isinstance(sources, Sequence) and not isinstance(sources, str)
    if is_list and all(isinstance(each, EnergySource) for each in sources):  # type: ignore[attr-defined]
        return sources  # type: ignore[return-value]  # just checked
    msg = "sources takes a list of EnergySource objects, such as [NvmlSource()]."
    raise ConfigurationError(msg)


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
