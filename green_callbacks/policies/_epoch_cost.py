"""The expected cost of the remaining epochs, as a range."""

from collections.abc import Sequence
from itertools import takewhile
from math import hypot, pi, sqrt
from operator import mul
from statistics import median
from typing import Final, NamedTuple, Self

from green_callbacks.policies._number_scaling import power_of, times_two_to

LAST: Final = 20
"""Number of recent epochs that are used. Costs drift, and a decision must cost the same in a long run. By experiment in
``bench_forecast``.
"""

_SURE: Final = 5
"""Number of epochs from which the half-width may be as small as ``_FLOOR``. By experiment in ``bench_forecast``."""

_FLOOR_UNSURE: Final = 0.10
"""Smallest half-width with few epochs, as a share of the cost. By experiment in ``bench_forecast``."""
_FLOOR: Final = 0.02
"""Smallest half-width, as a share of the cost. Epochs of one machine are less independent than their noise suggests. By
experiment in ``bench_forecast``.
"""

_DRIFT: Final = 0.3
"""Standard deviation of the drift of a cost over a whole run, as a share of the cost. This is the prior before any
drift is observed. By experiment in ``bench_forecast``.
"""

_CLEAR: Final = 3.0
"""Number of noise variances above which the square of a slope counts as a real drift. By experiment in
``bench_forecast``.
"""

_EXPENSIVE: Final = 1.3
"""Ratio to the usual cost above which an epoch contains something that others do not, such as a validation. By
experiment in ``bench_forecast``.
"""

_NEW_LEVEL: Final = 1.2
"""Ratio to the usual cost beyond which an epoch may be on a new level. By experiment in ``bench_forecast``."""
STEP_EPOCHS: Final = 3
"""Number of epochs in a row beyond ``_NEW_LEVEL`` that make a new level certain. By experiment in
``bench_forecast``.
"""

_SAME_LEVEL: Final = 1.01
"""Ratio of two costs below which they count as equal. By experiment in ``bench_forecast``."""

_Z95: Final = 1.6449
"""95 % quantile of the standard normal distribution, for a two-sided range of 90 %. No unit."""

_MOST_ALIKE: Final = 0.8
"""Highest correlation of neighboring epochs that a few epochs can show. By experiment in ``bench_forecast``."""

_SHORTEST: Final = 2
"""Fewest epochs before a step, without which there is no usual cost."""

_SLOPE_EPOCHS: Final = 3
"""Fewest epochs that show a slope. Two epochs leave no degree of freedom."""


_LEAST: Final = 1e-100
"""Smallest cost, in any unit, whose square keeps all its digits."""
_MOST: Final = 1e100
"""Largest cost, in any unit, whose square does not overflow."""


class Range(NamedTuple):
    """A range that contains the true value in nine of ten runs.

    Attributes:
        low: Lower end.
        expected: The best single prediction.
        high: Upper end.

    Example:
        >>> Range(low=0.9, expected=1.0, high=1.2).after(spent=5.0, epochs=10)
        Range(low=14.0, expected=15.0, high=17.0)
    """

    low: float
    expected: float
    high: float

    def after(self, spent: float, epochs: float) -> Self:
        """Return the total of past spending and of future epochs that each cost this range.

        Args:
            spent: Past spending, in the unit of the range.
            epochs: Number of future epochs.
        """
        return type(self)(*(spent + epochs * cost for cost in self))


def pace(costs: Sequence[float], ahead: float) -> Range:
    """Return the mean cost of the remaining epochs, as a range.

    The expected value is the median. The width covers the noise of the epochs, as a t-interval of the median and of the
    future mean. On the side of the drift, the width also covers the drift if it continues. The drift is the slope of a
    straight line, shrunk towards zero. Its prior has a standard deviation of 30 % over the run, and grows with a clear
    slope.

    A single expensive epoch may or may not recur, so it counts only in the upper end. A step in the past is expected to
    stay, for example after progressive resizing or when another user comes to the machine. The range also covers a
    return to the level before the step. Future steps are not predicted.

    Args:
        costs: Cost of each of the last epochs, in any unit. Two or more, without the first epoch of the run.
        ahead: Number of remaining epochs.
    """
    highest = max(costs)
    if highest > 0 and not _LEAST < highest < _MOST:
        power = power_of(costs)
        scaled = pace([times_two_to(-power, cost) for cost in costs], ahead)
        return Range(*(times_two_to(power, end) for end in scaled))
    since = _usual(costs)
    settled = _around(since, ahead)
    if len(since) == len(costs):
        return settled
    low, _, high = _around(costs, ahead)
    return Range(min(low, settled.low), settled.expected, max(high, settled.high))


