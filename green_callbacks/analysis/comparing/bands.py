"""The quality of a group of runs against their spending, as the mean of the runs and the band that they span."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Final, NamedTuple

from green_callbacks.analysis.comparing.quality_curve import QualityCurve

__all__ = ["BandPoint", "band_of"]

_MOST_POINTS: Final = 500
"""Largest number of points of a band. A picture has about as many columns of dots for a short step."""

_LEAST_SHARE: Final = 0.5
"""Smallest share of a group's runs whose mean is shown, as a ratio. Fewer runs would not stand for the group."""


class BandPoint(NamedTuple):
    """The quality of a group for an amount. It holds until the next point.

    Attributes:
        amount: The amount, in the unit of the curves.
        mean: Mean over the runs.
        low: Lowest value of a run.
        high: Highest value of a run.
        runs: Number of runs that spent the amount and had a value by then.

    Example:
        >>> BandPoint(amount=0.5, mean=0.9, low=0.88, high=0.91, runs=5).runs
        5
    """

    amount: float
    mean: float
    low: float
    high: float
    runs: int


def band_of(curves: Sequence[QualityCurve], most: int = _MOST_POINTS) -> list[BandPoint]:
    """Return the band of a group, wherever at least half of its runs have a value.

    Args:
        curves: The runs of the group.
        most: Largest number of points. Defaults to 500.

    Returns:
        The points by rising amount. Empty if no run has a value.

    Example:
        >>> curves = [QualityCurve("a", [1.0, 2.0], [0.5, 0.75], 2.0), QualityCurve("b", [1.0], [0.25], 2.0)]
        >>> [(point.amount, point.mean, point.low, point.high) for point in band_of(curves)]
        [(1.0, 0.375, 0.25, 0.5), (2.0, 0.5, 0.25, 0.75)]
    """
    known = [curve for curve in curves if curve.total is not None]
    least = max(1, -int(-_LEAST_SHARE * len(curves) // 1))
    points = []
    for amount in _amounts(known, most):
        values = [value for curve in known if (value := _value(curve, amount)) is not None]
        if len(values) >= least:
            points.append(BandPoint(amount, fmean(values), min(values), max(values), len(values)))
    return points


def _value(curve: QualityCurve, amount: float) -> float | None:
    """Return the value of a run at a point of a picture. A run that ends near the amount keeps its last value."""
    if curve.is_short_of(amount):
        return None
    return curve.value_after(bisect_right(curve.spent, amount))


def _amounts(curves: Sequence[QualityCurve], most: int) -> Iterator[float]:
    """Yield the amounts at which a value of a run changes or a run ends."""
    ends = {curve.total for curve in curves if curve.total is not None and curve.spent}
    steps = sorted({amount for curve in curves for amount in curve.spent} | ends)
    if len(steps) <= most:
        yield from steps
        return
    for at in range(most):
        yield steps[round(at * (len(steps) - 1) / (most - 1))]
