"""Rebuild the tables of the package with ``python -m green_callbacks.carbon.rebuild SOURCE_DIR``.

``SOURCE_DIR`` holds the sources as CSV files in UTF-8 with a header. All intensities are in gCO2e/kWh.

| file                               | columns                                                                    |
|------------------------------------|----------------------------------------------------------------------------|
| ``grid_intensity_country.csv``     | ``iso3, name, year, g_per_kwh``; ``EU27`` and ``WORLD`` among them         |
| ``grid_intensity_subnational.csv`` | ``zone, name, year, g_per_kwh, scope, basis, source, licence``             |
| ``gcp_regions.csv``                | ``region, year, g_per_kwh``; further years in ``gcp_regions_*.csv``        |
| ``zone.tab``, ``tzdata.zi``        | of the IANA time zone database; the table of time zones stays without them |

The result is ``zones.csv`` and ``time_zones.csv``. People write the other tables by hand. ``names.csv`` holds
two-letter codes and further names, and ``corrections.csv`` holds published figures that a source rounds differently.
The last two are ``sources.csv`` and ``regions.csv``. Any fault stops the rebuild, one message names all faults, and
nothing is written.
"""

import argparse
import csv
import io
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from green_callbacks.carbon._figure_sources import Figures, check, read_figures
from green_callbacks.carbon._time_zone_database import read_time_zones
from green_callbacks.carbon.tables import DATA, key, read_table
from green_callbacks.text.log import get_logger

_logger = get_logger(__name__)


def rebuild(source: Path, target: Path = DATA) -> None:
    """Rebuild ``zones.csv`` and ``time_zones.csv``.

    Args:
        source: Folder of the source files.
        target: Folder to write to. Defaults to the package's own folder.

    Raises:
        ConfigurationError: Some figures, codes or units are wrong. The message names each.
        FileNotFoundError: A source file is missing.
    """
    figures = read_figures(source)
    check(figures)
    time_zones = read_time_zones(source) if (source / "zone.tab").exists() else None
    years = sorted({year for zone in figures.values() for year in zone.figures})
    keys = _keys(figures)
    rows = (
        (code, zone.name, zone.source, " ".join(keys[code]), *(_number(zone.figures.get(year)) for year in years))
        for code, zone in figures.items()
    )
    _write(target / "zones.csv", ("zone", "name", "source", "keys", *map(str, years)), rows)
    if time_zones is not None:
        joined = ((zone, " ".join(sorted(names))) for zone, names in sorted(time_zones.items()))
        _write(target / "time_zones.csv", ("zone", "time_zones"), joined)
    for name in sorted({zone.source for zone in figures.values()}):
        latest = [max(zone.figures) for zone in figures.values() if zone.source == name]
        counts = ", ".join(f"{latest.count(year)} of {year}" for year in sorted(set(latest), reverse=True))
        _logger.info("%s has %d zones. The latest figures in gCO2e/kWh are %s.", name, len(latest), counts)


def _keys(figures: Figures) -> dict[str, list[str]]:
    """Give every key to one zone. Codes win over names, and countries win over their parts."""
    names = {row["zone"]: row for row in read_table("names.csv")}
    taken: dict[str, str] = {}
    for code in figures:
        for text in (code, names.get(code, {}).get("iso3", "")):
            taken.setdefault(key(text), code)
    for code, zone in figures.items():
        also = names.get(code, {}).get("also", "").split(";")
        for text in () if ":" in code else (zone.name, *also):
            owner = taken.setdefault(key(text), code)
            if owner != code and text:
                _logger.info("%r means %s, so %s is found by its code only.", text, owner, code)
    taken.pop("", None)
    return {code: [text for text, owner in taken.items() if owner == code] for code in figures}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")


def main(arguments: Sequence[str] | None = None) -> None:
    """Rebuild the tables from the folder named on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m green_callbacks.carbon.rebuild", description="Rebuild the tables of the package."
    )
    parser.add_argument("source", type=Path, metavar="SOURCE_DIR", help="folder with the source files")
    parser.add_argument("--target", type=Path, default=DATA, help="folder to write to, by default the package's own")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rebuild(options.source, options.target)


if __name__ == "__main__":
    main()
