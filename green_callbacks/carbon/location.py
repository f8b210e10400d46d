"""The carbon intensity to account with: what the user says, else what the machine knows, else the world's average."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from green_callbacks.carbon.base import CarbonIntensity
from green_callbacks.carbon.cloud import CLOUD, DMI, CloudIntensity, hinted_region
from green_callbacks.carbon.configuration import read_configuration
from green_callbacks.carbon.constant import ConstantIntensity
from green_callbacks.carbon.time_zone import country_of_time_zone
from green_callbacks.carbon.zones import WORLD, lookup
from green_callbacks.errors import ConfigurationError, UnknownZoneError
from green_callbacks.records import Intensity
from green_callbacks.records.intensity import FoundBy
from green_callbacks.text.log import get_logger

LOCATION_VARIABLE = "GREEN_CALLBACKS_LOCATION"
INTENSITY_VARIABLE = "GREEN_CALLBACKS_INTENSITY"

_CONFIGURATION: Final[FoundBy] = "configuration"
_HINT: Final[FoundBy] = "cloud hint"
_REMEDY: Final = f'pass location="DE", say, or set {LOCATION_VARIABLE}'
_logger = get_logger(__name__)


def resolve_intensity(
    location: str | None = None,
    carbon_intensity: float | CarbonIntensity | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    etc: Path = Path("/etc"),
    dmi: Path = DMI,
) -> CarbonIntensity:
    """Find the carbon intensity to account with, without the network.

    The first that says something counts: the arguments; ``GREEN_CALLBACKS_INTENSITY`` and
    ``GREEN_CALLBACKS_LOCATION``; the user's configuration (:mod:`green_callbacks.carbon.configuration`); the region
    that the environment of a machine in a cloud speaks of; the machine's time zone; the average of the world. The last
    three are guesses: they are logged as one warning, flagged ``guessed``, and carry the low and high of the world.

    Args:
        location: A place, as in :func:`~green_callbacks.carbon.lookup`. Beside a number it is a label, and need not be
            in the tables. ``"cloud"`` lets the cloud be asked, later and by whoever polls the answer, for the region
            (:class:`~green_callbacks.carbon.cloud.CloudIntensity`).
        carbon_intensity: A number in gCO2e/kWh, or a provider, which is returned as it is.
        environ: Environment variables.
        etc: Folder of the machine's configuration.
        dmi: Folder of the strings of the machine's firmware.

    Returns:
        The intensity over time; its records say how it was found.

    Raises:
        UnknownZoneError: The place is in no table; the message names the nearest.
        ConfigurationError: The number is none, or out of range.
    """
    if isinstance(carbon_intensity, CarbonIntensity):
        return carbon_intensity
    if location is not None and not isinstance(location, str):
        msg = (
            f"location is a text, for example 'DE' or 'aws:eu-north-1', not a value of type {type(location).__name__}."
        )
        raise ConfigurationError(msg)
    location, number, found_by = _said(location, carbon_intensity, environ)
    if number is None and location is not None and location.strip().lower() == CLOUD:
        stand_in, _ = _guess(environ, etc, dmi)
        return CloudIntensity(stand_in, environ, dmi)
    if location is not None or number is not None:
        return _told(location, number, found_by)
    guess, reason = _guess(environ, etc, dmi)
    _logger.warning("No location was given: %s; if that is wrong, %s.", reason, _REMEDY)
    return ConstantIntensity(guess)


def _said(
    location: str | None, number: float | None, environ: Mapping[str, str]
) -> tuple[str | None, float | str | None, FoundBy]:
    """Return the first of what was said of the place and the number: by argument, environment or configuration."""
    if location is not None or number is not None:
        return location, number, "argument"
    variables = [environ.get(name, "").strip() or None for name in (LOCATION_VARIABLE, INTENSITY_VARIABLE)]
    if any(variables):
        return variables[0], variables[1], "environment"
    configuration = read_configuration(environ)
    return configuration.location, configuration.carbon_intensity, _CONFIGURATION


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


def _guess(environ: Mapping[str, str], etc: Path, dmi: Path) -> tuple[Intensity, str]:
    """Return the best guess that needs no network, and why it was made."""
    world = lookup(WORLD)
    hint = hinted_region(environ, dmi)
    if hint is not None:
        region, variable = hint
        reason = f"this machine is taken to be in {region.zone} because it is in that cloud and {variable} says so"
        return _guessed(region, world, _HINT), reason
    found = country_of_time_zone(environ, etc)
    if found is not None:
        code, time_zone = found
        with suppress(UnknownZoneError):  # a country without figures
            place = lookup(code)
            reason = f"this machine is taken to be in {place.name} because its time zone is {time_zone}"
            return _guessed(place, world, "time zone"), reason
    reason = f"none can be found either, and emissions are those of the world's average, {world.g_per_kwh:g} gCO2e/kWh"
    return _guessed(world, world, "world average"), reason


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
