"""Storage of a history: typed columns, some 40 times smaller than a list of records."""

from array import array
from bisect import bisect_left
from collections.abc import Hashable, Mapping
from math import isnan, nan
from typing import Any, Generic, Self, TypeVar

from green_callbacks.records.device import DeviceEnergy, PhaseEnergy

T = TypeVar("T", bound=Hashable)

Packed = Any
"""What a column looks like in a checkpoint: plain JSON types, a constant column as one value and a length."""


class Numbers:
    """A dense column of numbers in which None may stand; ``NaN`` marks it."""

    def __init__(self) -> None:
        self.values = array("d")

    def append(self, value: float | None) -> None:
        self.values.append(nan if value is None else value)

    def pad(self, length: int) -> None:
        missing = length - len(self.values)
        if missing > 0:
            self.values.extend([nan] * missing)

    def get(self, row: int) -> float | None:
        value = self.values[row]
        return None if isnan(value) else value

    def pack(self) -> Packed:
        return pack([None if isnan(value) else value for value in self.values])

    @classmethod
    def unpack(cls, packed: Packed) -> Self:
        column = cls()
        column.values = array("d", (nan if value is None else value for value in unpack(packed)))
        return column


class Sparse:
    """A column that few rows have: the rows and their values, both in order."""

    def __init__(self) -> None:
        self.rows = array("q")
        self.values = array("d")

    def put(self, row: int, value: float | None) -> None:
        if value is not None:
            self.rows.append(row)
            self.values.append(value)

    def drop(self, rows: set[int]) -> None:
        kept = [(row, value) for row, value in zip(self.rows, self.values, strict=True) if row not in rows]
        self.rows = array("q", (row for row, _ in kept))
        self.values = array("d", (value for _, value in kept))

    def get(self, row: int) -> float | None:
        at = bisect_left(self.rows, row)
        return self.values[at] if at < len(self.rows) and self.rows[at] == row else None

    def pack(self) -> Packed:
        return {"rows": list(self.rows), "values": [str(v) if v - v != 0 else v for v in self.values]}

    @classmethod
    def unpack(cls, packed: Packed) -> Self:
        column = cls()
        column.rows = array("q", packed["rows"])
        column.values = array("d", (float(value) for value in packed["values"]))
        return column


class Shared(Generic[T]):
    """A column of values that repeat: each distinct one is kept once."""

    def __init__(self) -> None:
        self.distinct: list[T] = []
        self.index = array("q")
        self._known: dict[T, int] = {}

    def append(self, value: T) -> None:
        if self.index and value is self.distinct[self.index[-1]]:  # most are: no need to hash them
            self.index.append(self.index[-1])
            return
        at = self._known.setdefault(value, len(self.distinct))
        if at == len(self.distinct):
            self.distinct.append(value)
        self.index.append(at)

    def get(self, row: int) -> T:
        return self.distinct[self.index[row]]


Kind = tuple[str, str, float, tuple[str, ...]]
"""What rarely changes about a device: component, method, tolerance, flags."""


class DeviceColumns:
    """The rows of one device; a row in which it is absent has no kind."""

    def __init__(self, length: int) -> None:
        self.kinds: Shared[Kind | None] = Shared()
        self.joules, self.low, self.high = Numbers(), Numbers(), Numbers()
        self.gaps = Sparse()
        for _ in range(length):
            self.append(None)

    def append(self, device: DeviceEnergy | None) -> None:
        if device is None:
            self.kinds.append(None)
            joules = low = high = None
        else:
            self.kinds.append((device.component, device.method, device.tolerance, device.flags))
            joules, low, high = device.joules, device.low_joules, device.high_joules
            self.gaps.put(len(self.joules.values), device.gap_seconds or None)
        self.joules.append(joules)
        self.low.append(low)
        self.high.append(high)

    def get(self, row: int, duration_seconds: float) -> DeviceEnergy | None:
        kind = self.kinds.get(row)
        if kind is None:
            return None
        component, method, tolerance, flags = kind
        return DeviceEnergy(
            joules=self.joules.get(row),
            low_joules=self.low.get(row),
            high_joules=self.high.get(row),
            component=component,
            method=method,  # type: ignore[arg-type]  # what goes in comes out
            duration_seconds=duration_seconds,
            gap_seconds=self.gaps.get(row) or 0.0,
            tolerance=tolerance,
            flags=flags,
        )

    def pack(self) -> Packed:
        exact = self.low.values == self.joules.values == self.high.values
        return {
            "kinds": [kind and [*kind[:3], list(kind[3])] for kind in self.kinds.distinct],
            "kind": pack(list(self.kinds.index)),
            "joules": self.joules.pack(),
            "low": None if exact else self.low.pack(),
            "high": None if exact else self.high.pack(),
            "gaps": self.gaps.pack(),
        }

    @classmethod
    def unpack(cls, packed: Mapping[str, Packed]) -> Self:
        columns = cls(0)
        kinds = [kind and (kind[0], kind[1], kind[2], tuple(kind[3])) for kind in packed["kinds"]]
        for index in unpack(packed["kind"]):
            columns.kinds.append(kinds[index])
        columns.joules = Numbers.unpack(packed["joules"])
        columns.low = Numbers.unpack(packed["joules"] if packed["low"] is None else packed["low"])
        columns.high = Numbers.unpack(packed["joules"] if packed["high"] is None else packed["high"])
        columns.gaps = Sparse.unpack(packed["gaps"])
        return columns


class PhaseColumns:
    """The rows of one phase; a row without it has no seconds."""

    def __init__(self, length: int) -> None:
        self.joules, self.seconds = Numbers(), Numbers()
        self.joules.pad(length)
        self.seconds.pad(length)
        self.most_joules = 0.0

    def append(self, phase: PhaseEnergy | None) -> None:
        joules, seconds = phase or (None, None)
        self.joules.append(joules)
        self.seconds.append(seconds)
        if joules is not None and joules > self.most_joules:
            self.most_joules = joules

    def get(self, row: int) -> PhaseEnergy | None:
        seconds = self.seconds.get(row)
        return None if seconds is None else PhaseEnergy(self.joules.get(row), seconds)

    def pack(self) -> Packed:
        return {"joules": self.joules.pack(), "seconds": self.seconds.pack()}

    @classmethod
    def unpack(cls, packed: Mapping[str, Packed]) -> Self:
        columns = cls(0)
        columns.joules = Numbers.unpack(packed["joules"])
        columns.seconds = Numbers.unpack(packed["seconds"])
        columns.most_joules = max((value for value in columns.joules.values if not isnan(value)), default=0.0)
        return columns


def pack(values: list[Any]) -> Packed:
    """Write a column as plain JSON types; one that is constant takes no room."""
    if len(values) > 1 and all(value == values[0] for value in values):
        return {"all": values[0], "n": len(values)}
    return values


def unpack(packed: Packed) -> list[Any]:
    """Read what :func:`pack` wrote."""
    return [packed["all"]] * packed["n"] if isinstance(packed, dict) else list(packed)
