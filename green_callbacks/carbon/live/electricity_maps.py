"""Electricity Maps: the carbon intensity of what is consumed in a zone, live and ahead, with a token."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final, Unpack

from green_callbacks.carbon._step_function import Point
from green_callbacks.carbon.live.http_request import Request, ServiceError
from green_callbacks.carbon.live.payload import g_per_kwh, mapping, posix_seconds, sequence
from green_callbacks.carbon.live.provider import LiveIntensity, LiveOptions, is_local
from green_callbacks.carbon.live.token import TOKEN_VARIABLE, Token
from green_callbacks.carbon.tables import country_of
from green_callbacks.carbon.zones import WORLD, lookup
from green_callbacks.errors import ConfigurationError, UnknownZoneError
from green_callbacks.records import Intensity
from green_callbacks.units import SECONDS_PER_HOUR

_HOME: Final = "https://api.electricitymaps.com"
_VERSIONS: Final = (3, 4)
_ZONE: Final = re.compile(r"[A-Z]{2}(-[A-Z0-9]+)*")
_STEP_SECONDS: Final = {"5_minutes": SECONDS_PER_HOUR / 12, "15_minutes": SECONDS_PER_HOUR / 4}


class ElectricityMaps(LiveIntensity):
    """Electricity Maps: hours, over the life cycle, imports and exports followed.

    Values that the service estimates are flagged ``estimated``. A service that answers for another zone, as it does by
    itself for a zone that it does not know, is not believed. Forecasts need a plan that has them.

    Args:
        zone: Zone as the service spells it, such as ``"DE"`` or ``"US-CAL-CISO"``.
        token: The token; read from ``GREEN_CALLBACKS_ELECTRICITY_MAPS_TOKEN`` unless given, and always from there by a
            pickled copy: the token itself is in no pickle, log or record.
        static: Place of the tables whose yearly average stands in where the service says nothing; the zone or its
            country unless given.
        version: Version of the service's API: 4, or 3, its legacy; not used where ``base_url`` is given, which names
            it.
        options: As in :class:`~green_callbacks.carbon.live.provider.LiveOptions`.

    Raises:
        ConfigurationError: There is no token, the zone is none, or an option cannot work.
        UnknownZoneError: ``static`` is in no table.
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
            msg = f"version is that of Electricity Maps' API, 4 or 3, not {version!r}."
            raise ConfigurationError(msg)
        self._zone = str(zone).strip().upper()
        if not _ZONE.fullmatch(self._zone):
            msg = f"zone is one of Electricity Maps', such as 'DE' or 'US-CAL-CISO', not {zone!r}."
            raise ConfigurationError(msg)
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
            msg = "base_url begins with https: where a token is sent, as anyone on the way could read it otherwise."
            raise ConfigurationError(msg)

    def _request(self) -> Request:
        return self._question("latest")

    def _forecast_request(self) -> Request:
        return self._question("forecast")

    def _question(self, what: str) -> Request:
        parameters = {
            "zone": self._zone,
            "emissionFactorType": "lifecycle",
            # Without this, a zone that the service does not know becomes the one of the caller's address.
            "shouldUseFallbackCallerLookup": "false",
        }
        return Request(f"{self._base_url}/carbon-intensity/{what}", parameters, {"auth-token": self._token.secret})

    def _read(self, payload: object) -> Iterator[Point]:
        answer = mapping(payload)
        zone = answer.get("zone")
        if zone != self._zone:
            msg = "it answered for another zone; check the zone's name" if zone else "its answer names no zone"
            raise ServiceError(msg)
        if answer.get("emissionFactorType", "lifecycle") != "lifecycle":
            msg = "it answered with other emission factors than those asked for"
            raise ServiceError(msg)
        step_seconds = _STEP_SECONDS.get(str(answer.get("temporalGranularity")), SECONDS_PER_HOUR)
        for row in map(mapping, sequence(answer.get("forecast", answer.get("data", answer)))):
            start, value = posix_seconds(row.get("datetime")), g_per_kwh(row.get("carbonIntensity"))
            if start is not None and value is not None:
                yield Point(start, start + step_seconds, value, ("estimated",) if row.get("isEstimated") else ())


def _static(zone: str) -> Intensity:
    """Return the smallest place of the tables that a zone is, or is a part of."""
    for code in (zone, country_of(zone)):
        with suppress(UnknownZoneError):
            return lookup(code)
    world = lookup(WORLD)
    return replace(world, flags=(*world.flags, "guessed"))
