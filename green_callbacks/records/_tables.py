"""What the rows of a history hold by name: the energy of devices and of phases."""

from collections.abc import Mapping
from math import isnan, nan
from typing import Final

from green_callbacks.records._columns import Packed, Sparse, known, total
from green_callbacks.records._table import Table
from green_callbacks.records.device import DeviceEnergy, Method, PhaseEnergy

DeviceLabel = tuple[str, str, Method, float, tuple[str, ...]]
"""What rarely changes about a device: its name, component, method, tolerance and flags."""

_DIRECTNESS: Final = ("counter", "sampled", "modelled")


class DeviceTable:
    """The devices of every row."""

    def __init__(self) -> None:
        self._table: Table[DeviceLabel] = Table("joules", "low", "high")
        self._gaps: dict[str, Sparse] = {}

    def append(self, devices: Mapping[str, DeviceEnergy]) -> None:
        labels: list[DeviceLabel] = []
        numbers: list[float] = []
        for name, (joules, component, method, _, low, high, gap_seconds, tolerance, flags) in devices.items():
            labels.append((name, component, method, tolerance, flags))
            numbers += (nan if joules is None else joules, nan if low is None else low, nan if high is None else high)
            if gap_seconds:
                self._gaps.setdefault(name, Sparse()).put(len(self._table), gap_seconds)
        self._table.append(labels, numbers)

    def get(self, row: int, duration_seconds: float) -> dict[str, DeviceEnergy]:
        """Return the devices of a row.

        Args:
            row: Its position.
            duration_seconds: Its length in s.
        """
        devices = {}
        for (name, component, method, tolerance, flags), numbers in self._table.row(row):
            joules, low, high = map(known, numbers)
            gap_seconds = (self._gaps[name].get(row) or 0.0) if name in self._gaps else 0.0
            devices[name] = DeviceEnergy(
                joules, component, method, duration_seconds, low, high, gap_seconds, tolerance, flags
            )
        return devices

    def totals(self, duration_seconds: float) -> dict[str, DeviceEnergy]:
        """Return every device over all rows, in the order of its first, labelled with its least direct method.

        Args:
            duration_seconds: Length of all rows in s.
        """
        names = dict.fromkeys(label[0] for label in self._table.labels)
        return {name: self._total(name, duration_seconds) for name in names}

    def _total(self, name: str, duration_seconds: float) -> DeviceEnergy:
        own = [label for label in self._table.labels if label[0] == name]
        _, component, method, tolerance, _ = max(own, key=lambda label: _DIRECTNESS.index(label[2]))
        joules, low, high = (total(self._table.numbers(own, column)) for column in range(3))
        gap_seconds = sum(self._gaps[name].values) if name in self._gaps else 0.0
        flags = tuple(sorted({flag for label in own for flag in label[-1]}))
        return DeviceEnergy(joules, component, method, duration_seconds, low, high, gap_seconds, tolerance, flags)

    def measured_joules(self) -> float:
        """Return the energy that is not modelled, in J."""
        measured = [label for label in self._table.labels if label[2] != "modelled"]
        return total(self._table.numbers(measured, 0)) or 0.0

    def pack(self) -> dict[str, Packed]:
        return self._table.pack() | {"gaps": {name: gaps.pack() for name, gaps in self._gaps.items()}}

    def fill(self, packed: Mapping[str, Packed]) -> None:
        """Read what :meth:`pack` wrote."""
        self._table.fill(packed)
        self._gaps = {name: Sparse.unpack(gaps) for name, gaps in packed["gaps"].items()}


class PhaseTable:
    """The phases of every row."""

    def __init__(self) -> None:
        self._table: Table[str] = Table("joules", "seconds")
        self.most_joules: dict[str, float] = {}
        """The most energy that each phase took in any row, in J."""

    def append(self, phases: Mapping[str, PhaseEnergy]) -> None:
        numbers: list[float] = []
        for name, (joules, seconds) in phases.items():
            numbers += (nan if joules is None else joules, seconds)
            if joules is not None and joules > self.most_joules.get(name, 0.0):
                self.most_joules[name] = joules
        self._table.append(phases, numbers)

    def get(self, row: int) -> dict[str, PhaseEnergy]:
        """Return the phases of a row."""
        return {name: PhaseEnergy(known(joules), seconds) for name, (joules, seconds) in self._table.row(row)}

    def pack(self) -> dict[str, Packed]:
        return self._table.pack()

    def fill(self, packed: Mapping[str, Packed]) -> None:
        """Read what :meth:`pack` wrote."""
        self._table.fill(packed)
        for name in self._table.labels:
            joules = self._table.numbers([name], 0)
            self.most_joules[name] = max((each for each in joules if not isnan(each)), default=0.0)
