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
from green_callbacks.units import described

LOCATION_VARIABLE = "GREEN_CALLBACKS_LOCATION"
INTENSITY_VARIABLE = "GREEN_CALLBACKS_INTENSITY"

_CONFIGURATION: Final[FoundBy] = "configuration"
_HINT: Final[FoundBy] = "cloud hint"
_REMEDY: Final = f'pass location="DE", say, or set {LOCATION_VARIABLE}'
_logger = get_logger(__name__)


def resolve_intensity(
    location: str | None = None,
    carbon_intensity: float | Intensity | CarbonIntensity | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    etc: Path = Path("/etc"),
    dmi: Path = DMI,
    is_told: bool = False,
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
        carbon_intensity: A number in gCO2e/kWh, an :class:`~green_callbacks.records.Intensity`, or a provider, which is
            returned as it is.
        environ: Environment variables.
        etc: Folder of the machine's configuration.
        dmi: Folder of the strings of the machine's firmware.
        is_told: Whether the user knows of the guess: then without the warning.

    Returns:
        The intensity over time; its records say how it was found.

    Raises:
        UnknownZoneError: The place is in no table; the message names the nearest.
        ConfigurationError: The number is none, or out of range; or the tables were left out of a bundle.
    """
    told = said_intensity(location, carbon_intensity, environ, etc=etc, dmi=dmi)
    if told is not None:
        return told
    guess, reason = _guess(environ, etc, dmi)
    if not is_told:
        _logger.warning("No location was given: %s; if that is wrong, %s.", reason, _REMEDY)
    return ConstantIntensity(guess)


def said_intensity(
    location: str | None = None,
    carbon_intensity: float | Intensity | CarbonIntensity | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    etc: Path = Path("/etc"),
    dmi: Path = DMI,
) -> CarbonIntensity | None:
    """Return the carbon intensity that the user has said, by argument, environment or configuration.

    Args:
        location: As in :func:`resolve_intensity`.
        carbon_intensity: As in :func:`resolve_intensity`.
        environ: Environment variables.
        etc: Folder of the machine's configuration.
        dmi: Folder of the strings of the machine's firmware.

    Returns:
        The intensity over time; None where nothing was said.

    Raises:
        UnknownZoneError: As of :func:`resolve_intensity`.
        ConfigurationError: As of :func:`resolve_intensity`.
    """
    if isinstance(carbon_intensity, type):
        msg = f"{carbon_intensity.__name__} is a class: pass an object of it, {carbon_intensity.__name__}(...)."
        raise ConfigurationError(msg)
    if isinstance(carbon_intensity, Intensity):
        return ConstantIntensity(carbon_intensity)
    if isinstance(carbon_intensity, CarbonIntensity):
        return carbon_intensity
    if location is not None and not isinstance(location, str):
        msg = f"location is a text, for example 'DE' or 'aws:eu-north-1', not {described(location)}."
        raise ConfigurationError(msg)
    location, number, found_by, origin = _said(location, carbon_intensity, environ)
    if location is None and number is None:
        return None
    try:
        if number is None and location is not None and location.strip().lower() == CLOUD:
            stand_in, _ = _guess(environ, etc, dmi)
            return CloudIntensity(stand_in, environ, dmi)
        return _told(location, number, found_by)
    except ConfigurationError as fault:
        if not origin:
            raise
        msg = f"{fault} It stands in {origin}."
        raise type(fault)(msg) from fault


def _said(
    location: str | None, number: float | None, environ: Mapping[str, str]
) -> tuple[str | None, float | str | None, FoundBy, str]:
    """Return the first of what was said of the place and the number, how, and where it stands if in no argument."""
    if location is not None or number is not None:
        return location, number, "argument", ""
    names = (LOCATION_VARIABLE, INTENSITY_VARIABLE)
    variables = [environ.get(name, "").strip() or None for name in names]
    if any(variables):
        origin = " and ".join(name for name, value in zip(names, variables, strict=True) if value)
        return variables[0], variables[1], "environment", origin
    configuration = read_configuration(environ)
    return configuration.location, configuration.carbon_intensity, _CONFIGURATION, str(configuration.path)


def _told(location: str | None, g_per_kwh: float | str | None, found_by: FoundBy) -> ConstantIntensity:
    if g_per_kwh is None:
        return ConstantIntensity(replace(lookup(location or ""), found_by=found_by))
    try:
        place = lookup(location) if location is not None else None
    except ConfigurationError:  # no such place in the tables, or a bundle without them
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
    reason = f"none was found, so emissions are those of the world's average, {world.g_per_kwh:g} gCO2e/kWh"
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
