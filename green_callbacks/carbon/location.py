"""The carbon intensity to account with, from the user, else from the machine, else the world's average."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from green_callbacks.carbon.base import CarbonIntensity
from green_callbacks.carbon.cloud import CLOUD, DMI, CloudIntensity, hinted_region
from green_callbacks.carbon.constant import ConstantIntensity
from green_callbacks.carbon.time_zone import country_of_time_zone
from green_callbacks.carbon.zones import WORLD, lookup
from green_callbacks.configuration import (
    LOCATION_VARIABLE,
    Configuration,
    Setting,
    read_configuration,
)
from green_callbacks.errors import ConfigurationError, UnknownZoneError
from green_callbacks.records import Intensity
from green_callbacks.records.intensity import FoundBy
from green_callbacks.text.log import get_logger
from green_callbacks.units import described

_HINT: Final[FoundBy] = "cloud hint"
_REMEDY: Final = f'for example pass location="DE", or set {LOCATION_VARIABLE}'
_logger = get_logger(__name__)


def resolve_intensity(
    location: str | None = None,
    carbon_intensity: float | Intensity | CarbonIntensity | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    etc: Path = Path("/etc"),
    dmi: Path = DMI,
    is_told: bool = False,
    configuration: Configuration | None = None,
) -> CarbonIntensity:
    """Find the carbon intensity to account with, without the network.

    The first of these sources with an answer counts.

    * The arguments.
    * The environment variables ``GREEN_CALLBACKS_INTENSITY`` and ``GREEN_CALLBACKS_LOCATION``.
    * The file of the user, and the files of the site (:mod:`green_callbacks.configuration`).
    * The region that the environment of a machine in a cloud names.
    * The machine's time zone.
    * The average of the world.

    The last three are guesses. A guess is logged as one warning and flagged ``guessed``, and has the bounds of the
    world.

    Args:
        location: A place, as in :func:`~green_callbacks.carbon.lookup`. Together with a number it is a label, and may
            be missing from the tables. ``"cloud"`` allows asking the cloud for the region later, when the result is
            polled (:class:`~green_callbacks.carbon.cloud.CloudIntensity`). Defaults to None.
        carbon_intensity: A number in gCO2e/kWh, an :class:`~green_callbacks.records.Intensity`, or a provider, which is
            returned unchanged. Defaults to None.
        environ: Environment variables. Defaults to ``os.environ``.
        etc: Folder of the machine's configuration. Defaults to ``/etc``.
        dmi: Folder of the firmware's texts. Defaults to the folder of Linux.
        is_told: Whether the user knows of the guess already, so that no warning is needed. Defaults to False.
        configuration: What variables and files say. Its faults are the caller's to report. Defaults to what
            ``environ`` leads to.

    Returns:
        The intensity over time. Its ``found_by`` tells how it was found.

    Raises:
        UnknownZoneError: The place is in no table. The message names the nearest places.
        ConfigurationError: The number is no number, or is out of range. Or the tables are missing from a bundle.

    Example:
        >>> resolve_intensity(carbon_intensity=35.5).intensity.g_per_kwh
        35.5
        >>> resolve_intensity("FR").intensity.name
        'France'
    """
    told = said_intensity(location, carbon_intensity, environ, etc=etc, dmi=dmi, configuration=configuration)
    if told is not None:
        return told
    guess, reason = _guess(environ, etc, dmi)
    if not is_told:
        _logger.warning("No location was given, so %s. If that is wrong, %s.", reason, _REMEDY)
    return ConstantIntensity(guess)


def said_intensity(
    location: str | None = None,
    carbon_intensity: float | Intensity | CarbonIntensity | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    etc: Path = Path("/etc"),
    dmi: Path = DMI,
    configuration: Configuration | None = None,
) -> CarbonIntensity | None:
    """Return the carbon intensity that the user gave by argument, environment or configuration.

    Args:
        location: As in :func:`resolve_intensity`.
        carbon_intensity: As in :func:`resolve_intensity`.
        environ: Environment variables. Defaults to ``os.environ``.
        etc: Folder of the machine's configuration. Defaults to ``/etc``.
        dmi: Folder of the firmware's texts. Defaults to the folder of Linux.
        configuration: As in :func:`resolve_intensity`.

    Returns:
        The intensity over time. None if the user gave nothing.

    Raises:
        UnknownZoneError: As in :func:`resolve_intensity`.
        ConfigurationError: As in :func:`resolve_intensity`.

    Example:
        >>> said_intensity("FR").intensity.found_by
        'argument'
    """
    _refuse_class(carbon_intensity)
    if isinstance(carbon_intensity, Intensity):
        return ConstantIntensity(carbon_intensity)
    if isinstance(carbon_intensity, CarbonIntensity):
        return carbon_intensity
    if location is not None and not isinstance(location, str):
        msg = f"location must be a text, such as 'DE' or 'aws:eu-north-1', not {described(location)}."
        raise ConfigurationError(msg)
    if location is not None or carbon_intensity is not None:
        return _given(location, carbon_intensity, "argument", partial(_stand_in, environ, etc, dmi))
    found = configuration or read_configuration(environ, etc=etc)
    said = _said(found, partial(_stand_in, environ, etc, dmi))
    if configuration is None:
        found.say_faults()
    return said


def _refuse_class(carbon_intensity: object) -> None:
    if isinstance(carbon_intensity, type):
        name = carbon_intensity.__name__
        msg = f"carbon_intensity is the class {name}. Pass an object of it, {name}(...)."
        raise ConfigurationError(msg)


def _said(configuration: Configuration, cloud: Callable[[], CarbonIntensity]) -> CarbonIntensity | None:
    """Return what the first variable or file with a place or a number says."""
    for said in configuration.places():
        by_key = {each.key: each.value for each in said}
        found_by: FoundBy = "environment" if said[0].kind == "variable" else "configuration"
        try:
            return _given(by_key.get("location"), by_key.get("carbon_intensity"), found_by, cloud)
        except ConfigurationError as fault:
            configuration.refuse(said[0], _with_origin(fault, said))
    return None


def _with_origin(fault: ConfigurationError, said: Sequence[Setting]) -> ConfigurationError:
    origins = " and ".join(dict.fromkeys(each.origin for each in said))
    return type(fault)(f"{fault} The value comes from {origins}.")


def _given(
    location: str | None, number: float | str | None, found_by: FoundBy, cloud: Callable[[], CarbonIntensity]
) -> CarbonIntensity:
    if number is None and location is not None and location.strip().lower() == CLOUD:
        return cloud()
    return _told(location, number, found_by)


def _stand_in(environ: Mapping[str, str], etc: Path, dmi: Path) -> CloudIntensity:
    """Return the intensity of the cloud's region, and the best guess until the region is known."""
    guess, _ = _guess(environ, etc, dmi)
    return CloudIntensity(guess, environ, dmi)


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
    """Return the best guess that needs no network, and the reason for it."""
    world = lookup(WORLD)
    hint = hinted_region(environ, dmi)
    if hint is not None:
        region, variable = hint
        reason = f"this machine is taken to be in {region.zone}, because it is in that cloud and {variable} says so"
        return _guessed(region, world, _HINT), reason
    found = country_of_time_zone(environ, etc)
    if found is not None:
        code, time_zone = found
        with suppress(UnknownZoneError):  # a country without figures
            place = lookup(code)
            reason = f"this machine is taken to be in {place.name}, because its time zone is {time_zone}"
            return _guessed(place, world, "time zone"), reason
    reason = f"emissions are accounted with the world's average of {world.g_per_kwh:g} gCO2e/kWh"
    return _guessed(world, world, "world average"), reason


def _guessed(place: Intensity, world: Intensity, found_by: FoundBy) -> Intensity:
    """Give a place the bounds of the world, widened to hold its own value."""
    low, high = world.low_g_per_kwh or place.g_per_kwh, world.high_g_per_kwh or place.g_per_kwh
    return replace(
        place,
        low_g_per_kwh=min(low, place.g_per_kwh),
        high_g_per_kwh=max(high, place.g_per_kwh),
        found_by=found_by,
        flags=(*place.flags, "guessed"),
    )
