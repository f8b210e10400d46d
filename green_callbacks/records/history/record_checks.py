"""The conditions that a record must meet to be kept."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from math import isfinite
from numbers import Real
from typing import Final

from green_callbacks.records.activity import DeviceActivity
from green_callbacks.records.device import DeviceEnergy, PhaseEnergy
from green_callbacks.records.epoch import EpochRecord
from green_callbacks.records.intensity import Intensity

MOST_COUNT: Final = 2**63 - 1
"""Largest epoch or step that a history keeps. The largest signed 64-bit integer."""


def what_cannot_be_kept(record: object) -> str | None:
    """Return a sentence about a fault of a record. None if the record can be kept.

    Args:
        record: The object to be added.
    """
    if not isinstance(record, EpochRecord):
        return f"A history keeps records, not {type(record).__name__}. Make a record with EpochRecord.scripted()."
    wrong = next(_wrong(record), None)
    return None if wrong is None else f"The record cannot be kept, because {wrong}. Correct it and add it again."


def _wrong(record: EpochRecord) -> Iterator[str]:
    for name in ("epoch", "step", "steps"):
        value = getattr(record, name)
        if value is not None and not (isinstance(value, int) and -MOST_COUNT <= value <= MOST_COUNT):
            yield f"its {name} is not a 64-bit integer"
    for name in ("duration_seconds", "pue"):
        if not _is_finite(getattr(record, name)):
            yield f"its {name} is no finite number"
    for name in ("learning_rate", "samples", "tokens", "flops"):
        if getattr(record, name) is not None and not _is_number(getattr(record, name)):
            yield f"its {name} is no number"
    if record.data_wait_seconds is not None and not _is_finite(record.data_wait_seconds):
        yield "its data_wait_seconds is no finite number"
    if not isinstance(record.started_at, datetime):
        yield "its started_at is no time"
    yield from _wrong_metrics(record.metrics)
    yield from _wrong_devices(record.devices)
    yield from _wrong_phases(record.phases)
    yield from _wrong_activity(record.activity)
    yield from _wrong_intensity(record)


def _wrong_metrics(metrics: object) -> Iterator[str]:
    if not isinstance(metrics, Mapping):
        yield "its metrics are no mapping"
    elif not all(map(_is_number, metrics.values())):
        yield "one of its metrics is no number"


def _wrong_devices(devices: object) -> Iterator[str]:
    if not isinstance(devices, Mapping) or not all(isinstance(device, DeviceEnergy) for device in devices.values()):
        yield "its devices are no mapping of DeviceEnergy"
        return
    for device in devices.values():
        numbers = (device.joules, device.low_joules, device.high_joules, device.gap_seconds, device.tolerance)
        if not all(number is None or _is_finite(number) for number in numbers):
            yield "a number of one of its devices is not finite"
        if not isinstance(device.flags, tuple):
            yield "the flags of one of its devices are no tuple"


def _wrong_phases(phases: object) -> Iterator[str]:
    if not isinstance(phases, Mapping) or not all(isinstance(phase, PhaseEnergy) for phase in phases.values()):
        yield "its phases are no mapping of PhaseEnergy"
    elif not all(
        (phase.joules is None or _is_finite(phase.joules)) and _is_finite(phase.seconds) for phase in phases.values()
    ):
        yield "a number of one of its phases is not finite"


def _wrong_activity(activity: object) -> Iterator[str]:
    if not isinstance(activity, Mapping) or not all(isinstance(each, DeviceActivity) for each in activity.values()):
        yield "its activity is no mapping of DeviceActivity"
    elif not all(
        (value is None and at > 0) or _is_finite(value) for each in activity.values() for at, value in enumerate(each)
    ):
        yield "a number of the activity of one of its devices is not finite"


def _wrong_intensity(record: EpochRecord) -> Iterator[str]:
    intensity = record.intensity
    if not isinstance(intensity, Intensity) or not isinstance(intensity.flags, tuple):
        yield "its intensity is no Intensity"
    elif not all(map(_is_finite, (intensity.g_per_kwh, intensity.lowest_g_per_kwh, intensity.highest_g_per_kwh))):
        yield "its carbon intensity is not finite"
    elif record.energy_joules is not None and not _is_finite(record.emissions_high_kg):
        yield "its emissions are not finite"


def _is_number(value: object) -> bool:
    """Return whether a value is a number that a column can hold, unlike 10**400."""
    if not isinstance(value, Real):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and _is_number(value) and isfinite(value)
