"""Live and predicted carbon intensity from Electricity Maps, with a token."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final, Unpack

from green_callbacks.carbon._step_function import Step
from green_callbacks.carbon.live.http_request import Request, ServiceError
from green_callbacks.carbon.live.payload import g_per_kwh, mapping, posix_seconds, sequence
from green_callbacks.carbon.live.provider import LiveIntensity, LiveOptions, is_local
from green_callbacks.carbon.live.token import Token
from green_callbacks.carbon.tables import country_of
from green_callbacks.carbon.zones import WORLD, lookup
from green_callbacks.configuration import TOKEN_VARIABLE
from green_callbacks.errors import ConfigurationError, UnknownZoneError
from green_callbacks.records import Intensity
from green_callbacks.units import SECONDS_PER_HOUR

_HOME: Final = "https://api.electricitymaps.com"
_VERSIONS: Final = (3, 4)
"""Versions of the service's API that are known."""

_ZONE: Final = re.compile(r"[A-Z]{2}(-[A-Z0-9]+)*")
_STEP_SECONDS: Final = {"5_minutes": SECONDS_PER_HOUR / 12, "15_minutes": SECONDS_PER_HOUR / 4}
"""Length of a step in s, by the service's word for it. Any other step is an hour."""


class ElectricityMaps(LiveIntensity):
    """The carbon intensity of a zone's consumption, from Electricity Maps.

    Values are hourly, count the life cycle, and follow imports and exports. Values that the service estimated are
    flagged ``estimated``. An answer for another zone is refused, because the service replaces zones that it does not
    know. Forecasts need a plan that includes them.

    Args:
        zone: Zone in the service's spelling, such as ``"DE"`` or ``"US-CAL-CISO"``.
        token: The token. Defaults to ``GREEN_CALLBACKS_ELECTRICITY_MAPS_TOKEN``. A pickled copy always reads it from
            there, because no pickle, log or record holds the token.
        static: Place of the tables whose yearly average counts while the service gives no value. Defaults to the zone
            or its country.
        version: Version of the service's API, 4 or the older 3. ``base_url`` overrides it. Defaults to 4.
        options: As in :class:`~green_callbacks.carbon.live.provider.LiveOptions`.

    Raises:
        ConfigurationError: The token is missing, the zone is wrong, or an option cannot work.
        UnknownZoneError: ``static`` is in no table.

    Example:
        >>> from importlib.util import find_spec
        >>> if find_spec("httpx2"):  # pip install 'green-callbacks[live]'
        ...     provider = ElectricityMaps("DE", token="secret")
        ...     assert repr(provider) == "ElectricityMaps('DE')"
    """

    def __init__(
        self,
        zone: str,
        token: str | None = None,
        *,
        static: str | None = None,
        version: int = 4,
        **options: Unpack[LiveOptions],
    ) -> None:
        if isinstance(version, bool) or version not in _VERSIONS:
            msg = f"version must be 4 or 3, a version of Electricity Maps' API, not {version!r}."
            raise ConfigurationError(msg)
        self._zone = _checked_zone(zone)
        self._token = Token(token, TOKEN_VARIABLE)
        place = lookup(static) if static is not None else _static(self._zone)
        label = Intensity(
            g_per_kwh=0.0,
            zone=self._zone,
            name=place.name if place.zone == self._zone else None,
            scope="lifecycle",
            basis="consumption",
            source="Electricity Maps",
            licence="terms of the Electricity Maps API",
            found_by="provider",
        )
        super().__init__(label, place, f"{_HOME}/v{version:d}", **options)
        if not (self._base_url.startswith("https:") or is_local(self._base_url)):
            msg = "base_url must begin with https, because anyone on the way could read the token otherwise."
            raise ConfigurationError(msg)

    def _request(self) -> Request:
        return self._question("latest")

    def _forecast_request(self) -> Request:
        return self._question("forecast")

    def _question(self, what: str) -> Request:
        parameters = {
            "zone": self._zone,
            "emissionFactorType": "lifecycle",
            # Without this, the service replaces an unknown zone by the zone of the caller's address.
            "shouldUseFallbackCallerLookup": "false",
        }
        return Request(f"{self._base_url}/carbon-intensity/{what}", parameters, {"auth-token": self._token.secret})

    def _read(self, payload: object) -> Iterator[Step]:
        answer = mapping(payload)
        zone = answer.get("zone")
        if zone != self._zone:
            msg = "it answered for another zone, so check the zone's name" if zone else "its answer names no zone"
            raise ServiceError(msg)
        if answer.get("emissionFactorType", "lifecycle") != "lifecycle":
            msg = "it answered with other emission factors than requested"
            raise ServiceError(msg)
        step_seconds = _STEP_SECONDS.get(str(answer.get("temporalGranularity")), SECONDS_PER_HOUR)
        for row in map(mapping, sequence(answer.get("forecast", answer.get("data", answer)))):
            start, value = posix_seconds(row.get("datetime")), g_per_kwh(row.get("carbonIntensity"))
            if start is not None and value is not None:
                yield Step(start, start + step_seconds, value, ("estimated",) if row.get("isEstimated") else ())


def _checked_zone(zone: str) -> str:
    checked = str(zone).strip().upper()
    if not _ZONE.fullmatch(checked):
        msg = f"zone must be a zone of Electricity Maps, such as 'DE' or 'US-CAL-CISO', not {zone!r}."
        raise ConfigurationError(msg)
    return checked


def _static(zone: str) -> Intensity:
    """Return the smallest place of the tables that contains a zone."""
    for code in (zone, country_of(zone)):
        with suppress(UnknownZoneError):
            return lookup(code)
    world = lookup(WORLD)
    return replace(world, flags=(*world.flags, "guessed"))
