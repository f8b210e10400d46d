"""Storage of a history: typed columns, some 40 times smaller than a list of records.

Columns only ever grow. Whoever reads them says how many rows count: what lies beyond is of a record that is being added
now, or of one whose addition was interrupted.
"""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Hashable, Iterable, Sequence
from math import isnan
from typing import Any, Generic, NamedTuple, Self, TypeVar

T = TypeVar("T", bound=Hashable)

Numbers = Any
"""An array of numbers of any type code; the types of the standard library have no name for that."""


class Column(NamedTuple):
    """The rows that have a value, and their values, both in order.

    Attributes:
        rows: Positions in the history.
        values: As many values.
    """

    rows: Sequence[int]
    values: Sequence[float]


class Sparse:
    """A column that few rows have: the rows and their values, both in order.

    Args:
        code: Type code of the values: ``d`` for floating-point numbers, ``q`` for whole ones. Defaults to ``d``.
    """

    __slots__ = ("rows", "values")

    def __init__(self, code: str = "d") -> None:
        self.rows = array("i")
        self.values: Numbers = array(code)

    def put(self, row: int, value: float) -> None:
        """Add a value after the last one."""
        self.rows.append(row)
        self.values.append(value)

    def until(self, length: int) -> Column:
        """Return what the first rows have, without a copy unless something lies beyond them.

        Args:
            length: How many rows count.
        """
        rows, values = self.rows, self.values
        if (not rows or rows[-1] < length) and len(rows) == len(values):
            return Column(rows, values)
        end = bisect_left(rows, length)
        return Column(rows[:end], values[:end])

    def get(self, row: int) -> Any:  # noqa: ANN401  int or float, as the type code says
        """Return the value of a row; None if it has none."""
        at = bisect_left(self.rows, row)
        return self.values[at] if at < len(self.rows) and self.rows[at] == row else None

    def latest(self, row: int, first: int = 0) -> Any:  # noqa: ANN401  likewise
        """Return the value of a row, or of the last before it that has one; None if none has.

        Args:
            row: The row.
            first: The row before which not to look. Defaults to 0.
        """
        at = bisect_left(self.rows, row + 1) - 1
        return self.values[at] if at >= 0 and self.rows[at] >= first else None

    def between(self, first: int, end: int) -> Sequence[float]:
        """Return the values of the rows from one on, before another."""
        values: Sequence[float] = self.values[bisect_left(self.rows, first) : bisect_left(self.rows, end)]
        return values

    def copy(self, length: int, without: Collection[int] = ()) -> Self:
        """Return a copy of what the first rows have.

        Args:
            length: How many rows count.
            without: Rows whose values to leave out. Defaults to none.
        """
        rows, values = self.until(length)
        copied = type(self)(self.values.typecode)
        if without:
            kept = [at for at, row in enumerate(rows) if row not in without]
            copied.rows = array("i", (rows[at] for at in kept))
            copied.values = array(self.values.typecode, (values[at] for at in kept))
        else:
            copied.rows, copied.values = array("i", rows), array(self.values.typecode, values)
        return copied


class Shared(Generic[T]):
    """A column of values that repeat: each distinct one is kept once."""

    __slots__ = ("_at", "_known", "_last", "distinct", "index")

    def __init__(self) -> None:
        self.distinct: list[T] = []
        self.index = array("i")
        self._known: dict[T, int] = {}
        self._last: T | None = None
        self._at = -1

    def append(self, value: T) -> int:
        """Add a value after the last one; return its place among the distinct ones."""
        if value is not self._last and (self._at < 0 or value != self._last):  # most are the same: no need to hash them
            self._at = self._known.setdefault(value, len(self.distinct))
            if self._at == len(self.distinct):
                self.distinct.append(value)
            self._last = value
        self.index.append(self._at)
        return self._at

    def get(self, row: int) -> T:
        """Return the value of a row."""
        return self.distinct[self.index[row]]

    def used(self, length: int) -> list[T]:
        """Return the distinct values of the first rows, in the order of their first use."""
        index = self.index if len(self.index) == length else self.index[:length]
        return self.distinct[: max(index, default=-1) + 1]

    def copy(self, length: int) -> Self:
        """Return a copy of the first rows."""
        copied = type(self)()
        copied.distinct = self.used(length)
        copied.index = self.index[:length]
        copied._known = {value: at for at, value in enumerate(copied.distinct)}  # noqa: SLF001  of its own kind
        return copied


def known(value: float) -> float | None:
    """Return a value of a column in which ``NaN`` stands for None."""
    return None if isnan(value) else value


def total(values: Iterable[float]) -> float | None:
    """Return the sum of those values of such a column that are known; None if none is."""
    numbers = [value for value in values if not isnan(value)]
    return sum(numbers) if numbers else None
