"""How numbers and places are put into words, the same on every page."""

from math import isfinite

from green_callbacks.records import Intensity
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_duration

__all__ = ["duration", "intensity_range", "percent", "place", "significant"]

_LARGEST_FRACTIONAL = 999.5
_SMALLEST_DECIMAL = 1e-3
_LONGEST_PLACE = 200
"""Characters of a place that are shown: twice the longest in our tables, so that a table stays one."""


def duration(seconds: float) -> str:
    """Write a time in the two units in which it reads best.

    Args:
        seconds: Time in s; one that is not finite, as a sum of absurd times may be, is not known.
    """
    return format_duration(seconds) if isfinite(seconds) else "not known"


def significant(value: float, digits: int = 3) -> str:
    """Write a number with as many digits as can be believed.

    Args:
        value: The number.
        digits: Significant digits; large numbers keep all those before the decimal point.

    Returns:
        The number, with thousands separated by commas and no exponent where it reads well without.
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
        share: A ratio, 1 for everything.
    """
    points = 100 * share
    return f"{points:.0f} %" if abs(points) >= 10 or points == 0 else f"{points:.2g} %"  # noqa: PLR2004


def place(intensity: Intensity) -> str:
    """Name the place of a carbon intensity, with its code and year where they are known.

    Args:
        intensity: The carbon intensity.

    Returns:
        For example ``Germany (DE), 2025``; for a number that was given, ``a place that was not named``. Safe to print.
    """
    named = intensity.name or intensity.zone
    if named is None:
        return "a place that was not named"
    coded = f"{named} ({intensity.zone})" if intensity.zone and intensity.zone != named else named
    return for_terminal(coded if intensity.year is None else f"{coded}, {intensity.year}", limit=_LONGEST_PLACE)


def intensity_range(intensity: Intensity) -> str:
    """Write a carbon intensity with its unit and, where they are known, its bounds.

    Args:
        intensity: The carbon intensity.
    """
    text = f"{significant(intensity.g_per_kwh)} gCO2e/kWh"
    low, high = intensity.low_g_per_kwh, intensity.high_g_per_kwh
    if low is None or high is None:
        return text
    return f"{text} ({significant(low)} to {significant(high)})"
