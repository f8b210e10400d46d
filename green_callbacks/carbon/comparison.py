"""The cleanest place that a job can be moved to and compared with."""

from green_callbacks.carbon.tables import Tables, Zone, has_tables, tables
from green_callbacks.carbon.zones import lookup
from green_callbacks.records import Intensity


def cleanest_comparable(intensity: Intensity) -> Intensity | None:
    """Find the cleanest place that one can really compute at and compare with this one.

    Only figures that count alike are compared: of the same table, hence of the same scope and basis, and of the same
    year. Only places with a region of a public cloud count, since there anyone can compute.

    Args:
        intensity: The intensity of the place here.

    Returns:
        The intensity of the cleanest place, which may be this one; None for an intensity that is not from the tables,
        such as a number given by hand: nothing says what it counts. None in a bundle without tables.
    """
    if intensity.zone is None or not has_tables():
        return None
    known = tables()
    here = _figure(intensity, known)
    year = intensity.year
    if here is None or year is None:
        return None
    hosts = {code for region in known.regions.values() for code in (region.code, region.zone, region.country)}
    there = [
        zone
        for zone in known.zones.values()
        if zone.source == here.source and zone.code in hosts and year in zone.figures
    ]
    if not there:
        return None
    cleanest = min(there, key=lambda zone: zone.figures[year])
    return lookup(cleanest.code, year=year)


def _figure(intensity: Intensity, known: Tables) -> Zone | None:
    """Return the row of the tables that an intensity was read from."""
    if intensity.zone is None:
        return None
    region = known.regions.get(intensity.zone)
    zone = known.zones.get(intensity.zone) or (region and known.zones.get(region.zone))
    return zone if zone and zone.source.title == intensity.source else None
