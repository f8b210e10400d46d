"""The ratio of two sides' costs, with the interval that chance allows. SciPy does the statistics.

Costs are compared as logarithms, because methods and seeds multiply a cost. So the ratio is that of the geometric
means, a run that costs much more than the others counts less, and a ratio of 2 is as far from 1 as a ratio of 0.5.

With as many runs on both sides the interval is Student's, with one spread for both sides. Where one side scatters more
than twice as much as the other, it is Welch's. By experiment with 20,000 repetitions of 3, 4, 5 and 10 runs a side,
this covers the truth in 94.0 to 96.5 %, for log-normal, exponential and gamma costs and for spreads that differ up to
tenfold. Welch's interval alone covers 94.3 to 96.7 %, and so is wider than it need be. Student's alone covers as little
as 89.6 %.

With more runs on one side it is the wider one of both intervals, because a few runs may be alike by luck, and Welch's
interval believes them. By experiment, Welch's alone covers the truth in 89.7 % with 2 against 10 log-normal runs. With
4 against 30 runs, of which a tenth cost 2.7 times as much, it covers 81.7 %. The wider interval covers 97.7 and 99.9 %.

With the same seeds on both sides the interval is that of the differences between the runs of a seed.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, exp, log
from statistics import fmean, stdev
from types import ModuleType
from typing import Final, Literal, NamedTuple

from green_callbacks.errors import ConfigurationError
from green_callbacks.text.optional_packages import optional_package

CONFIDENCE: Final = 0.95
"""Confidence of every interval. A ratio. By convention.

Example:
    >>> CONFIDENCE
    0.95
"""

Method = Literal["paired", "pooled", "welch"]
"""The interval is of differences between the runs of a seed, of Student, or of Welch."""

_UNPAIRED: Final[tuple[Method, Method]] = ("pooled", "welch")

_MOST_UNLIKE: Final = 2.0
"""Ratio of two spreads above which they are not pooled. By experiment, see the module."""

_NO_SPREAD: Final = 1e-9
"""Spread of logarithms below which costs are the same. It is far above rounding and far below any sensor."""

_NEWEST: Final = "logrank"
"""The newest function of SciPy that a comparison needs. It came with SciPy 1.11, as the interval of a t-test did."""

FEWEST: Final = 2
"""Number of runs of a side below which nothing tells its spread. By the definition of a spread.

Example:
    >>> FEWEST
    2
"""

_LARGEST_LOG: Final = 700.0
"""Largest logarithm of a ratio. Its exponential still is a number of double precision, so that a forged ledger has one.
"""

_MOST_RESAMPLES: Final = 20_000
"""Largest number of permutations. Up to 8 against 8 runs they are all permutations. By choice, for a second's wait."""

