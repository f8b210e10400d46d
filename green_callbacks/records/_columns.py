"""Storage of a history: typed columns, some 40 times smaller than a list of records."""

from array import array
from bisect import bisect_left
from collections.abc import Hashable, Iterable
from math import isnan, nan
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T", bound=Hashable)

Packed = Any
"""What a column looks like in a checkpoint: plain JSON types, a constant column as one value and a length."""


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
