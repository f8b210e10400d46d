"""Counts how many processes have measured a device at each time, and divides its energy equally between them."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from math import fsum, inf
from typing import Final, NamedTuple

from green_callbacks.ledger.overlaps.crossing import Bound, changes_of, crossing_names
from green_callbacks.records.machine_parts import is_part, overlap_of, processors_of, whole_of

OF_MACHINES: Final = ("cpu:", "dram:")
"""Beginnings of the names of processors and of memory, of which one device may include another."""
_MODEL: Final = "model"
"""End of the names of modelled devices, which counters may include."""


class Piece(NamedTuple):
    """A time in which the number of processes does not change.

    Attributes:
        began: Its beginning, in s since 1970.
        processes: The number of processes that measured the device, or a device around it.
        rate: The part of one of them, 0 to 1.
    """

    began: float
    processes: int
    rate: float


class Company(NamedTuple):
    """How many processes measured a device, from one time to the next.

    Attributes:
        times: A time before all, and the times at which the number changed, in s since 1970, in order.
        counts: The number from each of these times on.
        rates: Part of one process from each of these times on, 0 to 1.
    """

    times: Sequence[float]
    counts: Sequence[int]
    rates: Sequence[float]

    @classmethod
    def of(
        cls, spans: Mapping[Hashable, Iterable[tuple[float, float]]], covered: Iterable[tuple[float, float]] = ()
    ) -> "Company":
        """Count the processes.

        Args:
            spans: When each process measured the device, as beginnings and ends in s since 1970.
            covered: When another process measured a device that includes this one. Nobody has a part of it then.
                Defaults to never.
        """
        edges: list[tuple[float, int, int]] = []
        for each in spans.values():
            for began, ended in _united(each):
                edges += [(began, 1, 0), (ended, -1, 0)]
        for began, ended in _united(covered):
            edges += [(began, 0, 1), (ended, 0, -1)]
        times, counts, rates = [-inf], [0], [1.0]
        processes = covers = 0
        for at, change, covering in sorted(edges):
            processes, covers = processes + change, covers + covering
            if at > times[-1]:
                times.append(at)
                counts.append(0)
                rates.append(0.0)
            counts[-1] = processes + covers
            rates[-1] = 0.0 if covers else 1.0 / max(processes, 1)
        return cls(times, counts, rates)

    def share(self, began: float, ended: float) -> float:
        """Return the part of one of the processes in the energy of a time, 0 to 1.

        It depends only on that time, to the last bit, so that a part that is remembered stays right.

        Args:
            began: Beginning, in s since 1970.
            ended: End, in s since 1970.
        """
        pieces = self.within(began, ended)
        if ended <= began or len(pieces) == 1:
            return pieces[0].rate
        ends = [*(piece.began for piece in pieces[1:]), ended]
        parts = fsum(piece.rate * (end - piece.began) for piece, end in zip(pieces, ends, strict=True))
        return min(1.0, parts / (ended - began))

    def within(self, began: float, ended: float) -> list[Piece]:
        """Return the numbers within a time.

        Args:
            began: Beginning, in s since 1970.
            ended: End, in s since 1970.
        """
        first, last = bisect_right(self.times, began), bisect_left(self.times, ended)
        later = range(first, last)
        return [
            Piece(began, self.counts[first - 1], self.rates[first - 1]),
            *(Piece(self.times[at], self.counts[at], self.rates[at]) for at in later),
        ]

    def most(self, began: float, ended: float) -> int:
        """Return the largest number of processes within a time.

        Args:
            began: Beginning, in s since 1970.
            ended: End, in s since 1970.
        """
        return max(piece.processes for piece in self.within(began, ended))


def _united(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return spans without overlaps, for the runs of one process."""
    found: list[tuple[float, float]] = []
    for began, ended in sorted(spans):
        if found and began <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ended))
        else:
            found.append((began, ended))
    return found


Spans = Mapping[Hashable, Iterable[tuple[float, float]]]
"""When each process measured a device, as beginnings and ends in s since 1970."""
Key = tuple[str, str, str]
"""The machine, the name and the owner of a device."""


def companies_of(spans: Mapping[Key, Spans]) -> dict[Key, Company]:
    """Count the processes of all devices that several processes measured.

    A model of all processors or all memory of a machine includes the part of a process or a job. So do the counters,
    which also include the model. A whole GPU includes the share of each process.

    Args:
        spans: When each process measured each device.

    Returns:
        The company of each such device.
    """
    around = _Around(spans)
    found = {}
    for key, by_process in spans.items():
        covered = around.covered(key, spans)
        if len(by_process) > 1 or covered:
            found[key] = Company.of(by_process, covered)
    for machine in {key[0] for key in spans}:
        found |= _crossing(machine, spans, around)
    return found


def _crossing(machine: str, spans: Mapping[Key, Spans], around: "_Around") -> dict[Key, Company]:
    """Return the companies of devices that have some processors in common, and some not."""
    crossing = crossing_names(around.parts(machine))
    devices = {}
    for name in crossing:
        key = (machine, name, "")
        covered = _united(around.covered(key, spans))
        devices[name] = Bound(name, {process: _united(each) for process, each in spans[key].items()}, covered)
    return {
        (machine, name, ""): Company(*map(list, zip(*changes, strict=True)))
        for name, changes in changes_of(devices).items()
    }


class _Around:
    """Tells which devices include another device.

    Args:
        keys: All devices.
    """

    def __init__(self, keys: Collection[Key]) -> None:
        self._keys = keys
        self._wholes: dict[tuple[str, str], list[Key]] = {}
        self._parts: dict[str, list[Key]] = {}
        for key in keys:
            host, name, owner = key
            if name.startswith(OF_MACHINES) and not owner:
                if not is_part(name):
                    self._wholes.setdefault((host, _kind(name)), []).append(key)
                elif processors_of(name) is not None:
                    self._parts.setdefault(host, []).append(key)

    def parts(self, host: str) -> list[str]:
        """Return the names of the processors of a machine to which processes are bound.

        Args:
            host: The machine.
        """
        return [name for _, name, _ in self._parts.get(host, ())]

    def covered(self, key: Key, spans: Mapping[Key, Spans]) -> list[tuple[float, float]]:
        """Return when other processes measured a device around a device.

        Args:
            key: The device.
            spans: When each process measured each device.
        """
        others, own = [spans[other] for other in self.those(key)], spans[key]
        return [span for each in others for process, given in each.items() if process not in own for span in given]

    def those(self, key: Key) -> list[Key]:
        """Return the devices around a device.

        Args:
            key: The device.
        """
        host, name, owner = key
        if owner:  # the whole device includes the share of each process
            return [whole] if (whole := (host, name, "")) in self._keys else []
        if not name.startswith(OF_MACHINES):
            return []
        wholes, model = self._wholes.get((host, _kind(name)), []), _kind(name) + _MODEL
        if not name.startswith(model):
            return self._around_counter(key, [whole for whole in wholes if whole[1] == model])
        parts = self._parts.get(host, ()) if processors_of(name) is not None else ()
        around = [other for other in parts if other != key and name in overlap_of([name, other[1]]).covered]
        return [*(whole for whole in wholes if whole != key), *around]

    def _around_counter(self, key: Key, models: list[Key]) -> list[Key]:
        """Return the whole counter around a share of it, or else the model of everything."""
        host, name, _ = key
        if not is_part(name):
            return []
        counter = (host, whole_of(name), "")
        return [counter] if counter in self._keys else models


def _kind(name: str) -> str:
    return name[: name.index(":") + 1]
