"""Laps as vectors, so that one sum per lap adds up the energy of all ranks.

A vector holds its numbers column by column, one number for each slot, because a run of 1,024 ranks has 1,536 slots.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from math import isnan, nan
from typing import Final, NamedTuple

from green_callbacks.accountant.ranks.protocol import PHASES
from green_callbacks.carbon.energy_weighted import Piece
from green_callbacks.measurement.activity_slots import ActivitySlots
from green_callbacks.measurement.activity_watch import MOST_WATCHED
from green_callbacks.records import METHODS, DeviceActivity, DeviceEnergy, DeviceInfo, PhaseEnergy
from green_callbacks.records.coverage import UNMEASURED

_FIELDS: Final = 7
"""Number of columns of a vector. Each holds one number of every slot."""
_COUNTS: Final = 3
"""Number of counts at the end of the vector, which are samples, tokens and floating-point operations."""
_NUMBER_BYTES: Final = 8
"""Bytes of a number of a vector, in float64."""
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


_NO_ACTIVITY: Final[Mapping[str, DeviceActivity]] = {}


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
        activity: What devices did besides using energy, by device.
    """

    seconds: float
    devices: Mapping[str, DeviceEnergy]
    phases: Mapping[str, PhaseEnergy]
    samples: int | None
    pieces: Sequence[Piece]
    tokens: int | None = None
    flops: float | None = None
    activity: Mapping[str, DeviceActivity] = _NO_ACTIVITY


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


_device = partial(tuple.__new__, DeviceEnergy)


class LapVectors:
    """Turns laps of this rank into vectors, and the sum of the vectors of all ranks into a lap.

    Args:
        slots: The devices of all ranks.
        rank: Number of this rank.
    """

    def __init__(self, slots: Sequence[DeviceSlot], rank: int) -> None:
        self._slots = slots
        self._size = len(slots)
        self._counts = _FIELDS * self._size + len(PHASES)
        self._activity = ActivitySlots([(slot.name, slot.local_name, slot.rank == rank) for slot in _watched(slots)])
        self._length = self._counts + _COUNTS + self._activity.size
        self._own = [(at, slot.local_name) for at, slot in enumerate(slots) if slot.rank == rank]
        self._names = [slot.name for slot in slots]
        self._components = [slot.component for slot in slots]
        self._flags = [tuple(flag for flag in slot.flags if flag != LATENT) for slot in slots]
        self._is_fixed = all(LATENT not in slot.flags for slot in slots)

    def of(self, lap: Lap) -> "array[float]":
        """Return the vector of a lap, in which the numbers of other ranks are 0.

        Args:
            lap: The lap of this rank.
        """
        size = self._size
        vector = array("d", bytes(_NUMBER_BYTES * self._length))
        for at, local_name in self._own:
            vector[at : _FIELDS * size : size] = _numbers(lap.devices.get(local_name), lap.seconds)
        for at, phase in enumerate(PHASES, start=_FIELDS * size):
            energy = lap.phases.get(phase)
            vector[at] = (energy.joules or 0.0) if energy else 0.0
        counts = array("d", [nan if each is None else each for each in (lap.samples, lap.tokens, lap.flops)])
        vector[self._counts :] = counts + self._activity.numbers(lap.activity)
        return vector

    def lap(self, local: Lap, vector: Sequence[float]) -> Lap:
        """Return the lap of all ranks.

        Args:
            local: The lap of this rank.
            vector: The sum of the vectors of all ranks.
        """
        devices = self._devices(local.seconds, vector)
        counts = self._counts
        samples, tokens, flops, *activity = vector[counts:]
        joules = dict(zip(PHASES, vector[_FIELDS * self._size : counts], strict=True))
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
            self._activity.activity(activity),
        )

    def alone(self, lap: Lap) -> Lap:
        """Return a lap in which the devices of other ranks are not measured.

        Args:
            lap: The lap of this rank.
        """
        size, seconds = self._size, lap.seconds
        numbers = array("d", [number for number in _numbers(None, seconds) for _ in range(size)])
        for at, local_name in self._own:
            numbers[at::size] = _numbers(lap.devices.get(local_name), seconds)
        return Lap(
            seconds,
            self._devices(seconds, numbers),
            lap.phases,
            None,
            lap.pieces,
            activity=self._activity.own(lap.activity),
        )

    def _devices(self, seconds: float, vector: Sequence[float]) -> dict[str, DeviceEnergy]:
        """Return the devices of a vector, column by column because this takes most of the time of many ranks."""
        size = self._size
        joules, lows, highs, gaps, tolerances, methods, bits = [
            vector[at * size : (at + 1) * size] for at in range(_FIELDS)
        ]
        flags = self._flags
        if any(bits):
            flags = [known if not each else _flags(known, int(each)) for known, each in zip(flags, bits, strict=True)]
        rows = zip(
            _known(joules),
            self._components,
            [METHODS[int(method)] for method in methods],
            repeat(seconds),
            _known(lows),
            _known(highs),
            gaps,
            tolerances,
            flags,
            strict=False,  # repeat() has no end
        )
        devices = dict(zip(self._names, map(_device, rows), strict=True))
        return devices if self._is_fixed else self._there(devices)

    def _there(self, devices: Mapping[str, DeviceEnergy]) -> dict[str, DeviceEnergy]:
        """Leave out latent devices. A latent device is flagged when it has appeared."""
        return {
            slot.name: devices[slot.name]
            for slot in self._slots
            if LATENT not in slot.flags or UNMEASURED in devices[slot.name].flags
        }


def _watched(slots: Sequence[DeviceSlot]) -> list[DeviceSlot]:
    """Return the slots whose activity the vector holds, which are the GPUs of a run that has not too many."""
    gpus = [slot for slot in slots if slot.component == "gpu"]
    return gpus if len(gpus) <= MOST_WATCHED else []


def _numbers(device: DeviceEnergy | None, duration_seconds: float) -> "array[float]":
    if device is None:
        return array("d", [nan, nan, nan, duration_seconds, 0.0, 0.0, 0.0])
    return array(
        "d",
        [
            *(nan if value is None else value for value in (device.joules, device.low_joules, device.high_joules)),
            device.gap_seconds,
            device.tolerance,
            float(METHODS.index(device.method)),
            float(sum(1 << bit for bit, flag in enumerate(_FLAGS) if flag in device.flags)),
        ],
    )


def _known(column: Sequence[float]) -> Sequence[float | None]:
    """Return a column in which numbers that are not known are None."""
    if not isnan(sum(column)):
        return column
    return [None if isnan(number) else number for number in column]


def _flags(known: tuple[str, ...], bits: int) -> tuple[str, ...]:
    """Return the flags of a device, with the flags that have appeared since the start."""
    return known + tuple(flag for bit, flag in enumerate(_FLAGS) if bits >> bit & 1 and flag not in known)
