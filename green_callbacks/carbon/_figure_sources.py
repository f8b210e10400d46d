"""Reading and checking of the source files from which the table of zones is rebuilt."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from green_callbacks.carbon.base import MAX_G_PER_KWH
from green_callbacks.carbon.tables import read_csv, read_table
from green_callbacks.errors import ConfigurationError
from green_callbacks.text.log import get_logger

_PARTS_FACTOR: Final = 1.6
"""Largest ratio between a country and the median of its parts. Reading lb/MWh as g/kWh makes a ratio of 2.2."""

_logger = get_logger(__name__)


@dataclass
class ZoneFigures:
    """The row of a zone while it is assembled.

    Attributes:
        name: English name.
        source: Identifier in ``sources.csv``.
        figures: Carbon intensity in gCO2e/kWh by year.
    """

    name: str
    source: str
    figures: dict[int, float] = field(default_factory=dict)


Figures = dict[str, ZoneFigures]


def read_figures(source: Path) -> Figures:
    """Read all source files.

    Args:
        source: Folder of the files.

    Returns:
        Zones by code. Countries come first, then their parts, then cloud regions, each sorted by code.

    Raises:
        ConfigurationError: Some rows are wrong. The message names each row.
    """
    corrections = {(row["zone"], int(row["year"])): float(row["g_per_kwh"]) for row in read_table("corrections.csv")}
    figures: Figures = {}
    faults: list[str] = []
    for rows in (_countries(source), _parts(source), _google(source)):
        for code, name, source_id, row in sorted(rows, key=lambda item: item[0]):
            year, value = int(row["year"]), float(row["g_per_kwh"])
            zone = figures.setdefault(code, ZoneFigures(name, source_id))
            if year in zone.figures:
                faults.append(f"{code} {year} twice")
            zone.figures[year] = corrections.get((code, year), value)
            if not code or not source_id:
                faults.append(f"{name} {year}: code {code!r}, source {source_id!r}")
    if faults:
        raise ConfigurationError(_message(faults))
    _drop_zeros(figures)
    return figures


_Row = tuple[str, str, str, Mapping[str, str]]


def _countries(source: Path) -> Iterator[_Row]:
    codes = {row["iso3"]: row["zone"] for row in read_table("names.csv") if row["iso3"]}
    for row in read_csv(source / "grid_intensity_country.csv"):
        yield codes.get(row["iso3"], ""), row["name"], "ember", row


def _parts(source: Path) -> Iterator[_Row]:
    sources = {row["source"]: row for row in read_table("sources.csv")}
    for row in read_csv(source / "grid_intensity_subnational.csv"):
        if row["zone"] == "US-usa":  # eGRID's sum of the states, which the table of countries holds already
            continue
        known = sources.get(row["source"])
        counts_alike = known and row["scope"].startswith(known["scope"]) and row["basis"] == known["basis"]
        yield row["zone"], row["name"], known["id"] if known and counts_alike else "", row


def _google(source: Path) -> Iterator[_Row]:
    places = {row["region"]: row["place"] for row in read_table("regions.csv")}
    for path in (source / "gcp_regions.csv", *sorted(source.glob("gcp_regions_*.csv"))):
        for row in read_csv(path):
            code = f"gcp:{row['region']}"
            yield code if code in places else "", places.get(code, row["region"]), "gcp", row


def _drop_zeros(figures: Figures) -> None:
    """Drop zeros, because no grid emits nothing. A place without figures is better than a falsely clean place."""
    for code, zone in list(figures.items()):
        zeros = [year for year, value in zone.figures.items() if value == 0]
        for year in zeros:
            del zone.figures[year]
        if zeros:
            _logger.info("%s (%s) has no figures for %s, because they are 0 in the source.", code, zone.name, zeros)
        if not zone.figures:
            del figures[code]


def check(figures: Figures) -> None:
    """Check for faults that tables of this kind have had, in ranges, units, codes and places of cloud regions.

    Args:
        figures: Zones by code.

    Raises:
        ConfigurationError: Something is wrong. The message names each fault.
    """
    faults = [
        f"{code} {year}: {value:g} g/kWh is not between 0 and {MAX_G_PER_KWH:g}"
        for code, zone in figures.items()
        for year, value in zone.figures.items()
        if not 0 < value < MAX_G_PER_KWH
    ]
    faults += _wrong_units(figures)
    regions = read_table("regions.csv")
    faults += [
        f"{row['region']} lies in {row['zone']}, which has no figures" for row in regions if row["zone"] not in figures
    ]
    if "WORLD" not in figures:
        faults.append("no figures for the WORLD")
    if faults:
        raise ConfigurationError(_message(faults))


def _wrong_units(figures: Figures) -> Iterator[str]:
    """Compare each country with the median of its parts. If they differ much, one of them is in another unit."""
    for country, whole in figures.items():
        parts = [zone for code, zone in figures.items() if code.startswith(f"{country}-")]
        for year in sorted({year for part in parts for year in part.figures} & whole.figures.keys()):
            typical = median(part.figures[year] for part in parts if year in part.figures)
            if not 1 / _PARTS_FACTOR < typical / whole.figures[year] < _PARTS_FACTOR:
                yield (
                    f"the parts of {country} have {typical:g} g/kWh in {year} and the country {whole.figures[year]:g}, "
                    "so one may be in lb/MWh or kg/kWh"
                )


def _message(faults: list[str]) -> str:
    return "The sources have faults, so nothing was written. The faults: " + "; ".join(faults) + "."
