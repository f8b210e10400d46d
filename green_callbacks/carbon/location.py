"""The carbon intensity to account with: what the user says, else what the machine knows, else the world's average."""

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from green_callbacks.carbon.base import CarbonIntensity
from green_callbacks.carbon.constant import ConstantIntensity
from green_callbacks.carbon.time_zone import country_of_time_zone
from green_callbacks.carbon.zones import WORLD, lookup
from green_callbacks.errors import UnknownZoneError
from green_callbacks.records import Intensity
from green_callbacks.records.intensity import FoundBy

LOCATION_VARIABLE = "GREEN_CALLBACKS_LOCATION"
INTENSITY_VARIABLE = "GREEN_CALLBACKS_INTENSITY"

_REMEDY = f'pass location="DE", say, or set {LOCATION_VARIABLE}'
_logger = logging.getLogger(__name__)


def resolve_intensity(
    location: str | None = None,
    carbon_intensity: float | CarbonIntensity | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    etc: Path = Path("/etc"),
) -> CarbonIntensity:
    """Find the carbon intensity to account with, without the network.

    The first that says something counts: the arguments; ``GREEN_CALLBACKS_INTENSITY`` and
    ``GREEN_CALLBACKS_LOCATION``; the machine's time zone; the average of the world. The last two are guesses: they are
    logged as one warning, flagged ``guessed``, and carry the low and high of the world.

    Args:
        location: A place, as in :func:`~green_callbacks.carbon.lookup`. Beside a number it is a label, and need not be
            in the tables.
        carbon_intensity: A number in gCO2e/kWh, or a provider, which is returned as it is.
        environ: Environment variables.
        etc: Folder of the machine's configuration.

    Returns:
        The intensity over time; its records say how it was found.

    Raises:
        UnknownZoneError: The place is in no table; the message names the nearest.
        ConfigurationError: The number is none, or out of range.
    """
    if isinstance(carbon_intensity, CarbonIntensity):
        return carbon_intensity
    if location is not None or carbon_intensity is not None:
        return _told(location, carbon_intensity, "argument")
    location = environ.get(LOCATION_VARIABLE, "").strip() or None
    number = environ.get(INTENSITY_VARIABLE, "").strip()
    if location is not None or number:
        return _told(location, number or None, "environment")
    return ConstantIntensity(_by_time_zone(environ, etc) or _by_world())


def _told(location: str | None, g_per_kwh: float | str | None, found_by: FoundBy) -> ConstantIntensity:
    if g_per_kwh is None:
        return ConstantIntensity(replace(lookup(location or ""), found_by=found_by))
    try:
        place = lookup(location) if location is not None else None
    except UnknownZoneError:
        return ConstantIntensity.given(g_per_kwh, zone=location, name=location, found_by=found_by)
    if place is None:
        return ConstantIntensity.given(g_per_kwh, found_by=found_by)
    return ConstantIntensity.given(g_per_kwh, zone=place.zone, name=place.name, found_by=found_by)


def _by_time_zone(environ: Mapping[str, str], etc: Path) -> Intensity | None:
    found = country_of_time_zone(environ, etc)
    if found is None:
        return None
    code, time_zone = found
    try:
        place = lookup(code)
    except UnknownZoneError:  # a country without figures
        return None
    _logger.warning(
        "No location was given: this machine is taken to be in %s because its time zone is %s; if it is not, %s.",
        place.name,
        time_zone,
        _REMEDY,
    )
    world = lookup(WORLD)
    return _guessed(place, world, "time zone")


def _by_world() -> Intensity:
    world = lookup(WORLD)
    _logger.warning(
        "No location was given and none can be found: emissions are those of the world's average, %g gCO2e/kWh; %s.",
        world.g_per_kwh,
        _REMEDY,
    )
    return _guessed(world, world, "world average")


def _guessed(place: Intensity, world: Intensity, found_by: FoundBy) -> Intensity:
    """Give a place the range of the world, widened to hold its own value."""
    low, high = world.low_g_per_kwh or place.g_per_kwh, world.high_g_per_kwh or place.g_per_kwh
    return replace(
        place,
        low_g_per_kwh=min(low, place.g_per_kwh),
        high_g_per_kwh=max(high, place.g_per_kwh),
        found_by=found_by,
        flags=(*place.flags, "guessed"),
    )
