"""The places and PUEs to choose from, where the page asks what a run would have emitted elsewhere."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from green_callbacks.carbon.tables import Zone, has_tables, read_table, tables
from green_callbacks.carbon.zones import WORLD


def zones() -> dict[str, Any]:
    """Return all places of the tables with their latest figures, and the published PUEs.

    Returns:
        ``zones`` holds code, label, intensity in gCO2e/kWh and name of each place. The world comes first. Then come
        countries, then states and bidding zones, then regions of clouds, each by name. ``pues`` holds ratio and label
        of each published PUE by label. Both are empty in a bundle without tables.

    Example:
        >>> found = zones()
        >>> found["zones"][0]
        ['WORLD', 'World (WORLD): 458.3 g/kWh, 2025', 458.3, 'World']
        >>> found["pues"][0]
        [1.15, 'AWS sustainability disclosure, global average 2023: 1.15']
    """
    places = tables().zones.values() if has_tables() else ()
    pues = read_table("pue.csv") if has_tables("pue.csv") else []
    return {
        "zones": [_place(zone) for zone in sorted(places, key=_order)],
        "pues": sorted(map(_pue, pues), key=itemgetter(1)),
    }


def _order(zone: Zone) -> tuple[bool, bool, bool, str, str]:
    return zone.code != WORLD, ":" in zone.code, "-" in zone.code, zone.name.casefold(), zone.code


def _place(zone: Zone) -> list[Any]:
    year = max(zone.figures)
    g_per_kwh = zone.figures[year]
    return [zone.code, f"{zone.name} ({zone.code}): {g_per_kwh:.4g} g/kWh, {year}", g_per_kwh, zone.name]


def _pue(row: Mapping[str, str]) -> list[Any]:
    ratio = float(row["pue"])
    return [ratio, f"{row['source']}, {row['what']} {row['year']}: {ratio:g}"]
