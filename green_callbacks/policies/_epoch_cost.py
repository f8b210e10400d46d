"""What an epoch will cost from here on, as a range."""

from collections.abc import Sequence
from itertools import takewhile
from math import hypot, pi, sqrt
from operator import mul
from statistics import median
from typing import Final, NamedTuple, Self

from green_callbacks.policies._number_scaling import power_of, times_two_to

LAST: Final = 20
"""Epochs further back than this are not looked at: costs drift, and a decision must cost the same in a long run."""

_SURE: Final = 5
"""From so many epochs on they are trusted to know their own noise."""

_FLOOR_UNSURE: Final = 0.10
_FLOOR: Final = 0.02
"""Least half-width, as a share of the cost; epochs of one machine are less independent than their noise says."""

_DRIFT: Final = 0.3
"""How much of itself a cost is expected to drift over a whole run (one standard deviation), before any is seen."""

_CLEAR: Final = 3.0
"""A slope of so many variances beyond its noise is believed rather than doubted."""

_DEAR: Final = 1.3
"""An epoch so many times dearer than usual holds something that others do not: a validation, a checkpoint."""

_NEW_LEVEL: Final = 1.2
STEP_EPOCHS: Final = 3
"""So many epochs in a row, all this much dearer or all this much cheaper than usual, are what is usual from now on."""

_SAME_LEVEL: Final = 1.01
"""Costs that differ by less are the same."""

_Z95: Final = 1.6449
"""The 95 % quantile of the normal distribution: a two-sided range of 90 %."""

_MOST_ALIKE: Final = 0.8
"""The highest correlation of neighbours that a few epochs can show."""

_SHORTEST: Final = 2
"""The fewest epochs from which anything can be said of others."""

_SLOPE_EPOCHS: Final = 3
"""The fewest epochs that show a slope."""


_LEAST: Final = 1e-100
_MOST: Final = 1e100
"""Costs beyond these, in any unit, are brought to another size: their squares may lose digits or overflow."""


class Range(NamedTuple):
    """A likely range: nine of ten lie within.

    Attributes:
        low: Its lower end.
        expected: The single number to expect.
        high: Its upper end.
    """

    low: float
    expected: float
    high: float

    def after(self, spent: float, epochs: float) -> Self:
        """Return the total of what is spent and of epochs that cost this each.

        Args:
            spent: What is spent, in the unit of the range.
            epochs: How many epochs are to come.
        """
        return type(self)(*(spent + epochs * cost for cost in self))


def pace(costs: Sequence[float], ahead: float) -> Range:
    """Return what an epoch will cost on average over those to come, as a likely range.

    Around the median lies what the epochs' own noise leaves open (a t-interval of the median and of the mean to come),
    and, on the side to which they drift, the drift carried on. The drift is a straight line shrunk towards none: a
    normal prior of 30 % over the run, widened by what is clearly seen. A single dear epoch may recur or not: it
    counts in the high end only. A step behind (progressive resizing, unfreezing, another user of the machine) is
    expected to stay, and the range covers that it does not; one yet to come is not foreseen.

    Args:
        costs: Cost of each of the last epochs, the first of the run left out; two or more.
        ahead: How many epochs are to come.
    """
    dearest = max(costs)
    if dearest > 0 and not _LEAST < dearest < _MOST:
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
    dear = [cost - usual for cost in costs if cost > _DEAR * usual]
    extra = sum(dear) / count
    recurring = extra if len(dear) > 1 else 0.0
    alike = costs if len(dear) > 1 else [min(max(cost, usual / _DEAR), _DEAR * usual) for cost in costs]
    slope, margin, scatter = _drift(alike, level, ahead)
    # The variance of a median is pi/2 times that of a mean.
    noise = _t95(max(count - 2, 1)) * scatter * sqrt(pi / 2 / later + 1 / max(ahead, 1.0))
    floor = level * (_FLOOR if count >= _SURE else _FLOOR_UNSURE)
    lag = (later + ahead) / 2  # from the middle of the epochs that set the level to the middle of those to come
    up, down = max(slope + margin, 0.0) * lag, min(slope - margin, 0.0) * lag
    low = level + recurring - max(floor, hypot(noise, down))
    return Range(max(low, 0.0), level + recurring, level + extra + max(floor, hypot(noise, up)))


def has_stepped(costs: Sequence[float]) -> bool:
    """Tell whether the last epoch is the one that makes a step in the cost certain.

    Args:
        costs: Cost of each of the last epochs.
    """
    return len(costs) >= STEP_EPOCHS + _SHORTEST and _since_step(costs) == STEP_EPOCHS


def is_new_level(costs: Sequence[float]) -> bool:
    """Tell whether the last three epochs are on a level that those before did not know, but for a tenth of them.

    Args:
        costs: Cost of each epoch, as far back as a level is remembered.
    """
    since, earlier = costs[-STEP_EPOCHS:], sorted(costs[:-STEP_EPOCHS])
    tenth = len(earlier) // 10
    return min(since) > _SAME_LEVEL * earlier[-1 - tenth] or _SAME_LEVEL * max(since) < earlier[tenth]


def _usual(costs: Sequence[float]) -> Sequence[float]:
    """Return the last epochs from the last step in their cost on."""
    count = _since_step(costs)
    return costs[-count:] if count >= STEP_EPOCHS else costs


def _since_step(costs: Sequence[float]) -> int:
    middle = median(costs)
    dearer = sum(1 for _ in takewhile(lambda cost: cost > _NEW_LEVEL * middle, reversed(costs)))
    cheaper = sum(1 for _ in takewhile(lambda cost: cost * _NEW_LEVEL < middle, reversed(costs)))
    return max(dearer, cheaper)


def _drift(costs: Sequence[float], level: float, ahead: float) -> tuple[float, float, float]:
    """Return the drift per epoch, the half-width of its 90 % range, and the scatter around it."""
    count = len(costs)
    centre, mean = (count - 1) / 2, sum(costs) / count
    squares = count * (count * count - 1) / 12
    slope = sum(map(mul, range(count), costs)) / squares - count * centre * mean / squares
    straight = slope if count >= _SLOPE_EPOCHS else 0.0
    start = mean - straight * centre
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
    """Return by how much the variance of a mean grows as neighbours are alike: the load of a shared machine lasts.

    (1 + r) / (1 - r) of a first-order autoregression with the residuals' correlation r from one epoch to the next.
    """
    if not squares:
        return 1.0
    correlation: float = sum(map(mul, residuals, residuals[1:])) / squares
    alike = min(max(correlation, 0.0), _MOST_ALIKE)
    return (1 + alike) / (1 - alike)


def _t95(freedom: int) -> float:
    """Return the 95 % quantile of Student's t, by three terms of Fisher's expansion (Abramowitz and Stegun 26.7.5).

    Within 1 % of it from 3 degrees of freedom on.
    """
    z = _Z95
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
