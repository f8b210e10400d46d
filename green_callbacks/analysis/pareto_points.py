"""The points of the front of emissions and quality: kept with a history, and added to as it grows."""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import overload

from green_callbacks.records import Column, History


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A new best of a metric, and what had been emitted until then.

    Attributes:
        epoch: The epoch; None for a row outside epochs.
        kg: Emissions so far, in kgCO2e.
        value: The metric.
        row: Position of its record in the history.
    """

    epoch: int | None
    kg: float
    value: float
    row: int


class _Bests:
    """Rows and values of the points: 16 bytes for each.

    A point is written at its own place, and counts once ``taken`` says so. So nothing is wrong where adding is cut
    short by an exception: it is done again, and what it has left at that place is written anew.
    """

    def __init__(self) -> None:
        self.rows = array("q")
        self.values = array("d")
        self.taken = (0, 0)
        """How many entries of the metric's column were looked at, and how many points there are."""

    def add(self, column: Column, kg: Sequence[float], end: int, *, rises: bool) -> int:
        """Add the new points of a metric's column; return how many there are."""
        seen, count = self.taken
        for at in range(seen, end):
            row, value = column.rows[at], column.values[at]
            best = self.values[count - 1] if count else None
            if not isfinite(value) or (best is not None and not (value > best if rises else value < best)):
                continue
            if count and kg[row] <= kg[self.rows[count - 1]]:
                count -= 1
            self._put(count, row, value)
            count += 1
        self.taken = max(seen, end), count
        return count

    def _put(self, at: int, row: int, value: float) -> None:
        while len(self.rows) <= at:
            self.rows.append(row)
        while len(self.values) <= at:
            self.values.append(value)
        self.rows[at], self.values[at] = row, value


class Front(Sequence[FrontPoint]):
    """The front as it is now, each point dearer and better than the one before; made on demand.

    In a run of 100,000 epochs that all improve, the newest point costs no more than in one of a hundred.

    Args:
        history: All records.
        metric: Key of the metric.
        mode: ``max`` or ``min``: which way it improves.
    """

    def __init__(self, history: History, metric: str, mode: str) -> None:
        column, self._kg = history.metric(metric), history.cumulative_kg
        bests = history.memo((__name__, metric, mode), _Bests)
        end = bisect_left(column.rows, min(len(history), len(self._kg)))
        self._history, self._bests = history, bests
        self._count = bests.add(column, self._kg, end, rises=mode == "max")

    def __len__(self) -> int:
        """Return the number of points."""
        return self._count

    def __iter__(self) -> Iterator[FrontPoint]:
        """Make the points one by one."""
        return (self._point(at) for at in range(self._count))

    @overload
    def __getitem__(self, at: int) -> FrontPoint: ...

    @overload
    def __getitem__(self, at: slice) -> list[FrontPoint]: ...

    def __getitem__(self, at: int | slice) -> FrontPoint | list[FrontPoint]:
        """Return one point, or a list of them for a slice."""
        places = range(self._count)[at]
        return self._point(places) if isinstance(places, int) else [self._point(each) for each in places]

    def _point(self, at: int) -> FrontPoint:
        row = self._bests.rows[at]
        return FrontPoint(self._history.epoch_at(row), self._kg[row], self._bests.values[at], row)


def chosen(points: Sequence[FrontPoint], among: Collection[int] | None) -> Sequence[FrontPoint]:
    """Return the points of a front that have one of some rows, in their order.

    Args:
        points: The front.
        among: The rows; all unless given.
    """
    if among is None:
        return points
    found = ((row, bisect_left(points, row, key=lambda point: point.row)) for row in sorted(set(among)))
    return [points[at] for row, at in found if at < len(points) and points[at].row == row]
