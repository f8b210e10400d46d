"""Numbers of any library, as JSON can hold them."""

from math import isfinite
from typing import Final, SupportsFloat

_DIGITS: Final = 6
"""Significant digits of numbers that are shown and never summed."""


def any_number(value: SupportsFloat) -> float | str:
    """Return a number that reads back exactly; as text where JSON does not know it (NaN, infinities)."""
    number = float(value)
    return number if isfinite(number) else str(number)


def few_digits(value: SupportsFloat) -> float | str:
    """Return a number with six significant digits; as text where JSON does not know it, or where it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):  # of a policy of the user's
        number = float("nan")
    return float(f"{number:.{_DIGITS}g}") if isfinite(number) else str(number)


def within(value: SupportsFloat | None, most: float) -> float | None:
    """Return a number from 0 to a bound; None where it is another, which no reader would take."""
    if value is None:
        return None
    number = float(value)
    return number if 0.0 <= number <= most else None
