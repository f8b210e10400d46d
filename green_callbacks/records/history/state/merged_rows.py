"""Rows that are merged into one row, with the sums of their amounts."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isnan, nan
from typing import Final, NamedTuple

from green_callbacks.records.device import DeviceEnergy
from green_callbacks.records.epoch import total_energy
from green_callbacks.records.history.columns import (
    DEVICE_NUMBERS,
    PHASE_NUMBERS,
    SPARSE,
    Column,
    DeviceLabels,
    Numbers,
    Sparse,
    total,
)
from green_callbacks.records.history.devices.activity_columns import merged_activity
from green_callbacks.records.history.rows import Rows
from green_callbacks.records.intensity import Intensity
from green_callbacks.records.measurement_methods import METHODS, Method
from green_callbacks.units import GRAMS_PER_KG, JOULES_PER_KWH

_COUNTS: Final = ("samples", "tokens", "flops", "waits", "steps_done")


class Block(NamedTuple):
    """The sums of consecutive rows.

    Attributes:
        first: The first row.
        end: The row after the last row.
        pue: PUE of the rows, its mean by energy if it changed.
        joules: Energy, in J. ``NaN`` if nothing was measured.
        intensity: Carbon intensity, its mean by energy if it changed.
        labels: Labels of the devices, each with its least direct method.
        device_numbers: Sums of the numbers of the devices.
        phase_names: Names of the phases.
        phase_numbers: Sums of the numbers of the phases.
    """

    first: int
    end: int
    pue: float
    joules: float
    intensity: Intensity
    labels: DeviceLabels
    device_numbers: list[float]
    phase_names: tuple[str, ...]
    phase_numbers: list[float]


class _Device(NamedTuple):
    name: str
    component: str
    method: Method
    tolerance: float
    flags: tuple[str, ...]
    joules: float
    low: float
    high: float

    def plus(self, other: "_Device") -> "_Device":
        least = max(self, other, key=lambda each: METHODS.index(each.method))
        return least._replace(
            flags=tuple(dict.fromkeys((*self.flags, *other.flags))),
            joules=_sum((self.joules, other.joules)),
            low=_bound((self.joules, other.joules), (self.low, other.low)),
            high=_bound((self.joules, other.joules), (self.high, other.high)),
        )


def block(rows: Rows, first: int, end: int) -> Block:
    """Merge rows.

    Args:
        rows: The rows of a history.
        first: The first row to merge.
        end: The row after the last row to merge.
    """
    if end - first == 1:
        return _single(rows, first)
    devices: dict[str, _Device] = {}
    for each in _devices(rows, first, end):
        devices[each.name] = devices[each.name].plus(each) if each.name in devices else each
    made, phases = list(devices.values()), _phases(rows, first, end)
    joules = _sum(rows.joules[first:end])
    pue = _pue(rows, first, end, joules)
    labels = tuple(tuple(each[field] for each in made) for field in range(5))
    return Block(
        first,
        end,
        pue,
        joules,
        _intensity(rows, first, end, pue, devices),
        labels,  # type: ignore[arg-type]  # the first five fields of a device, in columns
        [*(each.joules for each in made), *(each.low for each in made), *(each.high for each in made)],
        tuple(phases),
        [number for each in phases.values() for number in each],
    )


def _single(rows: Rows, row: int) -> Block:
    return Block(
        row,
        row + 1,
        rows.pue[row],
        rows.joules[row],
        rows.intensity.get(row),
        rows.devices.get(row),
        rows.device_numbers[rows.device_slice(row)].tolist(),
        rows.phases.get(row),
        rows.phase_numbers[rows.phase_slice(row)].tolist(),
    )


def _devices(rows: Rows, first: int, end: int) -> Iterator[_Device]:
    """Sum the devices, separately for each set of labels."""
    numbers, indices = rows.device_numbers, rows.devices.index[first:end]
    for index in dict.fromkeys(indices):
        labels = rows.devices.distinct[index]
        begins = _begins(rows.device_begins[first:end], indices, index)
        for place, label in enumerate(zip(*labels, strict=True)):
            offsets = range(place, DEVICE_NUMBERS * len(labels[0]), len(labels[0]))
            joules, lows, highs = ([numbers[begin + offset] for begin in begins] for offset in offsets)
            yield _Device(*label, _sum(joules), _bound(joules, lows), _bound(joules, highs))


def _phases(rows: Rows, first: int, end: int) -> dict[str, tuple[float, float]]:
    phases: dict[str, tuple[float, float]] = {}
    numbers, indices = rows.phase_numbers, rows.phases.index[first:end]
    for index in dict.fromkeys(indices):
        begins = _begins(rows.phase_begins[first:end], indices, index)
        for place, name in enumerate(rows.phases.distinct[index]):
            before_joules, before_seconds = phases.get(name, (nan, 0.0))
            joules = _sum([before_joules, *(numbers[begin + PHASE_NUMBERS * place] for begin in begins)])
            seconds = sum(numbers[begin + PHASE_NUMBERS * place + 1] for begin in begins)
            phases[name] = (joules, before_seconds + seconds)
    return phases


def _begins(begins: Numbers, indices: Numbers, index: int) -> Sequence[int]:
    return [begin for begin, at in zip(begins, indices, strict=True) if at == index]


def _pue(rows: Rows, first: int, end: int, joules: float) -> float:
    pues = rows.pue[first:end]
    if min(pues) == max(pues) or not joules > 0:
        return pues[-1]
    return _difference(rows.kwh, first, end) * JOULES_PER_KWH / joules


def _intensity(rows: Rows, first: int, end: int, pue: float, devices: dict[str, _Device]) -> Intensity:
    """Return the intensity that leads from the energy of rows and its bounds to their emissions."""
    used = [rows.intensity.distinct[at] for at in dict.fromkeys(rows.intensity.index[first:end])]
    last = rows.intensity.get(end - 1)
    kwh = _difference(rows.kwh, first, end)
    if len(used) == 1 or not kwh > 0:
        return last
    energy = total_energy({each.name: _energy(each) for each in devices.values()}) or (0.0, 0.0, 0.0)
    low_kwh, high_kwh = (joules / JOULES_PER_KWH * pue for joules in energy[1:])
    g_per_kwh = _difference(rows.kg, first, end) * GRAMS_PER_KG / kwh
    has_bounds = any(each.low_g_per_kwh is not None or each.high_g_per_kwh is not None for each in used)
    low = _difference(rows.low_kg, first, end) * GRAMS_PER_KG / low_kwh if low_kwh > 0 else g_per_kwh
    high = _difference(rows.high_kg, first, end) * GRAMS_PER_KG / high_kwh if high_kwh > 0 else g_per_kwh
    return replace(
        last,
        g_per_kwh=g_per_kwh,
        low_g_per_kwh=low if has_bounds else None,
        high_g_per_kwh=high if has_bounds else None,
        flags=tuple(dict.fromkeys(flag for each in used for flag in each.flags)),
    )


def _energy(device: _Device) -> DeviceEnergy:
    joules, low, high = (None if isnan(number) else number for number in device[-DEVICE_NUMBERS:])
    return DeviceEnergy(
        joules=joules,
        component=device.component,
        method=device.method,
        duration_seconds=0.0,
        low_joules=low,
        high_joules=high,
        tolerance=device.tolerance,
        flags=device.flags,
    )


def merged(rows: Rows, blocks: Sequence[Block]) -> Rows:
    """Return rows in which each row is a block of other rows, in order and without a gap.

    Metrics, learning rates and fits are left out.

    Args:
        rows: The rows of a history.
        blocks: All rows, in blocks.
    """
    made, ends = Rows(), [each.end for each in blocks]
    for each in blocks:
        _add(made, rows, each)
    made.length = made.intended = len(blocks)
    for name in _COUNTS:
        setattr(made, name, _summed(getattr(rows, name).until(rows.length), ends, SPARSE[name]))
    made.gaps = {name: _summed(column.until(rows.length), ends) for name, column in list(rows.gaps.items())}
    made.activity = merged_activity(rows.activity, ends)
    made.steps = _last(rows.steps.until(rows.length), ends, "q")
    most = list(rows.most_joules.items())
    made.most_joules = {name: _last(column.until(rows.length), ends) for name, column in most}
    return made


def _add(made: Rows, rows: Rows, each: Block) -> None:
    last = each.end - 1
    for name in ("epoch", "marks", "kg", "kwh", "seconds", "low_kg", "high_kg"):
        getattr(made, name).append(getattr(rows, name)[last])
    made.started.append(rows.started[each.first])
    single = last == each.first
    made.duration.append(rows.duration[last] if single else _difference(rows.seconds, each.first, each.end))
    made.pue.append(each.pue)
    made.joules.append(each.joules)
    made.intensity.append(each.intensity)
    made.devices.append(each.labels)
    made.device_begins.append(len(made.device_numbers))
    made.device_numbers.fromlist(each.device_numbers)
    made.phases.append(each.phase_names)
    made.phase_begins.append(len(made.phase_numbers))
    made.phase_numbers.fromlist(each.phase_numbers)


def _groups(column: Column, ends: Sequence[int]) -> Iterator[tuple[int, Sequence[float]]]:
    """Return the values of each block that has values, with the position of the block."""
    rows, values = column
    first = 0
    for at, end in enumerate(ends):
        last = bisect_left(rows, end, first)
        if last > first:
            yield at, values[first:last]
            first = last


def _summed(column: Column, ends: Sequence[int], code: str = "d") -> Sparse:
    made = Sparse(code)
    for at, values in _groups(column, ends):
        made.put(at, sum(values))
    return made


def _last(column: Column, ends: Sequence[int], code: str = "d") -> Sparse:
    made = Sparse(code)
    for at, values in _groups(column, ends):
        made.put(at, values[-1])
    return made


def _difference(sums: Numbers, first: int, end: int) -> float:
    last: float = sums[end - 1]
    before: float = sums[first - 1] if first else 0.0
    return last - before


def _sum(numbers: Sequence[float]) -> float:
    """Return the sum of the known numbers. ``NaN`` if no number is known."""
    summed = sum(numbers)
    if not isnan(summed):
        return summed
    known = total(numbers)
    return nan if known is None else known


def _bound(all_joules: Sequence[float], bounds: Sequence[float]) -> float:
    """Return the sum of bounds. The energy replaces an unknown bound, unless all bounds are unknown."""
    summed = sum(bounds)
    if not isnan(summed) or all(map(isnan, bounds)):
        return summed
    return _sum([joules if isnan(each) else each for joules, each in zip(all_joules, bounds, strict=True)])
