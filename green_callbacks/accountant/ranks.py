"""Distributed training, as far as the core knows of it: one sum per lap over fixed slots."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from green_callbacks.carbon.energy_weighted import Piece
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import METHODS, DeviceEnergy, DeviceInfo, PhaseEnergy
from green_callbacks.records.coverage import UNMEASURED

_FIELDS: Final = 7
"""Numbers of one device in the vector."""
_COUNTS: Final = 3
"""Numbers after those of devices and phases: samples, tokens, floating-point operations."""
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
"""Flags that may come while a run goes on, and that the vector holds, each as a bit."""
LATENT: Final = "latent"
"""Flag of a slot for a device that may turn out to be there: until it does, it is in no lap and in no record."""
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

PHASES: Final = ("train", "validation", "test", "predict", "other")
"""The phases there are; a fixed set, so that every rank's lap has the same length."""


def checked_phase(name: str) -> str:
    """Return the name of a phase.

    Raises:
        ConfigurationError: There is no such phase.
    """
    if name not in PHASES:
        msg = f"There is no phase {name!r}; there are {', '.join(PHASES)}."
        raise ConfigurationError(msg)
    return name


class Ranks(Protocol):
    """The processes of a run; every method is called by all of them, on the training thread, at the same hook."""

    @property
    def rank(self) -> int:
        """Number of this process, from 0."""
        ...

    @property
    def size(self) -> int:
        """Number of processes."""
        ...

    def gather(self, value: Any) -> list[Any]:  # noqa: ANN401  any plain JSON value
        """Return the values of all ranks, in their order.

        Args:
            value: This rank's; plain JSON types.
        """
        ...

    def sum(self, vector: Sequence[float]) -> list[float]:
        """Return the sum of the vectors of all ranks, in float64.

        Args:
            vector: This rank's; all are of one length.
        """
        ...


class OneRank:
    """A run of a single process."""

    rank = 0
    size = 1

    def gather(self, value: Any) -> list[Any]:  # noqa: ANN401  any plain JSON value
        """Return the only value."""
        return [value]

    def sum(self, vector: Sequence[float]) -> list[float]:
        """Return the only vector."""
        return list(vector)


class Lap(NamedTuple):
    """What a process, or all of them together, used in one interval.

    Attributes:
        seconds: Length in s.
        devices: Energy by device.
        phases: Energy and time by phase.
        samples: Training samples seen; None if unknown.
        pieces: When this process used its energy; at least one.
        tokens: Training tokens seen; None if unknown.
        flops: Floating-point operations done; None if unknown.
    """

    seconds: float
    devices: Mapping[str, DeviceEnergy]
    phases: Mapping[str, PhaseEnergy]
    samples: int | None
    pieces: Sequence[Piece]
    tokens: int | None = None
    flops: float | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in the vector: one device of one rank.

    Attributes:
        name: Name of the device in records.
        local_name: Its name on its host.
        rank: The rank that measures it.
        component: What it is a part of.
        flags: What was known of it at the start.
        info: What is known of it besides its energy.
    """

    name: str
    local_name: str
    rank: int
    component: str
    flags: tuple[str, ...]
    info: DeviceInfo


class Slots:
    """Every device of every rank, once: one that several ranks of a host see belongs to the lowest of them.

    Args:
        ranks: The processes.
        devices: This rank's devices with component and flags, as they are at the start.
        infos: What is known of them besides their energy.
        note: What this rank has to tell the others of its devices. Defaults to nothing.
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
        gathered = ranks.gather({"host": _host(), "devices": described, "note": note})
        self.slots = _slots(gathered)
        self.notes: tuple[str, ...] = tuple(each["note"] for each in gathered)
        """What every rank has to tell, in their order."""
        self.are_measured = any(not {UNMEASURED, LATENT}.intersection(slot.flags) for slot in self.slots)
        """Whether any device of any rank is measured."""
        self.owned = frozenset(slot.local_name for slot in self.slots if slot.rank == ranks.rank)

    def total(self, laps: Sequence[Lap]) -> list[Lap]:
        """Return the laps of all ranks together.

        Args:
            laps: This rank's; as many on every rank.

        Returns:
            As many laps, over the devices of all ranks.
        """
        if self._ranks.size == 1:
            return list(laps)
        vector = self._ranks.sum([number for lap in laps for number in self._vector(lap)])
        length = len(vector) // len(laps)
        return [self._lap(lap, vector[at * length : (at + 1) * length]) for at, lap in enumerate(laps)]

    def local(self, lap: Lap) -> Lap:
        """Return a lap without asking the other ranks, whose devices are then not measured.

        Args:
            lap: This rank's.
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


def _slots(gathered: Sequence[Mapping[str, Any]]) -> tuple[Slot, ...]:
    hosts = _host_names([described["host"] for described in gathered])
    seen: set[tuple[str, str]] = set()
    slots: list[Slot] = []
    for rank, described in enumerate(gathered):
        host = described["host"]
        for local_name, component, flags, info in described["devices"]:
            if (host["id"], local_name) not in seen:
                seen.add((host["id"], local_name))
                name = local_name if len(hosts) == 1 else f"{hosts[host['id']]}/{local_name}"
                slots.append(Slot(name, local_name, rank, component, tuple(flags), DeviceInfo(*info)))
    return tuple(slots)


def _host_names(hosts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Name every host apart; those that share a name also by what is known of them."""
    names = {host["id"]: host["name"] for host in hosts}
    shared = Counter(names.values())
    return {host: name if shared[name] == 1 else f"{name}-{host[:8]}" for host, name in names.items()}


def host_name() -> str:
    """Return the name of this machine; empty where the system does not tell."""
    import socket  # as slow to import as half of the package

    try:
        return socket.gethostname()
    except OSError:
        return ""


def _host() -> dict[str, str]:
    """Tell this host from others: containers of one host differ in name, and virtual machines may share one."""
    name = host_name()
    try:
        return {"id": _BOOT_ID.read_text().strip(), "name": name}
    except OSError:
        return {"id": name, "name": name}


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


def _is_there(slot: Slot, numbers: Sequence[float]) -> bool:
    """Tell whether a device is there: one that may turn out to be is flagged when it has."""
    return LATENT not in slot.flags or bool(int(numbers[-1]) >> _FLAGS.index(UNMEASURED) & 1)


def _device(slot: Slot, numbers: Sequence[float], duration_seconds: float) -> DeviceEnergy:
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
