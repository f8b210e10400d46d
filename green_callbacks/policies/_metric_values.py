"""The finite values of a metric in one fit, kept with a history and extended as it grows."""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from math import inf, isfinite, log
from typing import NamedTuple, Self, TypeVar

from green_callbacks.records import Column, History

Number = TypeVar("Number", int, float)


class Taken(NamedTuple):
    """Progress of reading a metric.

    Attributes:
        seen: Number of entries of the metric's column that were read.
        known: Number of finite values of the fit among them.
    """

    seen: int
    known: int


class Values:
    """The values of one metric in one fit, with 32 bytes for each value.

    Every entry depends only on the records before it, and is written at its own place. It counts once ``_taken``
    includes it. So an exception, a signal handler or another thread may interrupt an addition. The addition is then
    done again, with the same result.

    Args:
        fit_row: First row of the fit.
        first: First entry of the metric's column that belongs to the fit.
        before_kwh: Facility energy before the fit, in kWh.
        rises: Whether more of the metric is better.

    Attributes:
        rows: Positions in the history where the metric was fresh and finite.
        values: As many values.
        bests: The best value up to and including each value.
        folds: Natural logarithm of the facility energy of the fit at each value, in kWh. Minus infinity before any
            energy.
    """

    def __init__(self, fit_row: int, first: int, before_kwh: float, *, rises: bool) -> None:
        self.fit_row = fit_row
        self.before_kwh = before_kwh
        self.rows = array("q")
        self.values = array("d")
        self.bests = array("d")
        self.folds = array("d")
        self._rises = rises
        self._taken = Taken(first, 0)

    @classmethod
    def of(cls, history: History, metric: str, *, rises: bool) -> tuple[Self, int]:
        """Take the values of a metric in the present fit, from the values that are kept and from new records.

        Args:
            history: All records so far.
            metric: Key of the metric.
            rises: Whether more of the metric is better.

        Returns:
            The values, and their number.
        """
        column, kwh = history.metric(metric), history.cumulative_kwh
        kept: list[Self] = history.memo((__name__, metric, rises), list)
        known = next(iter(kept), None)
        if known is None or known.fit_row != history.fit_row:
            first = bisect_left(column.rows, history.fit_row)
            known = cls(history.fit_row, first, history.before_fit(kwh), rises=rises)
            kept[:] = [known]
        return known, known.add(column, kwh, whole(column.rows, min(len(history), len(kwh))))

    def add(self, column: Column, kwh: Sequence[float], end: int) -> int:
        """Add the new entries of the metric's column.

        Args:
            column: Rows where the metric was fresh, and its values.
            kwh: Facility energy up to and including each row of the history, in kWh.
            end: Number of entries of the column to read.

        Returns:
            Number of values.
        """
        seen, count = self._taken
        if seen >= end:
            return count
        better = max if self._rises else min
        for at in range(seen, end):
            row, value = column.rows[at], column.values[at]
            if isfinite(value):
                spent_kwh = kwh[row] - self.before_kwh
                _put(self.rows, count, row)
                _put(self.values, count, value)
                _put(self.bests, count, better(self.bests[count - 1], value) if count else value)
                _put(self.folds, count, log(spent_kwh) if spent_kwh > 0 else -inf)
                count += 1
        self._taken = Taken(end, count)
        return count


def whole(rows: Sequence[int], length: int) -> int:
    """Return the number of a column's entries that belong to complete records of the history.

    Args:
        rows: Positions in the history, in order.
        length: Number of records in the history.
    """
    end = len(rows)
    while end and rows[end - 1] >= length:
        end -= 1
    return end


def _put(column: "array[Number]", at: int, value: Number) -> None:
    """Write a value at its place, over the value of an earlier attempt."""
    while len(column) <= at:
        column.append(value)
    column[at] = value
