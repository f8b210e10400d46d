"""The finite values of a metric in one fit, and the best at each: kept with a history, and added to as it grows."""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from math import inf, isfinite, log
from typing import NamedTuple, Self, TypeVar

from green_callbacks.records import Column, History

Number = TypeVar("Number", int, float)


class Taken(NamedTuple):
    """How far a metric has been taken over.

    Attributes:
        seen: How many entries of the metric's column have been looked at.
        known: How many of them are values of the fit, and finite.
    """

    seen: int
    known: int


class Values:
    """What is known of one metric in one fit: 32 bytes for each value.

    Every entry depends on the records before it alone, is written at its own place, and counts once ``_taken`` says so.
    So nothing is wrong where adding is cut short by an exception, or is done by a signal handler or another thread at
    the same time: it is done again, with the same result.

    Args:
        fit_row: First row of the fit.
        first: The first entry of the metric's column that is of the fit.
        before_kwh: Facility energy that was spent before the fit, in kWh.
        rises: Whether more of the metric is better.

    Attributes:
        rows: Positions in the history where the metric was fresh and finite.
        values: As many values.
        bests: The best value up to and with each.
        folds: Natural logarithm of the facility energy of the fit up to and with each, in kWh; minus infinity where
            none was spent.
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
        """Take the values of a metric in the present fit of a history, from what is kept of them and what is new.

        Args:
            history: All records so far.
            metric: Key of the metric.
            rises: Whether more of the metric is better.

        Returns:
            The values, and how many of them there are.
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
        """Add what is new in the column of the metric.

        Args:
            column: The rows where the metric was fresh, and its values.
            kwh: Facility energy up to and with each row of the history, in kWh.
            end: How many entries of the column to look at.

        Returns:
            How many values there are.
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
    """Return how many entries of a column are of records that are in the history as a whole.

    Args:
        rows: Positions in the history, in order.
        length: Number of records in the history.
    """
    end = len(rows)
    while end and rows[end - 1] >= length:
        end -= 1
    return end


def _put(column: "array[Number]", at: int, value: Number) -> None:
    """Write a value at its place, whatever an earlier attempt has left there."""
    while len(column) <= at:
        column.append(value)
    column[at] = value
