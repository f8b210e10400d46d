"""The RAPL zones of Linux' power capping tree, and the choice of zones to add up.

The tree and its files are described in the kernel's ``Documentation/power/powercap/powercap.rst``.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from green_callbacks.small_files import read_or_empty
from green_callbacks.sources.common.file_counter import EnergyFile
from green_callbacks.units import MICROJOULES_PER_JOULE

POWERCAP: Final = Path("/sys/class/powercap")
_NODE: Final = re.compile(r"([a-z-]*rapl[a-z-]*)((?::\d{1,9})*)", re.ASCII)
_COUNT: Final = re.compile(r"[0-9]{1,20}")
_PACKAGE: Final = re.compile(r"package-(\d{1,4})(-die-\d{1,4})?", re.ASCII)
_LARGEST_ZONE_WATTS: Final = {"cpu": 1_000.0, "dram": 500.0}
"""Power that no processor package and no memory of a package draws, in W.

The largest packages of 2025 are sold with 500 W, and 24 modules of 15 W add up to 360 W.
"""
_ZONE_STILL_SECONDS: Final = {"cpu": 0.4, "dram": 5.0}
"""Longest standstill of a counter, in s.

A package draws power even in its deepest sleep, and its counter refreshes once a millisecond. Memory in self-refresh
may need seconds for one step of an old, coarse counter.
"""
_SMALLEST_RANGE_JOULES: Final = 65_532.0
"""Range of AMD's 32-bit counters in units of 15.3 µJ, in J. No known counter has a smaller range."""
_TICKS_SECONDS: Final = 0.005
"""A few refresh periods of a RAPL counter, in s. It refreshes about once a millisecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaplZone(EnergyFile):
    """One energy counter of the tree.

    Attributes:
        socket: Number of the package.
        control: Name of the interface, e.g. ``intel-rapl`` or ``intel-rapl-mmio``.
    """

    socket: int
    control: str


def find_zones(root: Path) -> list[RaplZone]:
    """Find the counters that add up to the processors and their memory.

    Packages contain their cores and their graphics, and the platform (``psys``) contains the packages. So these zones
    do not count. Memory is not in the package, and is added. A package that a second interface shows again counts once.
    The same holds for dies that show the counter of their package.

    Args:
        root: The tree, usually ``/sys/class/powercap``.

    Returns:
        The zones, by interface and number. Empty if there is no tree.
    """
    folders = dict(_folders(root))
    found: dict[str, RaplZone] = {}
    for node in sorted(folders, key=_order):
        zone = _zone(node, folders)
        if zone is None:
            continue
        known = found.get(zone.name)
        if known is None:
            found[zone.name] = zone
        elif known.control == zone.control:
            found[node] = replace(zone, name=f"{zone.name}@{node}")
    return _without_mirrors(list(found.values()))


def _folders(folder: Path) -> Iterator[tuple[str, Path]]:
    """Walk the tree without its links to other places. It is flat in ``/sys/class`` and nested in ``/sys/devices``."""
    try:
        children = sorted(folder.iterdir())
    except OSError:
        return
    for child in children:
        if _NODE.fullmatch(child.name):
            yield child.name, child
            yield from _folders(child)


def _order(node: str) -> tuple[int, str, list[int]]:
    control, _, numbers = node.partition(":")
    return len(control), control, [int(number) for number in numbers.split(":") if number]


def _zone(node: str, folders: Mapping[str, Path]) -> RaplZone | None:
    label = read_or_empty(folders[node] / "name")
    if label == "dram":
        parent = node.rpartition(":")[0]
        package = read_or_empty(folders[parent] / "name") if parent in folders else ""
        component = "dram"
    else:
        package = label
        component = "cpu"
    match = _PACKAGE.fullmatch(package)
    if match is None:
        return None
    range_text = read_or_empty(folders[node] / "max_energy_range_uj")
    range_joules = int(range_text) / MICROJOULES_PER_JOULE if _COUNT.fullmatch(range_text) else 0.0
    return RaplZone(
        name=f"{component}:{package}",
        component=component,
        socket=int(match[1]),
        control=node.partition(":")[0],
        counter=folders[node] / "energy_uj",
        range_joules=range_joules or None,
        wrap_seconds=(range_joules or _SMALLEST_RANGE_JOULES) / _LARGEST_ZONE_WATTS[component],
        largest_watts=_LARGEST_ZONE_WATTS[component],
        still_seconds=_ZONE_STILL_SECONDS[component],
    )


def _without_mirrors(zones: Sequence[RaplZone]) -> list[RaplZone]:
    """Drop every die that shows the counter of an earlier die of its package (AMD's Zen 1 and 2 with several dies)."""
    mirrored = _mirrored(zones)
    if mirrored:
        time.sleep(_TICKS_SECONDS)
        mirrored &= _mirrored(zones)
    return [zone for zone in zones if zone.name not in mirrored]


def _mirrored(zones: Sequence[RaplZone]) -> set[str]:
    """Return the names of the zones whose value lies between two readings of an earlier zone."""
    first, second = _read_all(zones), _read_all(zones)
    return {
        other.name
        for index, zone in enumerate(zones)
        for other in zones[index + 1 :]
        if (zone.component, zone.socket, zone.range_joules) == (other.component, other.socket, other.range_joules)
        and zone.name in second
        and other.name in first
        and 0 < first[zone.name] <= first[other.name] <= second[zone.name]
    }


def _read_all(zones: Iterable[RaplZone]) -> dict[str, float]:
    values = {}
    for zone in zones:
        try:
            values[zone.name] = zone.read_joules()
        except (OSError, ValueError):
            continue
    return values
