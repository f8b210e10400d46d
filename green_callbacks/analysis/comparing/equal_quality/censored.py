"""Compares two sides of which some runs never reached the quality.

A mean over the runs that reached it would flatter the side whose runs often fail. So nothing is averaged. The log-rank
test compares, at each cost at which a run reached the quality, the runs of both sides that were still on their way. A
run that ended before counts until its last value.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from green_callbacks.analysis.comparing.equal_quality.ratio import CONFIDENCE, FEWEST, scipy_stats

_HALF: Final = 0.5 + 1e-9
"""Share of the runs that a median leaves. A ratio, with room for rounding."""

_MOST_RESAMPLES: Final = 1000
"""Largest number of permutations. Up to 6 against 6 runs they are all permutations. By choice, for a wait of 1 s."""


@dataclass(frozen=True, slots=True)
class Way:
    """How far a run went.

    Attributes:
        cost: Cost at which the run reached the quality, or its last cost before that.
        reached: Whether it reached the quality.

    Example:
        >>> Way(cost=0.4, reached=False).reached
        False
    """

    cost: float
    reached: bool


def log_rank_p(first: Sequence[Way], second: Sequence[Way]) -> float | None:
    """Return how often chance alone gives such a difference, by the log-rank test.

    The probability comes from exchanging runs between the sides. So it holds for few runs, too. It is exact up to 6
    against 6 runs.

    Args:
        first: The runs of the first side.
        second: The runs of the second side.

    Returns:
        A probability. None if no run reached the quality, or if a side has fewer than two runs.

    Raises:
        ConfigurationError: SciPy is missing.

    Example:
        >>> fast, slow = [Way(1.0 + at, True) for at in range(4)], [Way(9.0 + at, False) for at in range(4)]
        >>> round(log_rank_p(fast, slow), 3)
        0.029
    """
    ways = [*first, *second]
    if min(len(first), len(second)) < FEWEST or not any(way.reached for way in ways):
        return None
    found = scipy_stats().permutation_test(
        (range(len(first)), range(len(first), len(ways))),
        lambda one, other: _statistic([ways[int(at)] for at in one], [ways[int(at)] for at in other]),
        permutation_type="independent",
        n_resamples=_MOST_RESAMPLES,
        vectorized=False,
        random_state=0,  # the same ledgers give the same text
    )
    return float(found.pvalue)


def median_cost(ways: Sequence[Way]) -> float | None:
    """Return the cost by which half of the runs have reached the quality, by the estimate of Kaplan and Meier.

    Args:
        ways: The runs.

    Returns:
        The cost. None if fewer than half of them are known to have reached it.

    Raises:
        ConfigurationError: SciPy is missing.

    Example:
        >>> median_cost([Way(1.0, True), Way(2.0, True), Way(3.0, False)]), median_cost([Way(1.0, False)])
        (2.0, None)
    """
    if not any(way.reached for way in ways):
        return None
    remaining = scipy_stats().ecdf(_censored(ways)).sf
    steps = zip(remaining.quantiles, remaining.probabilities, strict=True)
    return next((float(cost) for cost, share in steps if share <= _HALF), None)


def is_shown(p_value: float | None) -> bool:
    """Return whether a probability shows a difference, with the confidence of the intervals.

    Args:
        p_value: The probability. None if it is not known.

    Example:
        >>> is_shown(0.03), is_shown(None)
        (True, False)
    """
    return p_value is not None and p_value <= 1 - CONFIDENCE


def _statistic(first: Sequence[Way], second: Sequence[Way]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where all runs that remain are of one side
        statistic = float(scipy_stats().logrank(_censored(first), _censored(second)).statistic)
    return statistic if statistic == statistic else 0.0  # noqa: PLR0124  not a number


def _censored(ways: Sequence[Way]) -> Any:  # noqa: ANN401  SciPy has no types
    reached = [way.cost for way in ways if way.reached]
    return scipy_stats().CensoredData(uncensored=reached, right=[way.cost for way in ways if not way.reached])