def _around(costs: Sequence[float], ahead: float) -> Range:
    count, usual = len(costs), median(costs)
    later = min(max(4, (count + 1) // 2), count)
    level = median(costs[-later:])
    expensive = [cost - usual for cost in costs if cost > _EXPENSIVE * usual]
    extra = sum(expensive) / count
    recurring = extra if len(expensive) > 1 else 0.0
    alike = costs if len(expensive) > 1 else [min(max(cost, usual / _EXPENSIVE), _EXPENSIVE * usual) for cost in costs]
    slope, margin, scatter = _drift(alike, level, ahead)
    # The variance of a median is pi/2 times the variance of a mean.
    noise = _t95(max(count - 2, 1)) * scatter * sqrt(pi / 2 / later + 1 / max(ahead, 1.0))
    floor = level * (_FLOOR if count >= _SURE else _FLOOR_UNSURE)
    lag = (later + ahead) / 2  # from the middle of the epochs that set the level to the middle of future epochs
    up, down = max(slope + margin, 0.0) * lag, min(slope - margin, 0.0) * lag
    low = level + recurring - max(floor, hypot(noise, down))
    return Range(max(low, 0.0), level + recurring, level + extra + max(floor, hypot(noise, up)))


def has_stepped(costs: Sequence[float]) -> bool:
    """Return whether the last epoch makes a step in the cost certain.

    Args:
        costs: Cost of each of the last epochs.
    """
    return len(costs) >= STEP_EPOCHS + _SHORTEST and _since_step(costs) == STEP_EPOCHS


def is_new_level(costs: Sequence[float]) -> bool:
    """Return whether the cost of the last three epochs is new, except for a tenth of the earlier epochs.

    Args:
        costs: Cost of each epoch, as far back as levels are remembered.
    """
    since, earlier = costs[-STEP_EPOCHS:], sorted(costs[:-STEP_EPOCHS])
    tenth = len(earlier) // 10
    return min(since) > _SAME_LEVEL * earlier[-1 - tenth] or _SAME_LEVEL * max(since) < earlier[tenth]


def _usual(costs: Sequence[float]) -> Sequence[float]:
    """Return the costs since the last step."""
    count = _since_step(costs)
    return costs[-count:] if count >= STEP_EPOCHS else costs


def _since_step(costs: Sequence[float]) -> int:
    middle = median(costs)
    higher = sum(1 for _ in takewhile(lambda cost: cost > _NEW_LEVEL * middle, reversed(costs)))
    lower = sum(1 for _ in takewhile(lambda cost: cost * _NEW_LEVEL < middle, reversed(costs)))
    return max(higher, lower)


def _drift(costs: Sequence[float], level: float, ahead: float) -> tuple[float, float, float]:
    """Return the drift per epoch, the half-width of its 90 % range, and the scatter around it."""
    count = len(costs)
    center, mean = (count - 1) / 2, sum(costs) / count
    squares = count * (count * count - 1) / 12
    slope = sum(map(mul, range(count), costs)) / squares - count * center * mean / squares
    straight = slope if count >= _SLOPE_EPOCHS else 0.0
    start = mean - straight * center
    residuals = [cost - start - straight * at for at, cost in enumerate(costs)]
    residual = sum(map(mul, residuals, residuals))
    scatter = sqrt(residual / max(count - 2, 1) * _persistence(residuals, residual))
    noise = scatter * scatter / squares
    expected_drift = _DRIFT * level / (count + 1 + ahead)
    prior = expected_drift * expected_drift
    if count > _SLOPE_EPOCHS:
        prior += max(slope * slope - _CLEAR * noise, 0.0)
    if not prior:
        return 0.0, 0.0, scatter
    share = prior / (prior + noise)
    return slope * share, _Z95 * sqrt(share * noise), scatter


def _persistence(residuals: Sequence[float], squares: float) -> float:
    """Return the factor by which the variance of a mean grows because neighboring epochs are alike.

    The factor is (1 + r) / (1 - r) for a first-order autoregression, where r is the correlation of the residuals from
    one epoch to the next. Neighbors are alike where the load of a shared machine lasts.
    """
    if not squares:
        return 1.0
    correlation: float = sum(map(mul, residuals, residuals[1:])) / squares
    alike = min(max(correlation, 0.0), _MOST_ALIKE)
    return (1 + alike) / (1 - alike)


def _t95(freedom: int) -> float:
    """Return the 95 % quantile of Student's t, by three terms of Fisher's expansion (Abramowitz and Stegun 26.7.5).

    The error is below 1 % from 3 degrees of freedom on.
    """
    z = _Z95
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
