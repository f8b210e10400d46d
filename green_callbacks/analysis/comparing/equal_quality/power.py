"""How many runs would show a difference of a given size."""

from collections.abc import Sequence
from math import hypot, log, sqrt
from statistics import stdev
from typing import Final

from green_callbacks.analysis.comparing.equal_quality.ratio import CONFIDENCE, scipy_stats

POWER: Final = 0.8
"""Probability with which a true difference of the given size would be shown. A ratio. By convention.

Example:
    >>> POWER
    0.8
"""

MOST_RUNS: Final = 10_000
"""Largest number of runs of a side that is searched. Nobody makes more for one comparison.

Example:
    >>> MOST_RUNS
    10000
"""


def runs_needed(first: Sequence[float], second: Sequence[float], size: float, *, paired: bool = False) -> int | None:
    """Return how many runs of each side would show a difference, with a probability of 80 %.

    The spread of the costs is taken from the runs so far. Of a few runs it is a rough guess.

    Args:
        first: Costs of the runs of the first side, above 0, at least two, and not all equal.
        second: Costs of the runs of the second side.
        size: Relative difference, for example 0.1 for 10 %.
        paired: Whether the runs at the same place of both sides have the same seed. Defaults to False.

    Returns:
        Number of runs of each side, at least 2. None for more than 10,000.

    Raises:
        ConfigurationError: SciPy is missing.

    Example:
        >>> runs_needed([4.0, 4.4, 4.2], [4.1, 4.5, 4.2], size=0.1)
        6
    """
    logs = [[log(cost) for cost in costs] for costs in (first, second)]
    spread = stdev(one - other for one, other in zip(*logs, strict=True)) if paired else hypot(*map(stdev, logs))
    effect = log(1 + size) / spread
    low, high = 1, 2
    while _power(effect, high, paired=paired) < POWER:
        if high >= MOST_RUNS:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _power(effect, middle, paired=paired) < POWER:
            low = middle
        else:
            high = middle
    return high if high <= MOST_RUNS else None


def _power(effect: float, runs: int, *, paired: bool) -> float:
    """Return the probability that a t-test shows a difference, in units of the spread of one difference."""
    stats = scipy_stats()
    freedom = runs - 1 if paired else 2 * (runs - 1)
    beyond = stats.t.isf((1 - CONFIDENCE) / 2, freedom)
    shift = effect * sqrt(runs)
    return float(stats.nct.sf(beyond, freedom, shift) + stats.nct.cdf(-beyond, freedom, shift))
