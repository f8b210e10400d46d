"""The little energy that other ranks use between two epochs that follow one another at once on this rank."""

from typing import Final

from green_callbacks.accountant.energy.lap_vectors import Lap
from green_callbacks.records import DeviceEnergy, PhaseEnergy

_MOST_SHARE: Final = 0.01
"""Largest energy between two epochs that the epoch after it takes over, as a share of its own energy (by convention).
One of many ranks is always some ms late."""


def with_remainder(outside: Lap, epoch: Lap) -> list[Lap]:
    """Return both laps, the first of which is empty if the epoch takes over its energy.

    A run of many ranks would otherwise have a record between any two epochs, with no time in it.

    Args:
        outside: The lap before the epoch.
        epoch: The lap of the epoch.
    """
    left, own = _joules(outside), _joules(epoch)
    has_counted = outside.samples or outside.tokens or outside.flops
    if outside.seconds or has_counted or not 0 < left <= _MOST_SHARE * own or not _is_known(outside, epoch):
        return [outside, epoch]
    devices = {name: _with(energy, outside.devices.get(name)) for name, energy in epoch.devices.items()}
    name = max(epoch.phases, key=lambda phase: epoch.phases[phase].seconds)
    joules, seconds = epoch.phases[name]
    phases = {**epoch.phases, name: PhaseEnergy((joules or 0.0) + left, seconds)}
    empty = {
        name: energy._replace(joules=0.0, low_joules=0.0, high_joules=0.0) for name, energy in epoch.devices.items()
    }
    return [outside._replace(devices=empty, phases={}), epoch._replace(devices=devices, phases=phases)]


def _joules(lap: Lap) -> float:
    return sum(device.joules for device in lap.devices.values() if device.joules is not None)


def _is_known(outside: Lap, epoch: Lap) -> bool:
    """Return whether the epoch knows the energy of each device that has used any before it."""
    return all(
        name in epoch.devices and epoch.devices[name].joules is not None
        for name, device in outside.devices.items()
        if device.joules
    )


def _with(energy: DeviceEnergy, more: DeviceEnergy | None) -> DeviceEnergy:
    if more is None or not more.joules or energy.joules is None:
        return energy
    return energy._replace(
        joules=energy.joules + more.joules,
        low_joules=(energy.low_joules or 0.0) + (more.low_joules or 0.0),
        high_joules=(energy.high_joules or 0.0) + (more.high_joules or 0.0),
        flags=(*energy.flags, *(flag for flag in more.flags if flag not in energy.flags)),
    )
