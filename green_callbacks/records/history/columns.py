"""The columns of a history, and their types.

In typed columns a history takes about 40 times less memory than as a list of records.

Columns only grow. A reader says how many rows count. Values beyond them belong to a record that is being added, or
whose addition was interrupted.
"""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Hashable, Iterable, Sequence
from math import isnan
from typing import Any, Final, Generic, NamedTuple, Self, TypeVar

from green_callbacks.records.measurement_methods import Method

T = TypeVar("T", bound=Hashable)

Numbers = Any
"""An array of numbers of any type code. The standard library has no type for it."""

DeviceLabels = tuple[
    tuple[str, ...], tuple[str, ...], tuple[Method, ...], tuple[float, ...], tuple[tuple[str, ...], ...]
]
"""Names, components, methods, tolerances and flags of a row's devices, which rarely change."""

NO_DEVICES: Final[DeviceLabels] = ((), (), (), (), ())

NONE: Final = -(2**63)
"""Stands for None in a column of epochs. No epoch has this index, the smallest of a signed 64-bit integer."""

OPEN: Final = -1
"""Stands for a length while rows are being added. No history has this length."""

CLOSES: Final = 1
"""Bit of a mark. The row closes its epoch."""

COMPLETE: Final = 2
"""Bit of a mark. The row was not cut short."""

DEVICE_NUMBERS: Final = 3
"""Numbers per device of a row, which are energy, lower bound and upper bound, in J. ``NaN`` stands for None."""

PHASE_NUMBERS: Final = 2
"""Numbers per phase of a row, which are energy in J and time in s. ``NaN`` stands for an unknown energy."""

DENSE: Final = {
    "epoch": "q",
    "marks": "b",
    "started": "d",
    "duration": "d",
    "pue": "d",
    "joules": "d",
    "kg": "d",
    "kwh": "d",
    "seconds": "d",
    "low_kg": "d",
    "high_kg": "d",
}
"""Type codes of the columns that have a number in every row. From ``kg`` on, columns hold running sums."""

SPARSE: Final = {
    "steps": "q",
    "rates": "d",
    "samples": "d",
    "tokens": "d",
    "flops": "d",
    "waits": "d",
    "steps_done": "q",
    "merged_epochs": "q",
    "merged_parts": "q",
    "merged_outside": "d",
    "fits": "q",
}
"""Type codes of the columns that only some rows have.

``waits`` holds the time that training waited for data, in s.

In a thinned history a row may stand for several. ``merged_epochs`` and ``merged_parts`` count the other epochs and
parts that it contains. ``merged_outside`` is their energy outside epochs, in J. ``fits`` holds the first row of every
fit except the first fit, with the latest epoch before it. ``steps`` are the steps so far, and ``steps_done`` the steps
of the row itself.
"""

LATER: Final = frozenset({"steps_done", "waits"})
"""Columns that states of earlier versions do not have."""

NAMED: Final = ("metrics", "gaps", "most_joules")
"""Groups of columns by name.

They hold metrics, unmeasured seconds of devices, and the most expensive phases so far in J.
"""


class Column(NamedTuple):
    """The rows that have a value, and their values, both in order.

    Attributes:
        rows: Positions in the history.
        values: As many values.

    Example:
        >>> Column(rows=[0, 2], values=[0.5, 0.7]).values[-1]
        0.7
    """

    rows: Sequence[int]
    values: Sequence[float]


class Sparse:
    """A column that only some rows have. It holds their positions and values, both in order.

    Args:
        code: Type code of the values, ``d`` for floating-point numbers or ``q`` for whole numbers. Defaults to ``d``.
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
        """Return the entries of the first rows, without a copy unless there are more entries.

        Args:
            length: Number of rows that count.
        """
        rows, values = self.rows, self.values
        if (not rows or rows[-1] < length) and len(rows) == len(values):
            return Column(rows, values)
        end = bisect_left(rows, length)
        return Column(rows[:end], values[:end])

    def get(self, row: int) -> Any:  # noqa: ANN401  int or float, as the type code says
        """Return the value of a row. None if it has no value."""
        at = bisect_left(self.rows, row)
        return self.values[at] if at < len(self.rows) and self.rows[at] == row else None

    def latest(self, row: int, first: int = 0) -> Any:  # noqa: ANN401  likewise
        """Return the value of a row, or of the last row before it that has one. None if there is no such row.

        Args:
            row: The row.
            first: First row to search. Defaults to 0.
        """
        at = bisect_left(self.rows, row + 1) - 1
        return self.values[at] if at >= 0 and self.rows[at] >= first else None

    def between(self, first: int, end: int) -> Sequence[float]:
        """Return the values of the rows from one row up to another, which is excluded."""
        values: Sequence[float] = self.values[bisect_left(self.rows, first) : bisect_left(self.rows, end)]
        return values

    def copy(self, length: int, without: Collection[int] = ()) -> Self:
        """Return a copy of the entries of the first rows.

        Args:
            length: Number of rows that count.
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
    """A column of repeated values. Each distinct value is kept once."""

    __slots__ = ("_at", "_counted", "_known", "_last", "distinct", "index")

    def __init__(self) -> None:
        self.distinct: list[T] = []
        self.index = array("i")
        self._known: dict[T, int] = {}
        self._last: T | None = None
        self._at = -1
        self._counted = (0, 0)
        """A number of rows, and the number of distinct values in them. In one tuple, so that both change at once."""

    def append(self, value: T) -> int:
        """Add a value after the last value. Return its place among the distinct values."""
        if value is not self._last and (self._at < 0 or value != self._last):  # most are equal, and hashing is slow
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
        rows, count = self._counted
        if rows > length:
            rows = count = 0
        count = max(count, max(self.index[rows:length], default=-1) + 1)
        self._counted = (length, count)
        return self.distinct[:count]

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
    """Return the sum of the known values of such a column. None if no value is known."""
    numbers = values if isinstance(values, array) else list(values)
    whole = sum(numbers)
    if isnan(whole):  # only then are there unknown values to leave out, which takes ten times as long
        numbers = [value for value in numbers if not isnan(value)]
        whole = sum(numbers)
    return whole if numbers else None
