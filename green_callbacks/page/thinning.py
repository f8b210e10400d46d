"""Fewer points for a chart, and fewer digits for a file.

Nothing is chosen by chance. The last point always stays, and sums do not change.
"""

from collections.abc import Iterable, Sequence
from math import ceil, isfinite
from typing import Final

LEAST_GAIN: Final = 0.01
"""Least gain between two points of a front, as a share of its whole range. A hundredth cannot be seen on a screen."""

TOTAL_DIGITS: Final = 6
"""Significant digits of totals, which people compare and add."""

POINT_DIGITS: Final = 5
"""Significant digits of points, which are only drawn."""

_FEWEST: Final = 3
"""Smallest number of points of a thinned front, which are its two ends and one point between them."""


def buckets(count: int, most: int) -> list[range]:
    """Divide epochs into equal buckets, one after the other. Only the last bucket may be shorter.

    Args:
        count: Number of epochs.
        most: Largest number of buckets, at least 1.

    Returns:
        The places of each bucket.

    Example:
        >>> buckets(5, most=3)
        [range(0, 2), range(2, 4), range(4, 5)]
    """
    size = max(1, ceil(count / max(most, 1)))
    return [range(begin, min(begin + size, count)) for begin in range(0, count, size)]


def places_on_front(values: Sequence[float], most: int) -> list[int]:
    """Return the places of the points that gain enough on the point before. The first and the last always stay.

    Args:
        values: The metric at each point of a front, in one direction.
        most: Largest number of points, at least 3.

    Example:
        >>> places_on_front([0.5, 0.8, 0.801, 0.802, 0.9], most=100)
        [0, 1, 4]
    """
    last = len(values) - 1
    if last < _FEWEST - 1:
        return list(range(len(values)))
    least = abs(values[-1] - values[0]) * max(LEAST_GAIN, 1 / (max(most, _FEWEST) - 2))
    kept = [0]
    for at in range(1, last):
        if abs(values[at] - values[kept[-1]]) >= least:
            kept.append(at)
    return [*kept[: max(most, _FEWEST) - 1], last]


def few_digits(value: float | None, digits: int = TOTAL_DIGITS) -> float | None:
    """Round a number for a file. None for a value that is not known or not finite, because JSON has no such number.

    Args:
        value: The number.
        digits: Significant digits to keep. Defaults to 6.

    Example:
        >>> few_digits(0.123456789), few_digits(float("nan"))
        (0.123457, None)
    """
    if value is None or not isfinite(value):
        return None
    rounded = float(f"{value:.{digits}g}")
    return rounded if isfinite(rounded) else float(value)  # the largest number has no rounded number above it


def points(values: Iterable[float | None], factor: float = 1.0) -> list[float | None]:
    """Round the points of a chart.

    Args:
        values: The points. None where there is no value.
        factor: Number that each point is multiplied by, such as 1000 for g from kg. Defaults to 1.

    Example:
        >>> points([0.00123456, None], factor=1000.0)
        [1.2346, None]
    """
    return [None if value is None else few_digits(value * factor, POINT_DIGITS) for value in values]
