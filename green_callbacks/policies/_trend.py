"""How fast a metric rises with the energy spent, and how sure that is."""

from collections.abc import Sequence
from math import sqrt
from operator import mul
from typing import Final, NamedTuple

MIN_VALUES: Final = 3
"""The fewest values through which a line leaves anything to judge its scatter by."""

_T90: Final = (3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372)
_Z90: Final = 1.2816


class Trend(NamedTuple):
    """How fast a metric improves.

    Attributes:
        slope: Slope of the least-squares line, in units of the metric per kWh, positive where it improves.
        upper: Upper end of its one-sided 90 % confidence interval.
    """

    slope: float
    upper: float


def fit(kwh: Sequence[float], values: Sequence[float], *, rises: bool) -> Trend | None:
    """Fit a straight line.

    Args:
        kwh: Energy spent until each value, in kWh, not falling.
        values: The metric, finite.
        rises: Whether more of the metric is better.

    Returns:
        The trend; None where fewer than three values, or no energy between them, leave it open.
    """
    count = len(kwh)
    if count < MIN_VALUES or kwh[-1] <= kwh[0]:
        return None
    middle_kwh, middle_value = sum(kwh) / count, sum(values) / count
    dx = [x - middle_kwh for x in kwh]
    dy = [y - middle_value for y in values]
    squares = sum(map(mul, dx, dx))
    slope = sum(map(mul, dx, dy)) / squares
    residual = max(sum(map(mul, dy, dy)) - slope * slope * squares, 0.0)
    freedom = count - 2
    improving = slope if rises else -slope
    return Trend(improving, improving + _t90(freedom) * sqrt(residual / freedom / squares))


def _t90(freedom: int) -> float:
    """Return the 90 % quantile of Student's t: the table, then the first term of its expansion (Fisher 1926)."""
    if freedom <= len(_T90):
        return _T90[freedom - 1]
    return _Z90 + (_Z90**3 + _Z90) / (4 * freedom)
