"""Storage of a history: typed columns, some 40 times smaller than a list of records."""

from array import array
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Mapping
from math import isnan, nan
from typing import Any, Final, Generic, Self, TypeVar

from green_callbacks.records.device import DeviceEnergy, PhaseEnergy

T = TypeVar("T", bound=Hashable)

Packed = Any
"""What a column looks like in a checkpoint: plain JSON types, a constant column as one value and a length."""

Kind = tuple[str, str, float, tuple[str, ...]]
"""What rarely changes about a device: component, method, tolerance, flags."""

_DIRECTNESS: Final = ("counter", "sampled", "modelled")


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
        self._last: T | None = None
        self._at = -1

    def append(self, value: T) -> None:
        if self._at < 0 or (value is not self._last and value != self._last):  # most are the same: no need to hash them
            self._at = self._known.setdefault(value, len(self.distinct))
            if self._at == len(self.distinct):
                self.distinct.append(value)
            self._last = value
        self.index.append(self._at)

    def get(self, row: int) -> T:
        return self.distinct[self.index[row]]


class DeviceColumns:
    """The rows of one device; a row in which it is absent has no kind, one that was not measured has ``NaN``."""

    def __init__(self, length: int) -> None:
        self._kinds: Shared[Kind | None] = Shared()
        self._joules, self._low, self._high = array("d"), array("d"), array("d")
        self._gaps = Sparse()
        for _ in range(length):
            self.append(None)

    def append(self, device: DeviceEnergy | None) -> None:
        if device is None:
            self._kinds.append(None)
            joules = low = high = None
        else:
            joules, component, method, _, low, high, gap_seconds, tolerance, flags = device
            self._kinds.append((component, method, tolerance, flags))
            if gap_seconds:
                self._gaps.put(len(self._joules), gap_seconds)
        self._joules.append(nan if joules is None else joules)
        self._low.append(nan if low is None else low)
        self._high.append(nan if high is None else high)

    def get(self, row: int, duration_seconds: float) -> DeviceEnergy | None:
        kind = self._kinds.get(row)
        if kind is None:
            return None
        component, method, tolerance, flags = kind
        return DeviceEnergy(
            joules=known(self._joules[row]),
            low_joules=known(self._low[row]),
            high_joules=known(self._high[row]),
            component=component,
            method=method,  # type: ignore[arg-type]  # what goes in comes out
            duration_seconds=duration_seconds,
            gap_seconds=self._gaps.get(row) or 0.0,
            tolerance=tolerance,
            flags=flags,
        )

    def total(self, duration_seconds: float) -> DeviceEnergy:
        """Return all rows together, labelled with the least direct method."""
        kinds = [kind for kind in self._kinds.distinct if kind is not None]
        component, method, tolerance, _ = max(kinds, key=lambda kind: _DIRECTNESS.index(kind[1]))
        return DeviceEnergy(
            joules=total(self._joules),
            low_joules=total(self._low),
            high_joules=total(self._high),
            component=component,
            method=method,  # type: ignore[arg-type]  # what goes in comes out
            duration_seconds=duration_seconds,
            gap_seconds=sum(self._gaps.values),
            tolerance=tolerance,
            flags=tuple(sorted({flag for kind in kinds for flag in kind[3]})),
        )

    def measured_joules(self) -> float:
        """Return the energy of the rows that are not modelled, in J."""
        measured = {at for at, kind in enumerate(self._kinds.distinct) if kind and kind[1] != "modelled"}
        pairs = zip(self._joules, self._kinds.index, strict=True)
        return total(joules for joules, kind in pairs if kind in measured) or 0.0

    def pack(self) -> Packed:
        exact = self._low == self._joules == self._high
        return {
            "kinds": [kind and [*kind[:3], list(kind[3])] for kind in self._kinds.distinct],
            "kind": pack(self._kinds.index),
            "joules": pack_numbers(self._joules),
            "low": None if exact else pack_numbers(self._low),
            "high": None if exact else pack_numbers(self._high),
            "gaps": self._gaps.pack(),
        }

    @classmethod
    def unpack(cls, packed: Mapping[str, Packed]) -> Self:
        columns = cls(0)
        kinds = [kind and (kind[0], kind[1], kind[2], tuple(kind[3])) for kind in packed["kinds"]]
        for index in unpack(packed["kind"]):
            columns._kinds.append(kinds[index])
        columns._joules = unpack_numbers(packed["joules"])
        columns._low = unpack_numbers(packed["joules"] if packed["low"] is None else packed["low"])
        columns._high = unpack_numbers(packed["joules"] if packed["high"] is None else packed["high"])
        columns._gaps = Sparse.unpack(packed["gaps"])
        return columns


class PhaseColumns:
    """The rows of one phase; a row without it has ``NaN`` seconds."""

    def __init__(self, length: int) -> None:
        self._joules, self._seconds = array("d", [nan] * length), array("d", [nan] * length)
        self.most_joules = 0.0

    def append(self, phase: PhaseEnergy | None) -> None:
        joules, seconds = phase or (None, nan)
        self._seconds.append(seconds)
        self._joules.append(nan if joules is None else joules)
        if joules is not None and joules > self.most_joules:
            self.most_joules = joules

    def joules(self, row: int) -> float | None:
        return known(self._joules[row])

    def get(self, row: int) -> PhaseEnergy | None:
        seconds = known(self._seconds[row])
        return None if seconds is None else PhaseEnergy(self.joules(row), seconds)

    def pack(self) -> Packed:
        return {"joules": pack_numbers(self._joules), "seconds": pack_numbers(self._seconds)}

    @classmethod
    def unpack(cls, packed: Mapping[str, Packed]) -> Self:
        columns = cls(0)
        columns._joules = unpack_numbers(packed["joules"])
        columns._seconds = unpack_numbers(packed["seconds"])
        columns.most_joules = max((value for value in columns._joules if not isnan(value)), default=0.0)
        return columns


def known(value: float) -> float | None:
    """Return a value of a column in which ``NaN`` stands for None."""
    return None if isnan(value) else value


def total(values: Iterable[float]) -> float | None:
    """Return the sum of those values of such a column that are known; None if none is."""
    numbers = [value for value in values if not isnan(value)]
    return sum(numbers) if numbers else None


def pack_numbers(values: Iterable[float]) -> Packed:
    """Write such a column as plain JSON types."""
    return pack([known(value) for value in values])


def unpack_numbers(packed: Packed) -> "array[float]":
    """Read what :func:`pack_numbers` wrote."""
    return array("d", (nan if value is None else value for value in unpack(packed)))


def pack(values: Iterable[Any]) -> Packed:
    """Write a column as plain JSON types; one that is constant takes no room."""
    listed = list(values)
    if len(listed) > 1 and all(value == listed[0] for value in listed):
        return {"all": listed[0], "n": len(listed)}
    return listed


def unpack(packed: Packed) -> list[Any]:
    """Read what :func:`pack` wrote."""
    return [packed["all"]] * packed["n"] if isinstance(packed, dict) else list(packed)