_MOST_AT_ONCE: Final = 1_000_000
"""Largest number of permuted costs in memory, of about 50 bytes each. By choice, so that any group can be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """The ratio of the costs of the first side to those of the second.

    Attributes:
        estimate: Ratio of the geometric means.
        low: Lower end of the interval. Defaults to None, without an interval.
        high: Upper end of the interval. Defaults to None, without an interval.
        p_value: Probability of such a difference by chance alone. Defaults to None, without an interval.
        permutation_p: The same probability by permutations, without any assumption on the distribution. Defaults to
            None, if unknown.
        method: Method of the interval. Defaults to None, without an interval.
        runs: Number of runs of both sides. Defaults to no runs.
        why_none: Why there is no interval, ``few`` runs or no ``spread``. Defaults to None, with an interval.

    Example:
        >>> Ratio(estimate=0.8, low=0.7, high=0.9, p_value=0.01, method="welch", runs=(5, 4)).is_shown
        True
    """

    estimate: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    permutation_p: float | None = None
    method: Method | None = None
    runs: tuple[int, int] = (0, 0)
    why_none: Literal["few", "spread"] | None = None

    @property
    def is_shown(self) -> bool:
        """Whether the interval leaves out a ratio of 1, so that there is a difference."""
        return self.low is not None and self.high is not None and not self.low <= 1 <= self.high


def scipy_stats() -> ModuleType:
    """Return ``scipy.stats``.

    Raises:
        ConfigurationError: SciPy is missing or too old, or cannot be loaded.

    Example:
        >>> scipy_stats().__name__
        'scipy.stats'
    """
    stats = optional_package("scipy", "stats", what="A comparison", name="SciPy", extra="compare").stats
    if not hasattr(stats, _NEWEST):
        msg = "A comparison needs a newer SciPy. Run pip install --upgrade 'green-callbacks[compare]'."
        raise ConfigurationError(msg)
    found: ModuleType = stats
    return found


def ratio_of(first: Sequence[float], second: Sequence[float], *, paired: bool = False) -> Ratio:
    """Compare the costs of two sides.

    Args:
        first: Costs of the runs of the first side, above 0, in any unit.
        second: Costs of the runs of the second side, in the same unit.
        paired: Whether the runs at the same place of both sides have the same seed. Defaults to False.

    Raises:
        ConfigurationError: SciPy is missing.

    Example:
        >>> ratio = ratio_of([4.0, 4.2, 4.1], [5.0, 5.3, 5.1])
        >>> f"{ratio.estimate:.2f} ({ratio.low:.2f} to {ratio.high:.2f})", ratio.method
        ('0.80 (0.75 to 0.85)', 'pooled')
    """
    logs = [[log(cost) for cost in costs] for costs in (first, second)]
    runs = len(first), len(second)
    estimate = _exp(fmean(logs[0]) - fmean(logs[1]))
    if min(runs) < FEWEST:
        return Ratio(estimate=estimate, runs=runs, why_none="few")
    spreads = [stdev(costs) for costs in logs]
    differences = [one - other for one, other in zip(*logs, strict=True)] if paired else []
    if (stdev(differences) if paired else max(spreads)) <= _NO_SPREAD:
        return Ratio(estimate=estimate, runs=runs, why_none="spread")
    found = t_interval(*logs, paired=paired)
    return Ratio(
        estimate=estimate,
        low=_exp(found.low),
        high=_exp(found.high),
        p_value=found.p_value,
        method=found.method,
        runs=runs,
    )


def _exp(logarithm: float) -> float:
    return exp(max(-_LARGEST_LOG, min(logarithm, _LARGEST_LOG)))


class Interval(NamedTuple):
    """The interval of a difference between two means.

    Attributes:
        method: Its method.
        p_value: Probability of such a difference by chance alone.
        low: Its lower end.
        high: Its upper end.

    Example:
        >>> Interval("welch", p_value=0.04, low=0.1, high=2.0).method
        'welch'
    """

    method: Method
    p_value: float
    low: float
    high: float


def t_interval(first: Sequence[float], second: Sequence[float], *, paired: bool = False) -> Interval:
    """Return the interval of the difference between two means, by the method that the module tells.

    Args:
        first: A value of each run of the first side, at least two. Not all values may be equal.
        second: A value of each run of the second side, at least two.
        paired: Whether the values at the same place belong together. Defaults to False.

    Raises:
        ConfigurationError: SciPy is missing.

    Example:
        >>> t_interval([1.0, 1.2, 1.1], [2.0, 2.3]).method
        'welch'
    """
    if paired:
        return _t_test(first, second, "paired")
    pooled, welch = (_t_test(first, second, method) for method in _UNPAIRED)
    if len(first) != len(second):
        return pooled if pooled.high - pooled.low > welch.high - welch.low else welch
    spreads = stdev(first), stdev(second)
    return pooled if max(spreads) <= _MOST_UNLIKE * min(spreads) else welch


def _t_test(first: Sequence[float], second: Sequence[float], method: Method) -> Interval:
    stats = scipy_stats()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a side whose runs all cost the same
        if method == "paired":
            test = stats.ttest_rel(list(first), list(second))
        else:
            test = stats.ttest_ind(list(first), list(second), equal_var=method == "pooled")
        low, high = test.confidence_interval(CONFIDENCE)
    return Interval(method, float(test.pvalue), float(low), float(high))


def permutation_p(first: Sequence[float], second: Sequence[float], *, paired: bool = False) -> float:
    """Return how often chance alone gives such a difference, by exchanging runs between the sides.

    The result is exact up to 8 against 8 runs, or up to 14 pairs.

    Args:
        first: Costs of the runs of the first side, above 0, in any unit.
        second: Costs of the runs of the second side, in the same unit.
        paired: Whether the runs at the same place of both sides have the same seed. Defaults to False.

    Returns:
        A probability. 3 against 3 runs give at least 0.1.

    Raises:
        ConfigurationError: SciPy is missing.

    Example:
        >>> round(permutation_p([4.0, 4.2, 4.1], [5.0, 5.3, 5.1]), 3)
        0.1
    """
    logs = [[log(cost) for cost in costs] for costs in (first, second)]
    found = scipy_stats().permutation_test(
        logs,
        lambda one, other, axis: one.mean(axis=axis) - other.mean(axis=axis),
        permutation_type="samples" if paired else "independent",
        n_resamples=_MOST_RESAMPLES,
        batch=max(1, _MOST_AT_ONCE // (len(first) + len(second))),
        vectorized=True,
        random_state=0,  # the same ledgers give the same text
    )
    return float(found.pvalue)


def least_permutation_p(runs: tuple[int, int], *, paired: bool = False) -> float:
    """Return the smallest probability that exchanging so many runs can give.

    Args:
        runs: Number of runs of both sides.
        paired: Whether the runs are paired. Defaults to False.

    Example:
        >>> least_permutation_p((3, 3))
        0.1
    """
    return float(2 / (2 ** runs[0] if paired else comb(sum(runs), runs[0])))
