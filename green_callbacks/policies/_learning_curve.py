"""A metric against the energy spent, which is the learning curve that a rule judges."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log
from typing import Final, Self

from green_callbacks.policies._metric_values import Values
from green_callbacks.records import History

_ENOUGH: Final = 50
"""Largest number of values in a line fit. A decision must cost the same in a run of 100,000 epochs. By experiment in
``bench_decisions``.
"""

_ROUNDING: Final = 1e-9
"""Relative error of energies. Of equal epochs, one ends at exactly half of the energy, and rounding must not decide on
which side.
"""


@dataclass(frozen=True, slots=True)
class Curve:
    """The finite values of a metric in the present fit, with the energy spent until each value.

    Attributes:
        rows: Positions in the history where the metric was fresh.
        values: As many values.
        bests: The best value up to and including each value.
        count: Number of values of this curve. The columns may be longer.
        folds: Natural logarithm of the facility energy of the present fit at each value, in kWh.
        kwh: Facility energy up to and including each row of the history, in kWh.
        before_kwh: Energy spent before the present fit, in kWh.
        spent_kwh: Energy of the present fit up to the last value, in kWh.
        rises: Whether more of the metric is better.
    """

    rows: Sequence[int]
    values: Sequence[float]
    bests: Sequence[float]
    folds: Sequence[float]
    count: int
    kwh: Sequence[float]
    before_kwh: float
    spent_kwh: float
    rises: bool

    @classmethod
    def of(cls, history: History, metric: str, *, rises: bool) -> Self:
        """Take the curve of a metric from a history.

        Args:
            history: All records so far.
            metric: Key of the metric. Its last value must be of the present fit and finite.
            rises: Whether more of the metric is better.
        """
        known, count = Values.of(history, metric, rises=rises)
        kwh, before_kwh = history.cumulative_kwh, known.before_kwh
        return cls(
            rows=known.rows,
            values=known.values,
            bests=known.bests,
            folds=known.folds,
            count=count,
            kwh=kwh,
            before_kwh=before_kwh,
            spent_kwh=kwh[known.rows[count - 1]] - before_kwh,
            rises=rises,
        )

    def __len__(self) -> int:
        """Return the number of values."""
        return self.count

    @property
    def last_row(self) -> int:
        """Row of the last value."""
        return self.rows[self.count - 1]

    @property
    def best(self) -> float:
        """The best value."""
        return self.bests[self.count - 1]

    @property
    def whole_gain(self) -> float:
        """Gain since the first value, at least 0, in units of the metric."""
        return self.turned(self.best - self.values[0])

    def way_to(self, value: float) -> float:
        """Return the gain from the first value to another value, below 0 if the first value is better.

        Args:
            value: The other value.
        """
        return self.turned(value - self.values[0])

    def turned(self, difference: float) -> float:
        """Return a difference or a slope of the metric with the sign that makes more better.

        Args:
            difference: The difference, in units of the metric.
        """
        return difference if self.rises else -difference

    def spent_until(self, row: int) -> float:
        """Return the energy of the present fit up to and including a row, in kWh.

        Args:
            row: Position in the history. -1 stands for the beginning.
        """
        return self.kwh[row] - self.before_kwh if row >= 0 else 0.0

    def before(self, kwh: float) -> int:
        """Return the index of the last value by which at most this energy was spent. -1 if there is no such value.

        Args:
            kwh: Facility energy of the present fit, in kWh.
        """
        most_kwh = kwh + _ROUNDING * self.spent_kwh
        return bisect_right(self.folds, log(most_kwh) if most_kwh > 0 else -inf, 0, self.count) - 1

    def gained_since(self, index: int) -> float:
        """Return the gain of the best value since a value, at least 0.

        Args:
            index: Index of the value.
        """
        return self.turned(self.best - self.bests[index])

    def since(self, index: int) -> tuple[Sequence[float], Sequence[float]]:
        """Return the logarithms of the energy and the values, from an index to the end.

        Args:
            index: Index of the first value.

        Returns:
            All of them, or at most about fifty in equal steps, so that a decision costs the same in a long run.
        """
        step = 1 + (self.count - index) // _ENOUGH
        kept = slice(index + (self.count - 1 - index) % step, self.count, step)
        return self.folds[kept], self.values[kept]
