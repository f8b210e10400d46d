"""The tables of the package, read once, at the first look-up."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from green_callbacks.errors import ConfigurationError

DATA: Final = Path(__file__).parent / "data"
"""Where the tables lie in a folder; in a bundle or an archive, :func:`read_table` finds them all the same."""

_NEEDED: Final = ("zones.csv", "sources.csv", "regions.csv")
"""What every look-up reads."""


class Source(NamedTuple):
    """Who published a figure, and what it counts.

    Attributes:
        title: Name of the publication.
        licence: Licence of the figures.
        scope: ``lifecycle`` or ``direct``.
        basis: ``generation`` or ``consumption``.
        flags: What a reader must know of every figure of this source.
    """

    title: str
    licence: str
    scope: str
    basis: str
    flags: tuple[str, ...]


class Zone(NamedTuple):
    """A place with figures of its own.

    Attributes:
        code: ISO 3166 code, bidding zone or cloud region, e.g. ``DE``, ``US-CA``, ``gcp:europe-west1``.
        name: English name.
        source: Where the figures come from.
        figures: Carbon intensity in gCO2e/kWh by year, in order of the years.
    """

    code: str
    name: str
    source: Source
    figures: Mapping[int, float]


class Region(NamedTuple):
    """A region of a public cloud.

    Attributes:
        code: Provider and region, e.g. ``aws:eu-north-1``.
        place: Where it stands, in English.
        zone: Code of the smallest zone of the tables that holds it.
    """

    code: str
    place: str
    zone: str

    @property
    def country(self) -> str:
        """Code of the country that the region stands in."""
        return country_of(self.zone)


class Tables(NamedTuple):
    """All zones and regions, and the keys by which people find them.

    Attributes:
        zones: Zones by code.
        regions: Cloud regions by code.
        codes: Code by :func:`key` of everything that people type for it.
    """

    zones: Mapping[str, Zone]
    regions: Mapping[str, Region]
    codes: Mapping[str, str]


def key(text: str) -> str:
    """Reduce what people type to what tells places apart: lower-case letters and digits, without accents."""
    if not text.isascii():
        import unicodedata

        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return "".join(filter(str.isalnum, text.casefold()))


def country_of(code: str) -> str:
    """Return the code of the country that a zone is a part of: ``US`` for ``US-CA``, ``DE`` for ``DE``."""
    return code.partition("-")[0]


def missing(name: str) -> str:
    """Return what to say where a bundle lacks a table.

    Args:
        name: File name in ``data``.
    """
    return (
        f"This installation lacks the table green_callbacks/carbon/data/{name}, as after bundling without data files. "
        "Bundle them too (PyInstaller: --collect-data green_callbacks), or give numbers: carbon_intensity= in "
        "gCO2e/kWh, and pue=."
    )


def read_table(name: str) -> list[dict[str, str]]:
    """Read a table of the package, from wherever the package itself was loaded.

    Args:
        name: File name in ``data``.

    Returns:
        Its rows by column.

    Raises:
        ConfigurationError: The installation has been bundled without its tables; the message names the file.
    """
    content = _content(name)
    if content is None:
        raise ConfigurationError(missing(name))
    return _rows(content.decode("utf-8").splitlines())


def has_tables(*names: str) -> bool:
    """Return whether tables are there: bundles may have been made without them.

    Args:
        *names: File names in ``data``; those that every look-up reads unless given.
    """
    return all(_content(name) is not None for name in names or _NEEDED)


@cache
def _content(name: str) -> bytes | None:
    """Return a file of ``data`` through the loader of the package, which reads archives too; None without it."""
    import pkgutil

    try:
        return pkgutil.get_data("green_callbacks.carbon", f"data/{name}")
    except OSError:
        return None


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a file of comma-separated values with a header, in UTF-8.

    Raises:
        OSError: It cannot be read.
        ValueError: It holds something else.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return _rows(lines)


def _rows(lines: Iterable[str]) -> list[dict[str, str]]:
    import csv

    try:
        reader = csv.reader(lines)
        header = next(reader, [])
        return [_row(header, row, reader.line_num) for row in reader if row]
    except csv.Error as error:  # which is no ValueError
        raise ValueError(error) from error


def _row(header: Sequence[str], row: Sequence[str], number: int) -> dict[str, str]:
    if len(row) != len(header):
        msg = f"line {number} has {len(row)} columns, and the header {len(header)}"
        raise ValueError(msg)
    return dict(zip(header, row, strict=True))


@cache
def tables() -> Tables:
    """Return the tables of the package; the first call reads them, in a few milliseconds."""
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
