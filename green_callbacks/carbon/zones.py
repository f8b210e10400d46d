"""Look-up of a place's carbon intensity in the tables of the package."""

from collections.abc import Iterable
from math import ceil, floor
from typing import Final, SupportsIndex

from green_callbacks.carbon.tables import Region, Tables, Zone, country_of, key, tables
from green_callbacks.errors import ConfigurationError, UnknownZoneError
from green_callbacks.records import Intensity
from green_callbacks.units import described

WORLD: Final = "WORLD"
"""Code of the world in the tables."""

_YEARS: Final = 5
"""Number of years that make the range of a zone."""

Range = tuple[float, float] | tuple[None, None]


def lookup(zone: str, *, year: int | None = None) -> Intensity:
    """Look up the yearly average carbon intensity of a place.

    ``low_g_per_kwh`` and ``high_g_per_kwh`` tell how far a figure can be from the present value. They are the smallest
    and the largest of the zone's own yearly values over the five years that end with ``year``. For early years they
    come from the first five years of the table.

    Some zones have fewer years, such as states, provinces, bidding zones and Google's regions. They take over their
    country's range in proportion, widened to hold their own values. The range of the world is the 5th and the 95th
    percentile of the countries. Bounds are None where no range is known.

    Figures count the life cycle if the place has such a figure. Others have ``scope="direct"`` and the flag ``direct
    only``. A region of AWS or Azure has the figure of the smallest place in the tables that contains it, and the place
    is named in brackets. A region of Google Cloud has Google's own figure.

    Args:
        zone: ISO 3166 code of two or three letters, English name, ``EU``, ``WORLD``, state (``US-CA``), province
            (``CN-YN``), bidding zone (``SE-SE3``) or cloud region (``aws:eu-north-1``, ``gcp:europe-west1``,
            ``azure:westeurope``). Case, accents and punctuation do not matter. A name of both a country and a state
            means the country.
        year: Calendar year. Defaults to the latest year of the place.

    Returns:
        The intensity with its provenance. The flag ``old`` marks a latest figure that is more than five years older
        than the latest figures of other places.

    Raises:
        UnknownZoneError: The place is in no table. The message names the nearest places.
        ConfigurationError: The place has no figure for that year. The message names the known years.

    Example:
        >>> lookup("Germany", year=2025).g_per_kwh
        329.7
        >>> lookup("aws:eu-north-1").name
        'Stockholm (SE-SE3)'
    """
    _check(year)
    known = tables()
    code = find(zone)
    region = known.regions.get(code)
    place = known.zones[region.zone if region and code not in known.zones else code]
    found = _year(place, year)
    low, high = _range(place, found, known)
    flags = place.source.flags
    if year is None and found <= max(known.zones[WORLD].figures) - _YEARS:
        flags += ("old",)
    return Intensity(
        g_per_kwh=place.figures[found],
        low_g_per_kwh=low,
        high_g_per_kwh=high,
        zone=code,
        name=_name(place, region),
        year=found,
        scope=place.source.scope,
        basis=place.source.basis,
        source=place.source.title,
        licence=place.source.licence,
        found_by="argument",
        flags=flags,
    )


def _check(year: object) -> None:
    if year is not None and (isinstance(year, bool) or not isinstance(year, SupportsIndex)):
        msg = f"year must be a whole number such as 2025, not {described(year)}."
        raise ConfigurationError(msg)


def find(text: str) -> str:
    """Return the code of the place that a text names.

    Args:
        text: Code or name, as in :func:`lookup`.

    Returns:
        The code as spelled in the tables.

    Raises:
        UnknownZoneError: The place is in no table.
    """
    known = tables()
    wanted = key(str(text))  # any object gets the same message as an unknown name
    code = known.codes.get(wanted)
    if code is None:
        nearest = " or ".join(_nearest(wanted, known))
        hint = f" Did you mean {nearest}?" if nearest else ""
        remedy = "Write an ISO 3166 code, an English name or a cloud region, or pass carbon_intensity in gCO2e/kWh."
        msg = f"Unknown location {described(text)}.{hint} {remedy}"
        raise UnknownZoneError(msg)
    return code


def _nearest(wanted: str, known: Tables) -> list[str]:
    from difflib import get_close_matches

    matches = get_close_matches(wanted, known.codes, n=3, cutoff=0.1)
    codes = dict.fromkeys(known.codes[match] for match in matches)
    names = {code: zone.name for code, zone in known.zones.items()}
    return [f"{code} ({names.get(code) or known.regions[code].place})" for code in codes]


def _name(place: Zone, region: Region | None) -> str:
    return place.name if region is None or region.code == place.code else f"{region.place} ({place.code})"


def _year(place: Zone, year: int | None) -> int:
    if year is None:
        return max(place.figures)
    if year not in place.figures:
        years = ", ".join(map(str, place.figures))
        msg = f"There is no figure for {place.name} ({place.code}) in {year}. Choose one of {years}."
        raise ConfigurationError(msg)
    return year


def _range(place: Zone, year: int, known: Tables) -> Range:
    if place.code == WORLD:
        return _percentiles(known, year)
    own, region = _years_before(place, year), known.regions.get(place.code)
    country = known.zones.get(region.country if region else country_of(place.code), place)
    spread = _years_before(country, max(country.figures))
    if country is place or len(spread) < 2 or year not in country.figures:  # noqa: PLR2004  one figure has no range
        return (min(own), max(own)) if len(own) > 1 else (None, None)
    value, reference = place.figures[year], country.figures[year]
    low, high = min(*spread, reference), max(*spread, reference)
    return min(round(value * low / reference, 2), *own), max(round(value * high / reference, 2), *own)


def _years_before(place: Zone, year: int) -> list[float]:
    """Return the figures of the five years that end with ``year``, or of the first five years of the table."""
    first = max(year - _YEARS + 1, min(place.figures))
    return [value for y, value in place.figures.items() if first <= y < first + _YEARS]


def _percentiles(known: Tables, year: int) -> Range:
    """Return the 5th and 95th percentile of the countries.

    Each country counts with its latest figure of the five years up to ``year``.
    """
    countries = (zone for code, zone in known.zones.items() if len(code) == 2 and code != "EU")  # noqa: PLR2004  ISO
    latest = (_latest(zone.figures.items(), year) for zone in countries)
    values = sorted(value for value in latest if value is not None)
    return _percentile(values, 0.05), _percentile(values, 0.95)


def _latest(figures: Iterable[tuple[int, float]], year: int) -> float | None:
    recent = [value for y, value in figures if year - _YEARS < y <= year]
    return recent[-1] if recent else None


def _percentile(values: list[float], share: float) -> float:
    """Interpolate between the two nearest ranks."""
    rank = share * (len(values) - 1)
    below, above = values[floor(rank)], values[ceil(rank)]
    return round(below + (above - below) * (rank - floor(rank)), 1)
