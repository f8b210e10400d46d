"""The tables of the package, read once at the first look-up."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from green_callbacks.errors import ConfigurationError

DATA: Final = Path(__file__).parent / "data"
"""Folder of the tables. In a bundle or an archive there is no such folder, but :func:`read_table` finds them."""

_NEEDED: Final = ("zones.csv", "sources.csv", "regions.csv")
"""Tables that every look-up reads."""


class Source(NamedTuple):
    """A publication and the scope of its figures.

    Attributes:
        title: Name of the publication.
        licence: License of the figures.
        scope: ``lifecycle`` or ``direct``.
        basis: ``generation`` or ``consumption``.
        flags: Cautions about every figure of this source.
    """

    title: str
    licence: str
    scope: str
    basis: str
    flags: tuple[str, ...]


class Zone(NamedTuple):
    """A place with figures of its own.

    Attributes:
        code: ISO 3166 code, bidding zone or cloud region, such as ``DE``, ``US-CA`` or ``gcp:europe-west1``.
        name: English name.
        source: Publication of the figures.
        figures: Carbon intensity in gCO2e/kWh by year, in order of the years.
    """

    code: str
    name: str
    source: Source
    figures: Mapping[int, float]


class Region(NamedTuple):
    """A region of a public cloud.

    Attributes:
        code: Provider and region, such as ``aws:eu-north-1``.
        place: Location in English.
        zone: Code of the smallest zone of the tables that contains the region.
    """

    code: str
    place: str
    zone: str

    @property
    def country(self) -> str:
        """Code of the region's country."""
        return country_of(self.zone)


class Tables(NamedTuple):
    """All zones and regions, and the keys by which people find them.

    Attributes:
        zones: Zones by code.
        regions: Cloud regions by code.
        codes: Codes by the :func:`key` of every known name.
    """

    zones: Mapping[str, Zone]
    regions: Mapping[str, Region]
    codes: Mapping[str, str]


def key(text: str) -> str:
    """Reduce a name to lower-case letters and digits without accents, which is enough to tell places apart.

    Args:
        text: A name or code as people type it.
    """
    if not text.isascii():
        import unicodedata

        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return "".join(filter(str.isalnum, text.casefold()))


def country_of(code: str) -> str:
    """Return the code of a zone's country, such as ``US`` for ``US-CA`` and ``DE`` for ``DE``.

    Args:
        code: Code of the zone.
    """
    return code.partition("-")[0]


def missing(name: str) -> str:
    """Return the message for a table that a bundle lacks.

    Args:
        name: File name in ``data``.
    """
    return (
        f"This installation lacks the table green_callbacks/carbon/data/{name}, as after bundling without data files. "
        "Bundle the data files too (PyInstaller has --collect-data green_callbacks). Or pass carbon_intensity= in "
        "gCO2e/kWh, and pue=."
    )


def read_table(name: str) -> list[dict[str, str]]:
    """Read a table of the package, also from a bundle or an archive.

    Args:
        name: File name in ``data``.

    Returns:
        Its rows by column.

    Raises:
        ConfigurationError: The package was bundled without its tables. The message names the file.
    """
    content = _content(name)
    if content is None:
        raise ConfigurationError(missing(name))
    return _rows(content.decode("utf-8").splitlines())


def has_tables(*names: str) -> bool:
    """Return whether tables exist. A bundle may lack them.

    Args:
        *names: File names in ``data``. Defaults to the tables that every look-up reads.
    """
    return all(_content(name) is not None for name in names or _NEEDED)


@cache
def _content(name: str) -> bytes | None:
    """Return a file of ``data`` through the package's loader, which reads archives too. None if the file is missing."""
    import pkgutil

    try:
        return pkgutil.get_data("green_callbacks.carbon", f"data/{name}")
    except OSError:
        return None


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a file of comma-separated values with a header, in UTF-8.

    Args:
        path: The file.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file holds something else.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return _rows(lines)


def _rows(lines: Iterable[str]) -> list[dict[str, str]]:
    import csv

    try:
        reader = csv.reader(lines)
        header = next(reader, [])
        return [_row(header, row, reader.line_num) for row in reader if row]
    except csv.Error as error:  # not a ValueError in Python
        raise ValueError(error) from error


def _row(header: Sequence[str], row: Sequence[str], number: int) -> dict[str, str]:
    if len(row) != len(header):
        msg = f"line {number} has {len(row)} columns, and the header {len(header)}"
        raise ValueError(msg)
    return dict(zip(header, row, strict=True))


@cache
def tables() -> Tables:
    """Return the tables of the package. The first call reads them in a few milliseconds."""
    rows = read_table("zones.csv")
    sources = {row.pop("id"): _source(row) for row in read_table("sources.csv")}
    regions = {row["region"]: Region(row["region"], row["place"], row["zone"]) for row in read_table("regions.csv")}
    zones: dict[str, Zone] = {}
    codes = {key(code): code for code in regions}
    for row in rows:
        code, name, source, keys = row.pop("zone"), row.pop("name"), row.pop("source"), row.pop("keys")
        figures = {int(year): float(value) for year, value in row.items() if value}
        zones[code] = Zone(code, name, sources[source], figures)
        codes.update(dict.fromkeys(keys.split(), code))
    return Tables(zones, regions, codes)


def _source(row: Mapping[str, str]) -> Source:
    flags = tuple(filter(None, row["flags"].split(";")))
    return Source(row["source"], row["licence"], row["scope"], row["basis"], flags)
