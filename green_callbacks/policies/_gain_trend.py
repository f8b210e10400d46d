"""The slope of a metric against the energy spent, with its confidence."""

from collections.abc import Sequence
from math import hypot, isfinite, sqrt
from operator import mul
from typing import Final, NamedTuple

from green_callbacks.policies._number_scaling import power_of, times_two_to

MIN_VALUES: Final = 3
"""Fewest values of a line fit that leave a degree of freedom for the scatter."""

_Z90: Final = 1.2816
"""90 % quantile of the standard normal distribution. No unit."""

_FIRST_TERM: Final = (_Z90**3 + _Z90) / 4
"""First term of Fisher's expansion of Student's t at ``_Z90`` (Abramowitz and Stegun 26.7.5). No unit."""
_SECOND_TERM: Final = (5 * _Z90**5 + 16 * _Z90**3 + 3 * _Z90) / 96
"""Second term of that expansion. No unit."""

_LEAST: Final = 1e-100
"""Smallest scatter of values, in units of the metric, whose square keeps all its digits."""
_MOST: Final = 1e100
"""Largest scatter of values, in units of the metric, whose square does not overflow."""


class Trend(NamedTuple):
    """The slope of a metric against the logarithm of the energy. Learning curves are nearly straight against it.

    Attributes:
        slope: Slope of the least-squares line. It is the gain of the metric while the energy grows by a factor of e,
            positive if the metric improves. Infinite if it is too large for a number.
        upper: Upper end of the one-sided 90 % confidence interval of the slope.
    """

    slope: float
    upper: float

    def upper_at(self, margin: float) -> float:
        """Return the upper end of an interval of another width.

        Args:
            margin: Width of the interval, as a multiple of the 90 % interval. At least 1.
        """
        return self.upper if margin == 1 else self.slope + margin * (self.upper - self.slope)


def fit(folds: Sequence[float], values: Sequence[float], *, rises: bool) -> Trend | None:
    """Fit a straight line through the values, against the logarithm of the energy.

    Args:
        folds: Natural logarithm of the energy spent until each value, in ascending order.
        values: The metric, finite.
        rises: Whether more of the metric is better.

    Returns:
        The trend. None if there are fewer than three values, or no energy before or between them.
    """
    count = len(folds)
    if count < MIN_VALUES or not isfinite(folds[0]):
        return None
    middle_fold, middle_value = sum(folds) / count, sum(values) / count
    dx = [x - middle_fold for x in folds]
    dy = [y - middle_value for y in values]
    length, height = hypot(*dx), hypot(*dy)
    if not length:
        return None
    if not _LEAST < height < _MOST:
        return _fit_scaled(folds, values, rises=rises)
    slope = sum(map(mul, dx, dy)) / (length * length)
    rise = slope * length
    residual = max((height - rise) * (height + rise), 0.0)
    freedom = count - 2
    improving = slope if rises else -slope
    return Trend(improving, improving + _t90(freedom) * sqrt(residual / freedom) / length)


def slope_of(folds: Sequence[float], values: Sequence[float], *, rises: bool) -> float | None:
    """Return only the slope of that line, which takes less time.

    Args:
        folds: Natural logarithm of the energy spent until each value, in ascending order.
        values: The metric, finite.
        rises: Whether more of the metric is better.
    """
    count = len(folds)
    if count < MIN_VALUES or not isfinite(folds[0]):
        return None
    middle_fold, middle_value = sum(folds) / count, sum(values) / count
    dx = [x - middle_fold for x in folds]
    length = hypot(*dx)
    slope = sum(map(mul, dx, [y - middle_value for y in values])) / (length * length) if length else 0.0
    if not _LEAST < abs(slope) < _MOST:
        trend = fit(folds, values, rises=rises)
        return trend and trend.slope
    return slope if rises else -slope


def _fit_scaled(folds: Sequence[float], values: Sequence[float], *, rises: bool) -> Trend | None:
    """Fit the line to values of a size whose squares are finite, and scale the line back."""
    if all(value == values[0] for value in values):
        return Trend(0.0, 0.0)
    power = power_of(values)
    trend = fit(folds, [times_two_to(-power, value) for value in values], rises=rises)
    return trend and Trend(*(times_two_to(power, slope) for slope in trend))


def _t90(freedom: int) -> float:
    """Return the 90 % quantile of Student's t, by two terms of Fisher's expansion (Abramowitz and Stegun 26.7.5).

    The error is below 1 % from 3 degrees of freedom on. At 1 degree, for three values, the result is 12 % too low.
    """
    return _Z90 + _FIRST_TERM / freedom + _SECOND_TERM / (freedom * freedom)
