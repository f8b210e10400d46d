"""Numbers that are shown and never summed, as JSON can hold them."""

from math import isfinite
from typing import Final, SupportsFloat

_DIGITS: Final = 6
"""Significant digits of numbers that are shown and never summed."""


def few_digits(value: SupportsFloat) -> float | str:
    """Return a number with six significant digits; as text where JSON does not know it, or where it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):  # of a policy of the user's
        number = float("nan")
    return float(f"{number:.{_DIGITS}g}") if isfinite(number) else str(number)
