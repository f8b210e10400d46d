"""A source on the stand-in for NVIDIA's driver, in scripted time, and windows of it beside the truth."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf

from green_callbacks.meter import Snapshot, Tally, energy_between
from green_callbacks.records import Reading
from green_callbacks.sources.nvidia.source import NvmlSource
from green_callbacks.sources.nvidia.usage.utilization_share import GpuSharing
from support.fake_nvml import GPUS, SOURCE, FakeNvml

__all__ = ["GPUS", "SOURCE", "FakeNvml", "Lap", "Rig", "ScriptedNvmlSource", "lap"]

_NOW = datetime(2025, 1, 1, tzinfo=UTC)


class ScriptedTime:
    """The clock of a stand-in whose time is scripted."""

    def __init__(self, nvml: FakeNvml) -> None:
        self._nvml = nvml

    def monotonic(self) -> float:
        return self._nvml.seconds()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._nvml.day_seconds(), UTC)


class ScriptedNvmlSource(NvmlSource):
    """A source that waits in scripted time, and wakes a little late as threads do."""

    def __init__(self, nvml: FakeNvml, uuids: list[str] | None = None, share: GpuSharing | None = None) -> None:
        super().__init__(uuids, share=share, clock=ScriptedTime(nvml))
        self._nvml = nvml
        self._random = random.Random(0)
        self._burst_seconds = 0.0  # time is scripted: nothing can be read in the middle of a burst

    def _begin(self):
        session = super()._begin()
        session._wait_until = self.wake
        return session

    def wake(self, seconds: float) -> None:
        """Let time pass up to an instant, and a little more."""
        late = self._random.expovariate(1 / 1.5e-4)
        self._nvml.advance(max(0.0, seconds - self._nvml.seconds()) + late)


@dataclass(frozen=True)
class Edge:
    """Readings of all GPUs at one instant, and the truth."""

    seconds: float
    readings: Mapping[str, Reading]
    true_joules: list[float]


@dataclass(frozen=True)
class Lap:
    """One GPU between two edges."""

    joules: float
    true_joules: float
    low_joules: float
    high_joules: float
    gap_seconds: float

    @property
    def error_joules(self) -> float:
        """How much too high."""
        return self.joules - self.true_joules

    @property
    def covers(self) -> bool:
        """Whether the truth is within the bounds."""
        return self.low_joules <= self.true_joules <= self.high_joules


class Rig:
    """A source in scripted time, polled as the worker would."""

    def __init__(self, nvml: FakeNvml, uuids: list[str] | None = None, share: GpuSharing | None = None) -> None:
        self.nvml = nvml
        self.source = ScriptedNvmlSource(nvml, uuids, share)
        self._due = 0.0

    def open(self, script: str) -> "Rig":
        """Script the driver, and open the source."""
        self.nvml.script("clock scripted\n" + script)
        self.source.open()
        self._due = self._next_due()
        return self

    def _next_due(self) -> float:
        """Return when the worker would poll next if it began to poll now."""
        return self.nvml.seconds() + (self.source.poll_seconds or inf)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.nvml.seconds() + seconds
        while self._due < end:
            self.source.wake(self._due)
            self._due = self._next_due()
            self.source.poll()
        self.nvml.advance(max(0.0, end - self.nvml.seconds()))

    def watch(self, seconds: float) -> None:
        """Let time pass, and ask meanwhile what the GPUs do, as the worker would."""
        end = self.nvml.seconds() + seconds
        while (due := self.nvml.seconds() + (self.source.observe_seconds or inf)) < end:
            self.run(due - self.nvml.seconds())
            self.source.observe()
        self.run(end - self.nvml.seconds())

    def edge(self) -> Edge:
        """Read, and note the truth."""
        reading = self.source.read()
        return Edge(self.nvml.seconds(), reading, self._truth(self.nvml.seconds(), len(reading)))

    def settled_begin(self) -> Edge:
        """Begin a window as ``measure()`` does."""
        self.source.read_settled()
        return self.edge()

    def settled_end(self) -> Edge:
        """End a window as ``measure()`` does."""
        seconds = self.nvml.seconds()
        reading = self.source.read_settled()
        return Edge(seconds, reading, self._truth(seconds, len(reading)))

    def _truth(self, seconds: float, gpus: int) -> list[float]:
        return [self.nvml.energy_joules(gpu, seconds) for gpu in range(gpus)]


def lap(first: Edge, last: Edge, name: str = GPUS[0]) -> Lap:
    """Return the energy of a GPU between two edges, as a meter tells it."""
    joules = [edge.readings[name].joules for edge in (first, last)]
    assert None not in joules
    snapshots = [
        Snapshot(edge.seconds, _NOW, {name: Tally(energy, edge.readings[name], 0, edge.seconds)})
        for edge, energy in zip((first, last), joules, strict=True)
    ]
    device = energy_between(*snapshots)[name]
    number = list(last.readings).index(name)
    return Lap(
        joules=device.joules,
        true_joules=last.true_joules[number] - first.true_joules[number],
        low_joules=device.low_joules,
        high_joules=device.high_joules,
        gap_seconds=last.readings[name].gap_seconds - first.readings[name].gap_seconds,
    )
