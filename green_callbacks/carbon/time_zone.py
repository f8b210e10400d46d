"""The country of the machine's time zone, without the network."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from green_callbacks.carbon.tables import has_tables, read_table
from green_callbacks.small_files import read_or_empty

_TABLE: Final = "time_zones.csv"


def country_of_time_zone(environ: Mapping[str, str], etc: Path = Path("/etc")) -> tuple[str, str] | None:
    """Find the country of the machine's time zone.

    The first of ``TZ``, ``/etc/timezone`` and the link ``/etc/localtime`` that names a place counts. UTC and other
    zones without a place are skipped.

    Args:
        environ: Environment variables.
        etc: Folder of the machine's configuration. Defaults to ``/etc``.

    Returns:
        ISO 3166 two-letter code of the country, and the name of the time zone. None if no place is found.
    """
    countries: dict[str, str] = {}
    for name in _time_zones(environ, etc):
        countries = countries or _countries()
        if name in countries:
            return countries[name], name
    return None


def _countries() -> dict[str, str]:
    if not has_tables(_TABLE):
        return {}
    return {name: row["zone"] for row in read_table(_TABLE) for name in row["time_zones"].split()}


def _time_zones(environ: Mapping[str, str], etc: Path) -> Iterator[str]:
    yield _name(environ.get("TZ", ""))
    yield _name(read_or_empty(etc / "timezone"))
    with suppress(OSError):
        # Only the first link counts, because the files of some zones are links to other countries.
        yield _name(str((etc / "localtime").readlink()))


def _name(text: str) -> str:
    """Return the name of a time zone from a name, from ``:name``, or from a path into a time-zone database."""
    name = text.strip().removeprefix(":").rpartition("zoneinfo/")[2]
    return name.removeprefix("posix/").removeprefix("right/")
