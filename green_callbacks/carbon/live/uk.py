"""Live and predicted carbon intensity of Great Britain, without a token."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, Unpack

from green_callbacks.carbon._step_function import Step
from green_callbacks.carbon.live.http_request import Request, ServiceError
from green_callbacks.carbon.live.payload import g_per_kwh, lasts_sensibly, mapping, posix_seconds, sequence
from green_callbacks.carbon.live.provider import LiveIntensity, LiveOptions
from green_callbacks.carbon.zones import lookup
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Intensity

_BASE_URL: Final = "https://api.carbonintensity.org.uk"
_POSTCODE: Final = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]?")


class UkCarbonIntensity(LiveIntensity):
    """The Carbon Intensity API of Great Britain's system operator, for half hours in the country or a region.

    It counts the combustion in power stations, with imports and losses, but not the building of plants or the supply of
    fuel. So values have ``scope="direct"`` and the flag ``direct only``. Half hours without a measured value have the
    predicted value, flagged ``forecast``. Regions have predicted values only.

    Args:
        region: First half of a postcode, such as ``"RG10"``. Defaults to the whole of Great Britain.
        options: As in :class:`~green_callbacks.carbon.live.provider.LiveOptions`.

    Raises:
        ConfigurationError: The region is no postcode, or an option cannot work.

    Example:
        >>> from importlib.util import find_spec
        >>> if find_spec("httpx2"):  # pip install 'green-callbacks[live]'
        ...     provider = UkCarbonIntensity("RG10")
        ...     assert repr(provider) == "UkCarbonIntensity('GB')"
    """

    def __init__(self, region: str | None = None, **options: Unpack[LiveOptions]) -> None:
        self._region = None if region is None else _outward(region)
        label = Intensity(
            g_per_kwh=0.0,
            zone="GB",
            name=f"Great Britain, {self._region}" if self._region else "Great Britain",
            scope="direct",
            basis="consumption",
            source="NESO Carbon Intensity API",
            licence="CC BY 4.0",
            found_by="provider",
            flags=("direct only",),
        )
        super().__init__(label, lookup("GB"), _BASE_URL, **options)

    def _request(self) -> Request:
        path = f"regional/postcode/{self._region}" if self._region else "intensity"
        return Request(f"{self._base_url}/{path}")

    def _forecast_request(self) -> Request:
        now = datetime.fromtimestamp(self._now() // 1800 * 1800, UTC)
        path = f"intensity/{now:%Y-%m-%dT%H:%MZ}/fw48h"
        if self._region:
            path = f"regional/{path}/postcode/{self._region}"
        return Request(f"{self._base_url}/{path}")

    def _read(self, payload: object) -> Iterator[Step]:
        data = sequence(mapping(payload).get("data"))
        for place in data if self._region else ():
            yield from self._half_hours(self._own(place))
        if not self._region:
            yield from self._half_hours(data)

    def _own(self, place: object) -> Iterable[object]:
        region = mapping(place)
        if region.get("postcode", self._region) != self._region:
            msg = "it answered for another region, so check the postcode"
            raise ServiceError(msg)
        return sequence(region.get("data"))

    def _half_hours(self, rows: Iterable[object]) -> Iterator[Step]:
        for row in map(mapping, rows):
            start, end = posix_seconds(row.get("from")), posix_seconds(row.get("to"))
            intensity = mapping(row.get("intensity"))
            actual, forecast = g_per_kwh(intensity.get("actual")), g_per_kwh(intensity.get("forecast"))
            value = forecast if actual is None else actual
            if start is not None and end is not None and value is not None and lasts_sensibly(start, end):
                yield Step(start, end, value, ("forecast",) if actual is None else ())


def _outward(postcode: str) -> str:
    outward = str(postcode).strip().upper().partition(" ")[0]
    if not _POSTCODE.fullmatch(outward):
        msg = f"region must be the first half of a British postcode, such as 'RG10', not {postcode!r}."
        raise ConfigurationError(msg)
    return outward
