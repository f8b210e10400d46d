"""The learning curve that a rule looks at: a metric against the energy spent."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, Self

from green_callbacks.records import Column, History
from green_callbacks.records.plan import before

_ENOUGH: Final = 50
_ROUNDING: Final = 1e-9
"""Of equal epochs, one ends at exactly half of the energy; that must not depend on how sums round."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The finite values of a metric in the present fit, and the energy spent until each.

    Attributes:
        rows: Positions in the history where the metric was fresh.
        values: As many values.
        kwh: Facility energy up to and with each row of the history, in kWh.
        before_kwh: How much of it was spent before the present fit.
        spent_kwh: Energy of the present fit up to the last value, in kWh.
        rises: Whether more of the metric is better.
        best: The best value.
    """

    rows: Sequence[int]
    values: Sequence[float]
    kwh: Sequence[float]
    before_kwh: float
    spent_kwh: float
    rises: bool
    best: float

    @classmethod
    def of(cls, history: History, column: Column, *, rises: bool) -> Self:
        """Take the curve of a metric from a history.

        Args:
            history: All records so far.
            column: The metric's fresh values, of which the last is of the present fit and finite.
            rises: Whether more of the metric is better.
        """
        rows, values = column
        if history.fit_row:
            first = bisect_left(rows, history.fit_row)
            rows, values = rows[first:], values[first:]
        if not isfinite(sum(values)):
            known = [(row, value) for row, value in zip(rows, values, strict=True) if isfinite(value)]
            rows, values = [row for row, _ in known], [value for _, value in known]
        kwh, best = history.cumulative_kwh, max(values) if rises else min(values)
        earlier_kwh = before(history, kwh)
        return cls(rows, values, kwh, earlier_kwh, kwh[rows[-1]] - earlier_kwh, rises, best)

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self.rows)

    @property
    def whole_gain(self) -> float:
        """What the run has gained since its first value; at least 0."""
        return self.turned(self.best - self.values[0])

    def turned(self, difference: float) -> float:
        """Return a difference or a slope of the metric turned so that better is more.

        Args:
            difference: In units of the metric.
        """
        return difference if self.rises else -difference

    def spent_until(self, row: int) -> float:
        """Return the energy of the present fit up to and with a row, in kWh; row -1 is before all.

        Args:
            row: Position in the history.
        """
        return self.kwh[row] - self.before_kwh if row >= 0 else 0.0

    def before(self, kwh: float) -> int:
        """Return the index of the last value that was fresh when at most this energy was spent; -1 if none was.

        Args:
            kwh: Facility energy of the present fit in kWh.
        """
        most_kwh = kwh + _ROUNDING * self.spent_kwh + self.before_kwh
        return bisect_right(self.rows, most_kwh, key=self.kwh.__getitem__) - 1

    def gained_since(self, index: int) -> float:
        """Return how much better the best is now than it was at a value; at least 0.

        Args:
            index: Index of the value.
        """
        until = self.values[: index + 1]
        return self.turned(self.best - (max(until) if self.rises else min(until)))

    def since(self, index: int) -> tuple[Sequence[float], Sequence[float]]:
        """Return energies, in kWh, and values from an index to the end.

        Args:
            index: Index of the first value.

        Returns:
            All of them, or so many in equal steps that a decision costs the same in a run of ten thousand epochs.
        """
        step = 1 + (len(self) - index) // _ENOUGH
        kept = slice(index + (len(self) - 1 - index) % step, None, step)
        return [self.kwh[row] - self.before_kwh for row in self.rows[kept]], self.values[kept]
