"""Devices of all ranks in fixed slots, so that one sum per lap adds up the energy of all ranks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Any, Final, NamedTuple

from green_callbacks.accountant.ranks.host import Host, this_host, told_apart
from green_callbacks.accountant.ranks.protocol import PHASES, Ranks, are_together
from green_callbacks.carbon.energy_weighted import Piece
from green_callbacks.records import METHODS, DeviceEnergy, DeviceInfo, PhaseEnergy
from green_callbacks.records.coverage import UNMEASURED
from green_callbacks.records.machine_parts import overlap_of

_FIELDS: Final = 7
"""Number of fields of one device in the vector."""
_COUNTS: Final = 3
"""Number of counts at the end of the vector, which are samples, tokens and floating-point operations."""
_FLAGS: Final = (
    "reset",
    "catch_up",
    "shared",
    "shared_host",
    "share_unknown",
    "counter_frozen",
    "counter_implausible",
    "counter_gone",
    "counter_resolution",
    "samples_frozen",
    "clock_stepped",
    "wraps_unseen",
    UNMEASURED,
)
"""Flags that may appear during a run. The vector holds each as a bit."""
LATENT: Final = "latent"
"""Flag of a slot for a device that may appear later. Until then, no lap and no record holds the device."""


class Lap(NamedTuple):
    """The energy of one process, or of all together, in one interval.

    Attributes:
        seconds: Length in s.
        devices: Energy by device.
        phases: Energy and time by phase.
        samples: Training samples seen, or None if unknown.
        pieces: Energy of this process by time, at least one piece.
        tokens: Training tokens seen, or None if unknown.
        flops: Floating-point operations done, or None if unknown.
    """

    seconds: float
    devices: Mapping[str, DeviceEnergy]
    phases: Mapping[str, PhaseEnergy]
    samples: int | None
    pieces: Sequence[Piece]
    tokens: int | None = None
    flops: float | None = None


@dataclass(frozen=True, slots=True)
class DeviceSlot:
    """A place in the vector for one device of one rank.

    Attributes:
        name: Name of the device in records.
        local_name: Its name on its host.
        rank: The rank that measures it.
        component: Its component, such as ``gpu``.
        flags: Its flags at the start.
        info: Its name, product and power limit.
    """

    name: str
    local_name: str
    rank: int
    component: str
    flags: tuple[str, ...]
    info: DeviceInfo


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
        vector = self._ranks.sum([number for lap in laps for number in self._vector(lap)])
        if not are_together(self._ranks):
            return [self.local(lap) for lap in laps]
        length = len(vector) // len(laps)
        return [self._lap(lap, vector[at * length : (at + 1) * length]) for at, lap in enumerate(laps)]

    def local(self, lap: Lap) -> Lap:
        """Return a lap without asking the other ranks, whose devices are then not measured.

        Args:
            lap: The lap of this rank.
        """
        if self._ranks.size == 1:
            return lap
        devices = {
            slot.name: _device(slot, numbers, lap.seconds)
            for slot in self.slots
            if _is_there(slot, numbers := _numbers(lap.devices.get(slot.local_name), lap.seconds))
        }
        return Lap(lap.seconds, devices, lap.phases, None, lap.pieces)

    def _vector(self, lap: Lap) -> list[float]:
        numbers: list[float] = []
        for slot in self.slots:
            is_ours = slot.rank == self._ranks.rank
            numbers += _numbers(lap.devices.get(slot.local_name), lap.seconds) if is_ours else [0.0] * _FIELDS
        for phase in PHASES:
            energy = lap.phases.get(phase)
            numbers.append((energy.joules or 0.0) if energy else 0.0)
        numbers += (nan if count is None else count for count in (lap.samples, lap.tokens, lap.flops))
        return numbers

    def _lap(self, local: Lap, vector: Sequence[float]) -> Lap:
        devices = {
            slot.name: _device(slot, numbers, local.seconds)
            for at, slot in enumerate(self.slots)
            if _is_there(slot, numbers := vector[at * _FIELDS : (at + 1) * _FIELDS])
        }
        *_, samples, tokens, flops = vector
        joules = dict(zip(PHASES, vector[-len(PHASES) - _COUNTS : -_COUNTS], strict=True))
        is_measured = any(device.joules is not None for device in devices.values())
        phases = {
            name: PhaseEnergy(joules[name] if is_measured else None, phase.seconds)
            for name, phase in local.phases.items()
        }
        return Lap(
            local.seconds,
            devices,
            phases,
            None if isnan(samples) else int(samples),
            local.pieces,
            None if isnan(tokens) else int(tokens),
            None if isnan(flops) else flops,
        )


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


def _numbers(device: DeviceEnergy | None, duration_seconds: float) -> list[float]:
    if device is None:
        return [nan, nan, nan, duration_seconds, 0.0, 0.0, 0.0]
    return [
        *(nan if value is None else value for value in (device.joules, device.low_joules, device.high_joules)),
        device.gap_seconds,
        device.tolerance,
        float(METHODS.index(device.method)),
        float(sum(1 << bit for bit, flag in enumerate(_FLAGS) if flag in device.flags)),
    ]


def _is_there(slot: DeviceSlot, numbers: Sequence[float]) -> bool:
    """Return whether a device is there. A latent device is flagged when it has appeared."""
    return LATENT not in slot.flags or bool(int(numbers[-1]) >> _FLAGS.index(UNMEASURED) & 1)


def _device(slot: DeviceSlot, numbers: Sequence[float], duration_seconds: float) -> DeviceEnergy:
    joules, low, high = (None if isnan(number) else number for number in numbers[:3])
    gap_seconds, tolerance, method, bits = numbers[3:]
    flags = tuple(flag for bit, flag in enumerate(_FLAGS) if int(bits) >> bit & 1 and flag not in slot.flags)
    return DeviceEnergy(
        joules=joules,
        low_joules=low,
        high_joules=high,
        component=slot.component,
        method=METHODS[int(method)],
        duration_seconds=duration_seconds,
        gap_seconds=gap_seconds,
        tolerance=tolerance,
        flags=tuple(flag for flag in slot.flags + flags if flag != LATENT),
    )
