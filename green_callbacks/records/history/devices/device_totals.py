"""The energy of each device over a whole history."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from green_callbacks.records.device import DeviceEnergy
from green_callbacks.records.history.columns import DEVICE_NUMBERS, total
from green_callbacks.records.history.rows import Rows
from green_callbacks.records.measurement_methods import METHODS, Method


class _Label(NamedTuple):
    name: str
    component: str
    method: Method
    tolerance: float
    flags: tuple[str, ...]


def device_totals(rows: Rows, duration_seconds: float) -> dict[str, DeviceEnergy]:
    """Return all devices over all rows, in the order of first use, labeled with their least direct method.

    Args:
        rows: The rows of a history.
        duration_seconds: Length of all rows, in s.
    """
    sets = [{name: place for place, name in enumerate(used[0])} for used in rows.devices.used(rows.length)]
    return {
        name: _total(rows, own, [[each[name]] if name in each else [] for each in sets], duration_seconds)
        for name, own in _labels(rows).items()
    }


def device_methods(rows: Rows) -> dict[str, tuple[str, Method]]:
    """Return the component and the least direct method of each device, without sums over the rows."""
    return {name: (_least(own).component, _least(own).method) for name, own in _labels(rows).items()}


def _labels(rows: Rows) -> dict[str, list[_Label]]:
    labels: dict[str, list[_Label]] = {}
    for used in rows.devices.used(rows.length):
        for label in map(_Label, *used):
            labels.setdefault(label.name, []).append(label)
    return labels


def _least(labels: list[_Label]) -> _Label:
    """Return the label with the least direct method."""
    return max(labels, key=lambda label: METHODS.index(label.method))


def measured_joules(rows: Rows) -> float:
    """Return the energy that is not modelled, in J."""
    places = [
        [place for place, label in enumerate(map(_Label, *used)) if label.method != "modelled"]
        for used in rows.devices.used(rows.length)
    ]
    return total(_numbers(rows, rows.length, 0, places)) or 0.0


def _total(rows: Rows, labels: list[_Label], places: Sequence[Sequence[int]], duration_seconds: float) -> DeviceEnergy:
    length, name = rows.length, labels[0].name
    least = _least(labels)
    joules, low, high = (total(_numbers(rows, length, column, places)) for column in range(DEVICE_NUMBERS))
    gap_seconds = sum(rows.gaps[name].until(length).values) if name in rows.gaps else 0.0
    flags = tuple(sorted({flag for label in labels for flag in label.flags}))
    return DeviceEnergy(
        joules=joules,
        component=least.component,
        method=least.method,
        duration_seconds=duration_seconds,
        low_joules=low,
        high_joules=high,
        gap_seconds=gap_seconds,
        tolerance=least.tolerance,
        flags=flags,
    )


def _numbers(rows: Rows, length: int, column: int, places: Sequence[Sequence[int]]) -> Iterable[float]:
    """Return the numbers of one column, in all rows, of the devices at some places in each set of devices."""
    sizes = [len(used[0]) for used in rows.devices.used(length)]
    offsets = [[place + column * size for place in each] for each, size in zip(places, sizes, strict=True)]
    numbers = rows.device_numbers
    if len(offsets) == 1 and _are_adjacent(rows, length):
        size = DEVICE_NUMBERS * len(rows.devices.get(0)[0])
        columns = [numbers[offset : size * length : size] for offset in offsets[0]]
        return columns[0] if len(columns) == 1 else chain.from_iterable(zip(*columns, strict=True))
    begins = zip(rows.device_begins[:length], rows.devices.index[:length], strict=True)
    return (numbers[begin + offset] for begin, index in begins for offset in offsets[index])


def _are_adjacent(rows: Rows, length: int) -> bool:
    """Return whether the numbers of rows with the same devices follow one another, so that they can be read at once."""
    size = DEVICE_NUMBERS * len(rows.devices.get(0)[0])
    return rows.device_begins[0] == 0 and rows.device_begins[length - 1] == size * (length - 1)
