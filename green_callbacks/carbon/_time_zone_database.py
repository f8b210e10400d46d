"""The countries of time zones, read from the IANA time zone database."""

from pathlib import Path
from typing import Final

_NO_PLACE: Final = frozenset(
    {"CET", "EET", "MET", "WET", "EST", "MST", "HST", "EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT"}
)
"""Old time zones without a place, which the database still links to a city."""


def read_time_zones(source: Path) -> dict[str, list[str]]:
    """Read ``zone.tab``, and the former names in ``tzdata.zi`` if that file exists.

    Args:
        source: Folder of the files.

    Returns:
        Names of time zones by the country's two-letter code.
    """
    countries: dict[str, str] = {}
    for line in (source / "zone.tab").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            code, _, name, *_ = line.split("\t")
            countries[name] = code
    links = _links(source / "tzdata.zi")
    for link in links:
        target = link
        while target in links and target not in countries:
            target = links[target]
        if target in countries and link not in _NO_PLACE:
            countries[link] = countries[target]
    zones: dict[str, list[str]] = {}
    for name, code in countries.items():
        zones.setdefault(code, []).append(name)
    return zones


def _links(path: Path) -> dict[str, str]:
    """Return the current name by former name."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {link: target for kind, target, link in map(str.split, filter(_is_link, lines)) if kind == "L"}


def _is_link(line: str) -> bool:
    return line.startswith("L ")
