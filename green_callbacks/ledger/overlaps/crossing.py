"""Divides modelled processors between processes that are bound to some of the same processors."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import combinations, groupby
from math import fsum, inf
from typing import NamedTuple

from green_callbacks.records.machine_parts import processors_of

Times = Iterable[tuple[float, float]]


class Bound(NamedTuple):
    """The modelled processors to which processes are bound.

    Attributes:
        name: Name of the device.
        spans: When each process measured it, as beginnings and ends in s since 1970, without overlaps.
        covered: When another process measured a device that includes it, likewise.
    """

    name: str
    spans: Mapping[Hashable, Times]
    covered: Times


class Change(NamedTuple):
    """The part of a process from some time on.

    Attributes:
        at: The time, in s since 1970.
        processes: Number of processes that measure any of the processors.
        rate: Part of one process, 0 to 1.
    """

    at: float
    processes: int
    rate: float


def crossing_names(names: Iterable[str]) -> set[str]:
    """Return the names of the devices that have some processors in common with another, and some not.

    Args:
        names: Names of devices of one machine.

    >>> sorted(crossing_names(["cpu:model@0-3", "cpu:model@2-5", "cpu:model@8-9", "cpu:model"]))
    ['cpu:model@0-3', 'cpu:model@2-5']
    """
    parts = {name: found for name in names if (found := processors_of(name)) is not None}
    pairs = combinations(parts.items(), 2)
    return {
        name
        for (one, ours), (two, theirs) in pairs
        if ours & theirs and ours - theirs and theirs - ours
        for name in (one, two)
    }


def changes_of(devices: Mapping[str, Bound]) -> dict[str, list[Change]]:
    """Divide each processor equally between the processes that measure it.

    Args:
        devices: The devices of one machine that cross one another, by name.

    Returns:
        How the part of one process changes, by device.
    """
    processors = {name: processors_of(name) or frozenset() for name in devices}
    found: dict[str, list[Change]] = {name: [Change(-inf, 0, 1.0)] for name in devices}
    active: dict[str, set[Hashable]] = {name: set() for name in devices}
    covers = dict.fromkeys(devices, 0)
    for at, edges in groupby(sorted(_edges(devices.values()), key=lambda edge: edge[0]), key=lambda edge: edge[0]):
        for _, name, process, step in edges:
            if process is None:
                covers[name] += step
            else:
                (active[name].add if step > 0 else active[name].discard)(process)
        kept = {name: active[name] for name in devices if active[name] and not covers[name]}
        for name, changes in found.items():
            change = _change(at, processors[name], kept, processors) if not covers[name] else None
            change = change or Change(at, len(active[name]) + covers[name], 0.0)
            if change[1:] != changes[-1][1:]:
                changes.append(change)
    return found


def _edges(devices: Iterable[Bound]) -> Iterator[tuple[float, str, Hashable | None, int]]:
    for device in devices:
        for process, times in [*device.spans.items(), (None, device.covered)]:
            for began, ended in times:
                yield began, device.name, process, 1
                yield ended, device.name, process, -1


def _change(
    at: float, own: frozenset[int], kept: Mapping[str, set[Hashable]], processors: Mapping[str, frozenset[int]]
) -> Change:
    beside = [(processors[name], processes) for name, processes in kept.items() if own & processors[name]]
    users = [set().union(*(processes for found, processes in beside if each in found)) for each in sorted(own)]
    everyone = set[Hashable]().union(*users)
    return Change(at, len(everyone), fsum(1.0 / max(1, len(each)) for each in users) / len(own))
