"""The energy of all devices in all rows of a history: what belongs to one row lies together."""

from array import array
from collections.abc import Collection, Mapping
from math import nan
from typing import Final, Self

from green_callbacks.records._columns import (
    Packed,
    Shared,
    Sparse,
    known,
    pack,
    pack_numbers,
    total,
    unpack,
    unpack_numbers,
)
from green_callbacks.records.device import DeviceEnergy, Method

Label = tuple[str, str, Method, float, tuple[str, ...]]
"""What rarely changes about a device: its name, component, method, tolerance and flags."""

_NUMBERS: Final = 3
"""Of each device in a row: joules, and their lower and upper bound; ``NaN`` stands for None."""
_DIRECTNESS: Final = ("counter", "sampled", "modelled")


class DeviceTable:
    """Rows of devices; their labels are kept once for all rows in which they are the same."""

    def __init__(self) -> None:
        self._labels: Shared[tuple[Label, ...]] = Shared()
        self._begins = array("q")
        self._numbers = array("d")
        self._gaps: dict[str, Sparse] = {}

    def append(self, devices: Mapping[str, DeviceEnergy]) -> None:
        labels: list[Label] = []
        numbers: list[float] = []
        for name, (joules, component, method, _, low, high, gap_seconds, tolerance, flags) in devices.items():
            labels.append((name, component, method, tolerance, flags))
            numbers += (nan if joules is None else joules, nan if low is None else low, nan if high is None else high)
            if gap_seconds:
                self._gaps.setdefault(name, Sparse()).put(len(self._begins), gap_seconds)
        self._labels.append(tuple(labels))
        self._begins.append(len(self._numbers))
        self._numbers.extend(numbers)

    def get(self, row: int, duration_seconds: float) -> dict[str, DeviceEnergy]:
        """Return the devices of a row.

        Args:
            row: Its position.
            duration_seconds: Its length in s.
        """
        at, devices = self._begins[row], {}
        for name, component, method, tolerance, flags in self._labels.get(row):
            joules, low, high = map(known, self._numbers[at : at + _NUMBERS])
            gap_seconds = (self._gaps[name].get(row) or 0.0) if name in self._gaps else 0.0
            devices[name] = DeviceEnergy(
                joules, component, method, duration_seconds, low, high, gap_seconds, tolerance, flags
            )
            at += _NUMBERS
        return devices

    def totals(self, duration_seconds: float) -> dict[str, DeviceEnergy]:
        """Return every device over all rows, in the order of its first, labelled with its least direct method.

        Args:
            duration_seconds: Length of all rows in s.
        """
        names = dict.fromkeys(label[0] for labels in self._labels.distinct for label in labels)
        return {name: self._total(name, duration_seconds) for name in names}

    def _total(self, name: str, duration_seconds: float) -> DeviceEnergy:
        own = [label for labels in self._labels.distinct for label in labels if label[0] == name]
        _, component, method, tolerance, _ = max(own, key=lambda label: _DIRECTNESS.index(label[2]))
        joules, low, high = (total(self._column(own, offset)) for offset in range(_NUMBERS))
        gap_seconds = sum(self._gaps[name].values) if name in self._gaps else 0.0
        flags = tuple(sorted({flag for label in own for flag in label[-1]}))
        return DeviceEnergy(joules, component, method, duration_seconds, low, high, gap_seconds, tolerance, flags)

    def measured_joules(self) -> float:
        """Return the energy that is not modelled, in J."""
        measured = [label for labels in self._labels.distinct for label in labels if label[2] != "modelled"]
        return total(self._column(measured, 0)) or 0.0

    def _column(self, wanted: Collection[Label], offset: int) -> list[float]:
        """Return one of the numbers, in all rows of the devices with certain labels."""
        return [
            self._numbers[at + offset]
            for index, labels in enumerate(self._labels.distinct)
            for place, label in enumerate(labels)
            if label in wanted
            for at in self._begins_of(index, place)
        ]

    def _begins_of(self, index: int, place: int) -> list[int]:
        """Return where the numbers begin of the device at a place, in the rows with one set of labels."""
        rows = zip(self._begins, self._labels.index, strict=True)
        return [begin + _NUMBERS * place for begin, other in rows if other == index]

    def pack(self) -> dict[str, Packed]:
        return {
            "labels": [[[*label[:-1], list(label[-1])] for label in labels] for labels in self._labels.distinct],
            "label": pack(self._labels.index),
            "numbers": [
                [self._packed_column(index, place) for place in range(len(labels))]
                for index, labels in enumerate(self._labels.distinct)
            ],
            "gaps": {name: gaps.pack() for name, gaps in self._gaps.items()},
        }

    def _packed_column(self, index: int, place: int) -> dict[str, Packed]:
        begins = self._begins_of(index, place)
        joules, low, high = ([self._numbers[at + offset] for at in begins] for offset in range(_NUMBERS))
        packed = {"joules": pack_numbers(joules)}
        return packed if low == joules == high else packed | {"low": pack_numbers(low), "high": pack_numbers(high)}

    @classmethod
    def unpack(cls, packed: Mapping[str, Packed]) -> Self:
        table = cls()
        distinct = [tuple((*label, tuple(flags)) for *label, flags in labels) for labels in packed["labels"]]
        length = 0
        for index in unpack(packed["label"]):
            table._labels.append(distinct[index])
            table._begins.append(length)
            length += _NUMBERS * len(distinct[index])
        table._numbers = array("d", bytes(array("d").itemsize * length))
        for index, columns in enumerate(packed["numbers"]):
            for place, column in enumerate(columns):
                table._fill(index, place, column)
        table._gaps = {name: Sparse.unpack(gaps) for name, gaps in packed["gaps"].items()}
        return table

    def _fill(self, index: int, place: int, column: Mapping[str, Packed]) -> None:
        joules = unpack_numbers(column["joules"])
        low, high = (unpack_numbers(column[bound]) if bound in column else joules for bound in ("low", "high"))
        for at, numbers in zip(self._begins_of(index, place), zip(joules, low, high, strict=True), strict=True):
            self._numbers[at : at + _NUMBERS] = array("d", numbers)
