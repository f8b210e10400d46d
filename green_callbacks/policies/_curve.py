"""The learning curve that a rule looks at: a metric against the energy spent."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Self

from green_callbacks.policies._metric_mode import Direction
from green_callbacks.records import Column, History


@dataclass(frozen=True, slots=True)
class Curve:
    """The finite values of a metric and the rows where they were fresh.

    Attributes:
        rows: Positions in the history.
        values: As many values, turned so that more is better.
        kwh: Facility energy up to and with each row of the history, in kWh.
    """

    rows: Sequence[int]
    values: Sequence[float]
    kwh: Sequence[float]

    @classmethod
    def of(cls, history: History, column: Column, way: Direction) -> Self:
        """Take the curve of a metric from a history.

        Args:
            history: All records so far.
            column: The metric's fresh values.
            way: Which way it improves.
        """
        rows, values = column
        if not isfinite(sum(values)):
            known = [(row, value) for row, value in zip(rows, values, strict=True) if isfinite(value)]
            rows, values = [row for row, _ in known], [value for _, value in known]
        if way == "min":
            values = [-value for value in values]
        return cls(rows, values, history.cumulative_kwh)

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self.rows)

    @property
    def spent_kwh(self) -> float:
        """Energy up to the last value, in kWh."""
        return self.kwh[self.rows[-1]]

    @property
    def best(self) -> float:
        """The best value so far."""
        return max(self.values)

    @property
    def whole_gain(self) -> float:
        """What the run has gained since its first value; at least 0."""
        return self.best - self.values[0]

    def before(self, kwh: float) -> int:
        """Return the index of the last value that was fresh when at most this energy was spent; -1 if none was.

        Args:
            kwh: Facility energy in kWh.
        """
        return bisect_right(self.rows, kwh, key=self.kwh.__getitem__) - 1

    def gained_since(self, index: int) -> float:
        """Return how much better the best is now than it was at a value; at least 0.

        Args:
            index: Index of the value.
        """
        return self.best - max(self.values[: index + 1])

    def window(self, start: int) -> tuple[Sequence[float], Sequence[float]]:
        """Return energies, in kWh, and values from an index to the end.

        Args:
            start: Index of the first value.
        """
        rows = self.rows[start:]
        if rows[-1] - rows[0] == len(rows) - 1:
            return self.kwh[rows[0] : rows[-1] + 1], self.values[start:]
        return [self.kwh[row] for row in rows], self.values[start:]
