"""Rounds numbers that are shown but never summed, and makes them fit for JSON."""

from math import isfinite
from typing import Final, SupportsFloat

_DIGITS: Final = 6
"""Significant digits of numbers that are shown but never summed. Metrics rarely have more."""


def few_digits(value: SupportsFloat) -> float | str:
    """Return a number rounded to six significant digits. NaN and infinities become texts, which JSON can hold."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):  # a user's policy may put anything into its values
        number = float("nan")
    return float(f"{number:.{_DIGITS}g}") if isfinite(number) else str(number)
