"""The quality of a run against its spending, which is energy, emissions or time."""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import isfinite, nan
from typing import Final, Literal, Self

from green_callbacks.analysis.comparing.compared_run import ComparedRun
from green_callbacks.analysis.comparing.run_points import RunPoint
from green_callbacks.metrics import Metric

__all__ = ["TOLERANCE", "Axis", "Kept", "QualityCurve"]

Axis = Literal["energy", "emissions", "time"]
"""What a run spends. Energy of the computers in kWh, emissions in kgCO2e, or time in s.

Example:
    >>> axis: Axis = "energy"
"""

Kept = Literal["best", "last"]
"""Which value counts, the best value so far or the last value.

Example:
    >>> kept: Kept = "best"
"""

TOLERANCE: Final = 0.05
"""Ratio within which a run's total equals an amount. By experiment, because runs of one plan differ by 1 to 3 %.

Example:
    >>> TOLERANCE
    0.05
"""

_ROUNDING: Final = 0.005
"""Ratio by which a value may cost more than an amount, because amounts are written with three digits."""


@dataclass(frozen=True)
class QualityCurve:
    """The values of a metric in the order of their spending. A value holds until the next value.

    Attributes:
        run_id: Name of the run.
        spent: Spending at each value, in kWh, kgCO2e or s, rising.
        values: The value that counts from there on. It is no number from there on if the last value counts and is none.
        total: Spending of the whole run. None if nothing was measured.
        anneals: Whether the learning rate of the run fell towards the end of its plan. Defaults to False.
        seed: Seed of the run. Defaults to None, if unknown.
        is_closed: Whether the run was closed. Otherwise it was killed or is still running. Defaults to True.
        ends_in_none: Whether the last value of the run was no number, as after a training diverged. Defaults to False.

    Example:
        >>> curve = QualityCurve("digits", spent=[1.0, 2.0], values=[0.6, 0.8], total=2.0)
        >>> curve.value_at(1.5), curve.value_at(0.5)
        (0.6, None)
    """

    run_id: str
    spent: Sequence[float]
    values: Sequence[float]
    total: float | None
    anneals: bool = False
    seed: str | None = None
    is_closed: bool = True
    ends_in_none: bool = False

    @classmethod
    def of(cls, run: ComparedRun, metric: Metric, axis: Axis, kept: Kept = "best") -> Self:
        """Read the curve of a run. No value that is not finite counts as the best value.

        Args:
            run: The run, with points of the metric.
            metric: The metric.
            axis: What the run spends.
            kept: Which value counts. Defaults to ``best``.

        Example:
            >>> from pathlib import Path
            >>> from green_callbacks.analysis.comparing.run_points import RunPoint, RunPoints
            >>> points = [RunPoint(at, value, at + 1.0, 0.1, 60.0) for at, value in enumerate([0.6, 0.8, 0.7])]
            >>> run = ComparedRun(run_id="digits", path=Path("a.jsonl"), points=RunPoints(points), kwh=3.0)
            >>> curve = QualityCurve.of(run, Metric("val_acc", "max"), "energy")
            >>> list(curve.values), curve.total
            ([0.6, 0.8, 0.8], 3.0)
        """
        known = [point for point in run.points if kept == "last" or isfinite(point.value)]
        values = [point.value for point in known]
        return cls(
            run_id=run.run_id,
            spent=array("d", (_spent(point, axis) for point in known)),
            values=array("d", accumulate(values, max if metric.rises else min) if kept == "best" else values),
            total=run.kwh if axis == "energy" else run.kg if axis == "emissions" else run.seconds,
            anneals=run.conditions.anneals,
            seed=run.seed,
            is_closed=run.is_closed,
            ends_in_none=bool(run.points) and not isfinite(run.points[-1].value),
        )

    def value_at(self, amount: float) -> float | None:
        """Return the value that the run had for an amount. Nothing is extrapolated.

        A run whose total equals the amount within 5 % counts with its whole run. A value counts if its spending equals
        the amount in three digits.

        Args:
            amount: The amount, in the unit of the curve.

        Returns:
            The value. None if the run spent less, or had no value by then.
        """
        if self.total is None or self.is_short_of(amount):
            return None
        at = len(self.spent) if self.ends_by(amount) else bisect_right(self.spent, amount * (1 + _ROUNDING))
        return self.value_after(at)

    def value_after(self, count: int) -> float | None:
        """Return the value that holds after so many values. None without one, or if it is no number.

        Args:
            count: Number of values.
        """
        value = self.values[count - 1] if count else nan
        return value if isfinite(value) else None

    def is_short_of(self, amount: float) -> bool:
        """Whether the run spent more than 5 % less than an amount.

        Args:
            amount: The amount, in the unit of the curve.
        """
        return self.total is None or self.total < amount * (1 - TOLERANCE)

    def ends_by(self, amount: float) -> bool:
        """Whether the run was over when it had spent an amount, within 5 %.

        Args:
            amount: The amount, in the unit of the curve.
        """
        return self.total is not None and self.total <= amount * (1 + TOLERANCE)


def _spent(point: RunPoint, axis: Axis) -> float:
    return point.kwh if axis == "energy" else point.kg if axis == "emissions" else point.seconds
