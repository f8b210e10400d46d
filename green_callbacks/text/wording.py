"""The words for numbers and places, the same in all texts."""

from math import isfinite
from typing import Final

from green_callbacks.records import Intensity
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_duration

__all__ = ["duration", "intensity_range", "percent", "place", "significant"]

_LARGEST_FRACTIONAL: Final = 999.5
"""Number from which three digits leave no decimals, after rounding."""

_SMALLEST_DECIMAL: Final = 1e-3
"""Number below which an exponent reads better than leading zeros."""

_LONGEST_PLACE: Final = 200
"""Longest name of a place, in characters. It is twice the longest name in the tables of the package."""


def duration(seconds: float) -> str:
    """Write a duration in its two most readable units.

    Args:
        seconds: Duration in s.

    Returns:
        The text. ``not known`` for an infinite duration, which the sum of very large durations may be.

    Example:
        >>> duration(8100), duration(float("inf"))
        ('2 h 15 min', 'not known')
    """
    return format_duration(seconds) if isfinite(seconds) else "not known"


def significant(value: float, digits: int = 3) -> str:
    """Write a number with its significant digits only.

    Args:
        value: The number.
        digits: Number of significant digits. Large numbers keep all digits before the decimal point. Defaults to 3.

    Returns:
        The number, with commas between thousands. It has an exponent only below 0.001.

    Example:
        >>> significant(0.012345), significant(12345.6), significant(0.0000123)
        ('0.0123', '12,346', '1.23e-05')
    """
    if not isfinite(value):
        return str(value)
    if abs(value) >= _LARGEST_FRACTIONAL:
        return f"{value:,.0f}"
    if value and abs(value) < _SMALLEST_DECIMAL:
        return f"{value:.{digits - 1}e}"
    return f"{value:#.{digits}g}".rstrip(".")


def percent(share: float) -> str:
    """Write a share as a percentage.

    Args:
        share: A ratio, where 1 is the whole.

    Example:
        >>> percent(0.123), percent(0.0123)
        ('12 %', '1.2 %')
    """
    points = 100 * share
    return f"{points:.0f} %" if abs(points) >= 10 or points == 0 else f"{points:.2g} %"  # noqa: PLR2004


def place(intensity: Intensity) -> str:
    """Write the place of a carbon intensity, with its code and year if they are known.

    Args:
        intensity: The carbon intensity.

    Returns:
        For example ``Germany (DE), 2025``. An intensity that the user gave as a number has ``a place that was not
        named``. The text is safe to print.

    Example:
        >>> place(Intensity(g_per_kwh=330.0, zone="DE", name="Germany", year=2025, source="Ember", found_by="argument"))
        'Germany (DE), 2025'
    """
    named = intensity.name or intensity.zone
    if named is None:
        return "a place that was not named"
    coded = f"{named} ({intensity.zone})" if intensity.zone and intensity.zone != named else named
    return for_terminal(coded if intensity.year is None else f"{coded}, {intensity.year}", limit=_LONGEST_PLACE)


def intensity_range(intensity: Intensity) -> str:
    """Write a carbon intensity with its unit, and with its bounds if they are known.

    Args:
        intensity: The carbon intensity.

    Example:
        >>> intensity_range(Intensity(g_per_kwh=330.0, source="Ember", found_by="argument"))
        '330 gCO2e/kWh'
    """
    text = f"{significant(intensity.g_per_kwh)} gCO2e/kWh"
    low, high = intensity.low_g_per_kwh, intensity.high_g_per_kwh
    if low is None or high is None:
        return text
    return f"{text} ({significant(low)} to {significant(high)})"
