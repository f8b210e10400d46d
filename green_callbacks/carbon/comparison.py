"""The cleanest place to which a job could move."""

from green_callbacks.carbon.tables import Tables, Zone, has_tables, tables
from green_callbacks.carbon.zones import lookup
from green_callbacks.records import Intensity


def cleanest_comparable(intensity: Intensity) -> Intensity | None:
    """Find the cleanest place that is comparable and open to anyone.

    Figures are comparable if they come from the same table, and so have the same scope and basis, and the same year.
    Only places with a region of a public cloud count, because anyone can compute there.

    Args:
        intensity: Intensity of the present place.

    Returns:
        The intensity of the cleanest place, which may be the present place. None for an intensity that is not from the
        tables, such as a number from the user, because its scope is not known. None in a bundle without tables.

    Example:
        >>> cleanest_comparable(lookup("DE", year=2024)).zone
        'NO'
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
    """Return the row of the tables from which an intensity was read."""
    if intensity.zone is None:
        return None
    region = known.regions.get(intensity.zone)
    zone = known.zones.get(intensity.zone) or (region and known.zones.get(region.zone))
    return zone if zone and zone.source.title == intensity.source else None
