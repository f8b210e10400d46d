"""Compares two sides of which some runs never reached the quality.

A mean over the runs that reached it would flatter the side whose runs often fail. So nothing is averaged. The log-rank
test compares, at each cost at which a run reached the quality, the runs of both sides that did not have it yet.

A run that came to its end without the quality never reaches it, for any cost. If it counted until its end only, a side
whose runs fail early would look better than a side whose runs all succeed later. A run that was killed or still runs
counts until its last value, because nobody knows what comes next.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from sys import float_info
from typing import Any, Final, NamedTuple

from green_callbacks.analysis.comparing.equal_quality.ratio import CONFIDENCE, FEWEST, scipy_stats
from green_callbacks.analysis.comparing.equal_quality.reaching import Quantity, Side, spent_without

_HALF: Final = 0.5 + 1e-9
"""Share of the runs that a median leaves. A ratio, with room for rounding."""

_MOST_RESAMPLES: Final = 1000
"""Largest number of permutations. Up to 6 against 6 runs they are all permutations. By choice, for a wait of 1 s."""


@dataclass(frozen=True, slots=True)
class Way:
    """How far a run went.

    Attributes:
        cost: Cost at which the run reached the quality, or up to which it is known not to have it. It is infinite for a
            run that came to its end without it.
        reached: Whether it reached the quality.

    Example:
        >>> Way(cost=0.4, reached=False).reached
        False
    """

    cost: float
    reached: bool


class LogRank(NamedTuple):
    """What the log-rank test says about two sides.

    Attributes:
        p_value: Probability of such a difference by chance alone.
        is_sooner: Whether the runs of the first side reached the quality for less, or more often.

    Example:
        >>> LogRank(p_value=0.01, is_sooner=True).is_shown
        True
    """

    p_value: float
    is_sooner: bool

    @property
    def is_shown(self) -> bool:
        """Whether a difference is shown, with the confidence of the intervals."""
        return self.p_value <= 1 - CONFIDENCE


def ways_of(side: Side, quantity: Quantity) -> list[Way]:
    """Return how far the runs of a side went.

    Args:
        side: The side.
        quantity: The quantity of the costs.

    Example:
        >>> ways_of(Side("baseline", reached=[]), "energy")
        []
    """
    reached = [Way(each.cost(quantity) or 0.0, reached=True) for each in side.reached]
    missed = [inf if run.is_closed else spent_without(run, quantity) or 0.0 for run in side.missed]
    return [*reached, *(Way(cost, reached=False) for cost in missed)]


def log_rank(first: Sequence[Way], second: Sequence[Way]) -> LogRank | None:
    """Return how often chance alone gives such a difference, by the log-rank test.

    The probability comes from exchanging runs between the sides. So it holds for few runs, too. It is exact up to 6
    against 6 runs.

    Args:
        first: The runs of the first side.
        second: The runs of the second side.

    Returns:
        A probability, and the better side. None if no run reached the quality, or if a side has fewer than two runs.

    Raises:
        ConfigurationError: SciPy is missing.

    Example:
        >>> fast, slow = [Way(1.0 + at, True) for at in range(4)], [Way(9.0 + at, False) for at in range(4)]
        >>> found = log_rank(fast, slow)
        >>> round(found.p_value, 3), found.is_sooner
        (0.029, True)
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
    return LogRank(float(found.pvalue), is_sooner=bool(found.statistic > 0))


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


def _statistic(first: Sequence[Way], second: Sequence[Way]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where all runs that remain are of one side
        statistic = float(scipy_stats().logrank(_censored(first), _censored(second)).statistic)
    return statistic if statistic == statistic else 0.0  # noqa: PLR0124  not a number


def _censored(ways: Sequence[Way]) -> Any:  # noqa: ANN401  SciPy has no types
    reached = [way.cost for way in ways if way.reached]
    missed = [min(way.cost, float_info.max) for way in ways if not way.reached]  # SciPy takes no infinite value
    return scipy_stats().CensoredData(uncensored=reached, right=missed)
