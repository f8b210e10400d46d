"""Devices of all ranks in fixed slots, so that one sum per lap adds up the energy of all ranks."""

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from green_callbacks.accountant.energy.lap_vectors import LATENT, DeviceSlot, Lap, LapVectors
from green_callbacks.accountant.ranks.host import Host, this_host, told_apart
from green_callbacks.accountant.ranks.protocol import Ranks, are_together
from green_callbacks.records import DeviceInfo
from green_callbacks.records.coverage import UNMEASURED
from green_callbacks.records.machine_parts import overlap_of


class DeviceSlots:
    """Every device of every rank, once. A device that several ranks of a host see belongs to the lowest rank.

    Ranks that are bound to processors of their own have a device each. A device counts not at all if others of its host
    count all its processors.

    Args:
        ranks: The processes.
        devices: This rank's devices with component and flags, as they are at the start.
        infos: Their names, products and power limits. Defaults to nothing.
        note: A message of this rank about its devices, for the other ranks. Defaults to nothing.
    """

    def __init__(
        self,
        ranks: Ranks,
        devices: Mapping[str, tuple[str, tuple[str, ...]]],
        infos: Mapping[str, DeviceInfo] | None = None,
        note: str = "",
    ) -> None:
        self._ranks = ranks
        known = infos or {}
        described = [
            [name, component, list(flags), list(known.get(name, DeviceInfo()))]
            for name, (component, flags) in devices.items()
        ]
        gathered = ranks.gather({"host": list(this_host()), "devices": described, "note": note})
        hosts = [Host(*described["host"]) for described in gathered]
        self.are_hosts_sure = all(host.has_id for host in hosts) or len({host.name for host in hosts}) == 1
        """Whether hosts are told apart by more than their names, which containers of one host do not share."""
        slots = _slots(gathered, hosts)
        covered, self.twice = _overlaps(slots)
        """Pairs of devices that count some processors twice."""
        self.slots = tuple(slot for slot in slots if slot.name not in covered)
        self.hosts: Mapping[str, Host] = dict(zip(told_apart(hosts), hosts, strict=True))
        """The machines of all ranks, by their names in records."""
        self._vectors = LapVectors(self.slots, ranks.rank)
        self.notes: tuple[str, ...] = tuple(each["note"] for each in gathered)
        """The messages of all ranks, in their order."""
        self.are_measured = any(not {UNMEASURED, LATENT}.intersection(slot.flags) for slot in self.slots)
        """Whether any device of any rank is measured."""
        self.owned = frozenset(slot.local_name for slot in self.slots if slot.rank == ranks.rank)

    def total(self, laps: Sequence[Lap]) -> list[Lap]:
        """Return the laps of all ranks together.

        Args:
            laps: The laps of this rank. Every rank has the same number.

        Returns:
            As many laps, over the devices of all ranks. After a parting, the devices of other ranks are unmeasured.
        """
        if self._ranks.size == 1:
            return list(laps)
        mine = array("d")
        for lap in laps:
            mine.extend(self._vectors.of(lap))
        vector = array("d", self._ranks.sum(mine.tolist()))
        if not are_together(self._ranks):
            return [self.local(lap) for lap in laps]
        length = len(vector) // len(laps)
        return [self._vectors.lap(lap, vector[at * length : (at + 1) * length]) for at, lap in enumerate(laps)]

    def local(self, lap: Lap) -> Lap:
        """Return a lap without asking the other ranks, whose devices are then not measured.

        Args:
            lap: The lap of this rank.
        """
        return lap if self._ranks.size == 1 else self._vectors.alone(lap)


def _slots(gathered: Sequence[Mapping[str, Any]], machines: Sequence[Host]) -> tuple[DeviceSlot, ...]:
    hosts = told_apart(machines)
    is_one = len(set(hosts)) == 1
    seen: set[tuple[str, str]] = set()
    slots: list[DeviceSlot] = []
    for rank, (host, described) in enumerate(zip(hosts, gathered, strict=True)):
        for local_name, component, flags, info in described["devices"]:
            if (host, local_name) not in seen:
                seen.add((host, local_name))
                name = local_name if is_one else f"{host}/{local_name}"
                slots.append(DeviceSlot(name, local_name, rank, component, tuple(flags), DeviceInfo(*info)))
    return tuple(slots)


def _overlaps(slots: Sequence[DeviceSlot]) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
    """Return the names of devices whose processors others count, and pairs of names that count some twice."""
    hosts: dict[str, dict[str, str]] = {}
    for slot in slots:
        hosts.setdefault(slot.name.removesuffix(slot.local_name), {})[slot.local_name] = slot.name
    found = [(names, overlap_of(names)) for names in hosts.values()]
    covered = frozenset(names[each] for names, overlap in found for each in overlap.covered)
    twice = [(names[one], names[other]) for names, overlap in found for one, other in overlap.twice]
    return covered, tuple(twice)
