"""Adds records to the rows of a history, all of them or none."""

from collections.abc import Mapping, Sequence
from math import fsum, isfinite, nan
from operator import mul

from green_callbacks.errors import ConfigurationError
from green_callbacks.records.device import DeviceEnergy, PhaseEnergy
from green_callbacks.records.epoch import EpochRecord, sensor_gains, total_energy
from green_callbacks.records.history.columns import CLOSES, COMPLETE, NO_DEVICES, NONE, OPEN, Sparse
from green_callbacks.records.history.devices.activity_columns import put_activity
from green_callbacks.records.history.rows import Rows, put
from green_callbacks.units import GRAMS_PER_KG, JOULES_PER_KWH

_Energy = tuple[float, float, float]
"""Energy of all devices of a row, its lower bound and its upper bound, in J."""


def add_records(rows: Rows, records: Sequence[EpochRecord]) -> None:
    """Add records after the last row. The new rows count all at once.

    Args:
        rows: The rows of a history.
        records: The records.

    Raises:
        ConfigurationError: A running sum would not be finite.
    """
    rows.intended = OPEN  # before the length is read, so that a signal handler that adds rows takes a copy
    start = rows.length
    rows.intended = intended = start + len(records)
    for row, record in enumerate(records, start=start):
        _write(rows, row, record)
    rows.length = intended


def _write(rows: Rows, row: int, record: EpochRecord) -> None:
    """Write a record beyond the rows that count."""
    columns = rows.metrics
    for name, value in record.metrics.items():
        if name not in columns:
            columns[name] = Sparse()
        columns[name].put(row, value)
    _write_counts(rows, row, record)
    energy = _write_devices(rows, row, record.devices)
    _write_phases(rows, row, record.phases)
    if record.activity:
        put_activity(rows.activity, row, record.activity)
    rows.started.append(record.started_at.timestamp())
    rows.intensity.append(record.intensity)
    _write_sums(rows, row, record, energy)
    _write_place(rows, row, record)


def _write_counts(rows: Rows, row: int, record: EpochRecord) -> None:
    if record.step is not None:
        rows.steps.put(row, record.step)
    if record.learning_rate is not None:
        rows.rates.put(row, record.learning_rate)
    if record.samples is not None:
        rows.samples.put(row, record.samples)
    if record.tokens is not None:
        rows.tokens.put(row, record.tokens)
    if record.flops is not None:
        rows.flops.put(row, record.flops)
    if record.data_wait_seconds is not None:
        rows.waits.put(row, record.data_wait_seconds)
    if record.steps is not None:
        rows.steps_done.put(row, record.steps)


def _write_devices(rows: Rows, row: int, devices: Mapping[str, DeviceEnergy]) -> _Energy | None:
    """Write the devices of a row. Return their energy like ``total_energy()``, None if no device was measured."""
    rows.device_begins.append(len(rows.device_numbers))
    if not devices:
        rows.devices.append(NO_DEVICES)
        return None
    # By position and without strict, because this runs at every edge. By name it takes 4 µs more for three devices.
    # A test of the order of the fields guards it.
    all_joules, components, methods, _, lows, highs, gaps, tolerances, flags = zip(*devices.values())  # noqa: B905
    at = rows.devices.append((tuple(devices), components, methods, tolerances, flags))
    numbers = [*all_joules, *lows, *highs]
    is_whole = None not in numbers
    rows.device_numbers.fromlist(numbers if is_whole else [nan if each is None else each for each in numbers])
    if any(gaps):
        for name, gap_seconds in zip(devices, gaps, strict=True):
            if gap_seconds:
                put(rows.gaps, name, row, gap_seconds)
    if not is_whole:
        return total_energy(devices)
    if at >= len(rows.gains):
        new = rows.devices.distinct[len(rows.gains) :]
        rows.gains += [sensor_gains(labels[2], labels[3]) for labels in new]
    less, more = rows.gains[at]
    return fsum(all_joules), fsum(map(mul, lows, less)), fsum(map(mul, highs, more))


def _write_phases(rows: Rows, row: int, phases: Mapping[str, PhaseEnergy]) -> None:
    rows.phases.append(tuple(phases))
    rows.phase_begins.append(len(rows.phase_numbers))
    most = rows.most_joules
    numbers: list[float] = []
    for name, (joules, seconds) in phases.items():
        numbers += (nan if joules is None else joules, seconds)
        if joules and joules > (most[name].values[-1] if name in most else 0.0):
            put(most, name, row, joules)
    rows.phase_numbers.fromlist(numbers)


def _write_sums(rows: Rows, row: int, record: EpochRecord, energy: _Energy | None) -> None:
    kg = kwh = low_kg = high_kg = 0.0
    joules, seconds, pue = nan, record.duration_seconds, record.pue
    if energy is not None:
        joules, low_joules, high_joules = energy
        intensity = record.intensity
        g_per_kwh, low, high = intensity.g_per_kwh, intensity.low_g_per_kwh, intensity.high_g_per_kwh
        kwh = joules / JOULES_PER_KWH * pue
        kg = kwh * g_per_kwh / GRAMS_PER_KG
        low_kg = low_joules / JOULES_PER_KWH * pue * (g_per_kwh if low is None else low) / GRAMS_PER_KG
        high_kg = high_joules / JOULES_PER_KWH * pue * (g_per_kwh if high is None else high) / GRAMS_PER_KG
    rows.duration.append(seconds)
    rows.pue.append(pue)
    rows.joules.append(joules)
    if row:
        before = row - 1
        kg += rows.kg[before]
        kwh += rows.kwh[before]
        low_kg += rows.low_kg[before]
        high_kg += rows.high_kg[before]
        seconds += rows.seconds[before]
    if not isfinite(kg + kwh + low_kg + high_kg + seconds + pue):
        msg = "The record cannot be kept, because the sum of its energy, emissions or time would not be finite."
        raise ConfigurationError(msg)
    rows.kg.append(kg)
    rows.kwh.append(kwh)
    rows.low_kg.append(low_kg)
    rows.high_kg.append(high_kg)
    rows.seconds.append(seconds)


def _write_place(rows: Rows, row: int, record: EpochRecord) -> None:
    epoch, closes, complete = record.epoch, record.closes_epoch, record.complete
    rows.marks.append((CLOSES if closes else 0) | (COMPLETE if complete else 0))
    rows.epoch.append(NONE if epoch is None else epoch)
    if epoch is not None:
        rows.follow(row, epoch, closes=closes, complete=complete)
