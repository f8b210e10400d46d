"""Means and differences of a metric over runs, with the intervals that chance leaves open.

Metrics stay on their own scale. SciPy computes Student's and Welch's intervals, as :mod:`ratio
<green_callbacks.analysis.comparing.equal_quality.ratio>` chooses them.
"""

import warnings
from collections.abc import Sequence
from math import isfinite
from sys import float_info
from typing import Final, Literal, NamedTuple

from green_callbacks.analysis.comparing.equal_quality.ratio import CONFIDENCE, scipy_stats, t_interval

__all__ = ["Difference", "Mean", "difference", "mean_of"]

_LEAST_RUNS: Final = 2
"""Number of runs from which chance can be told from a difference, because one run has no spread."""

_NEXT_TO_NOTHING: Final = 1e-12
"""Spread over runs, as a share of the value, that is rounding and not chance. By experiment."""

Why = Literal["", "few", "equal", "large"]


class Mean(NamedTuple):
    """The mean of a metric over runs.

    Attributes:
        value: The mean.
        low: Lower end of the 95 % interval. None if the runs do not tell it.
        high: Upper end of the 95 % interval. None if the runs do not tell it.

    Example:
        >>> Mean(0.9, None, None).value
        0.9
    """

    value: float
    low: float | None
    high: float | None


class Difference(NamedTuple):
    """The difference between the means of two groups.

    Attributes:
        value: Mean of the first group less the mean of the second group.
        low: Lower end of the 95 % interval. None if the runs do not tell it.
        high: Upper end of the 95 % interval. None if the runs do not tell it.
        is_paired: Whether runs with the same seed were compared.
        why: Why there is no interval. It is ``few`` for a single run, ``equal`` for runs without any spread, and
            ``large`` for values that are too large to be squared.

    Example:
        >>> Difference(0.02, 0.01, 0.03, is_paired=False, why="").shows
        True
    """

    value: float
    low: float | None
    high: float | None
    is_paired: bool
    why: Why

    @property
    def shows(self) -> bool:
        """Whether a difference is shown, which is a whole interval on one side of zero."""
        return self.low is not None and self.high is not None and (self.low > 0.0 or self.high < 0.0)


def mean_of(values: Sequence[float]) -> Mean:
    """Return the mean over runs, with Student's interval.

    Args:
        values: A value of each run, at least one.

    Raises:
        ConfigurationError: SciPy is missing.

    Example:
        >>> mean_of([0.9])
        Mean(value=0.9, low=None, high=None)
    """
    mean = _mean(values)
    if len(values) < _LEAST_RUNS or not _vary(values):
        return Mean(mean, None, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of values whose squares are too large
        interval = scipy_stats().ttest_1samp(list(values), 0.0).confidence_interval(CONFIDENCE)
    return Mean(mean, *_finite(*interval))


def difference(ours: Sequence[float], theirs: Sequence[float], *, is_paired: bool = False) -> Difference:
    """Return the difference between two groups of runs, with the interval that chance leaves open.

    Args:
        ours: A value of each run of the first group, at least one.
        theirs: A value of each run of the second group, at least one.
        is_paired: Whether the values of both groups belong together in their order. Defaults to False.

    Raises:
        ConfigurationError: SciPy is missing.

    Example:
        >>> difference([0.9], [0.75]).why
        'few'
    """
    value = _gap(_mean(ours), _mean(theirs))
    changes = [one - other for one, other in zip(ours, theirs, strict=True)] if is_paired else []
    if min(len(ours), len(theirs)) < _LEAST_RUNS:
        return Difference(value, None, None, is_paired, "few")
    if not (_vary(changes, max(map(abs, ours))) if is_paired else _vary(ours) or _vary(theirs)):
        return Difference(value, None, None, is_paired, "equal")
    found = t_interval(ours, theirs, paired=is_paired)
    low, high = _finite(found.low, found.high)
    return Difference(value, low, high, is_paired, "large" if low is None else "")


def _mean(values: Sequence[float]) -> float:
    return sum(value / len(values) for value in values)  # a sum of very large values would overflow


def _gap(ours: float, theirs: float) -> float:
    """Return the difference of two means, without what rounding leaves of equal means."""
    gap = max(-float_info.max, min(ours - theirs, float_info.max))  # JSON has no infinity
    return 0.0 if abs(gap) <= _NEXT_TO_NOTHING * max(abs(ours), abs(theirs)) else gap


def _vary(values: Sequence[float], size: float | None = None) -> bool:
    largest = max(map(abs, values)) if size is None else size
    return max(values) - min(values) > _NEXT_TO_NOTHING * largest


def _finite(low: float, high: float) -> tuple[float, float] | tuple[None, None]:
    """Return an interval. None if its numbers are too large."""
    return (float(low), float(high)) if isfinite(low) and isfinite(high) else (None, None)
