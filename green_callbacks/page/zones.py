"""The places and PUEs to choose from, where the page asks what a run would have emitted elsewhere."""

from typing import Any

from green_callbacks.carbon.tables import Zone, has_tables, read_table, tables
from green_callbacks.carbon.zones import WORLD


def zones() -> dict[str, Any]:
    """Return all places of the tables with their latest figures, and the published PUEs.

    Returns:
        ``zones`` holds code, name, intensity in gCO2e/kWh, year and scope of each place. The world comes first. Then
        come countries, then states and bidding zones, then regions of clouds, each by name. ``pues`` holds name and
        ratio of each published PUE by name. Both are empty in a bundle without tables.

    Example:
        >>> found = zones()
        >>> found["zones"][0][:4], found["pues"][0]
        (['WORLD', 'World', 458.3, 2025], ['AWS sustainability disclosure, global average 2023', 1.15])
    """
    places = tables().zones.values() if has_tables() else ()
    pues = read_table("pue.csv") if has_tables("pue.csv") else []
    return {
        "zones": [_place(zone) for zone in sorted(places, key=_order)],
        "pues": sorted([f"{row['source']}, {row['what']} {row['year']}", float(row["pue"])] for row in pues),
    }


def _order(zone: Zone) -> tuple[bool, bool, bool, str, str]:
    return zone.code != WORLD, ":" in zone.code, "-" in zone.code, zone.name.casefold(), zone.code


def _place(zone: Zone) -> list[Any]:
    year = max(zone.figures)
    return [zone.code, zone.name, zone.figures[year], year, zone.source.scope]
