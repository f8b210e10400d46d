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
    """A least-squares line through values.

    Attributes:
        slope: Its slope, in units of y per unit of x.
        upper: Upper end of the one-sided 90 % confidence interval of the slope.
    """

    slope: float
    upper: float


def fit(xs: Sequence[float], ys: Sequence[float]) -> Trend | None:
    """Fit a straight line.

    Args:
        xs: Positions, not falling.
        ys: As many values, finite.

    Returns:
        The line; None where fewer than three values, or all at one position, leave it open.
    """
    count = len(xs)
    if count < MIN_VALUES or xs[-1] <= xs[0]:
        return None
    middle_x, middle_y = sum(xs) / count, sum(ys) / count
    dx = [x - middle_x for x in xs]
    dy = [y - middle_y for y in ys]
    squares = sum(map(mul, dx, dx))
    slope = sum(map(mul, dx, dy)) / squares
    residual = max(sum(map(mul, dy, dy)) - slope * slope * squares, 0.0)
    freedom = count - 2
    return Trend(slope, slope + _t90(freedom) * sqrt(residual / freedom / squares))


def _t90(freedom: int) -> float:
    """Return the 90 % quantile of Student's t: the table, then the first term of its expansion (Fisher 1926)."""
    if freedom <= len(_T90):
        return _T90[freedom - 1]
    return _Z90 + (_Z90**3 + _Z90) / (4 * freedom)
