"""Records and sums that are read from the rows of a history."""

from datetime import UTC, datetime
from itertools import compress

from green_callbacks.records.device import DeviceEnergy, PhaseEnergy
from green_callbacks.records.epoch import EpochRecord
from green_callbacks.records.history.columns import CLOSES, COMPLETE, NONE, PHASE_NUMBERS, known, total
from green_callbacks.records.history.devices.activity_columns import activity_of
from green_callbacks.records.history.rows import Rows, until


def record_at(rows: Rows, row: int) -> EpochRecord:
    """Make the record of a row."""
    duration, mark, epoch = rows.duration[row], rows.marks[row], rows.epoch[row]
    samples, tokens = rows.samples.get(row), rows.tokens.get(row)
    metrics = ((name, column.get(row)) for name, column in list(rows.metrics.items()))
    return EpochRecord(
        epoch=None if epoch == NONE else epoch,
        step=rows.steps.get(row),
        closes_epoch=bool(mark & CLOSES),
        complete=bool(mark & COMPLETE),
        started_at=datetime.fromtimestamp(rows.started[row], UTC),
        duration_seconds=duration,
        devices=devices_of(rows, row, duration),
        phases=phases_of(rows, row),
        intensity=rows.intensity.get(row),
        pue=rows.pue[row],
        metrics={name: value for name, value in metrics if value is not None},
        learning_rate=rows.rates.get(row),
        samples=None if samples is None else int(samples),
        tokens=None if tokens is None else int(tokens),
        flops=rows.flops.get(row),
        data_wait_seconds=rows.waits.get(row),
        activity=activity_of(rows.activity, row),
        steps=rows.steps_done.get(row),
    )


def devices_of(rows: Rows, row: int, duration_seconds: float) -> dict[str, DeviceEnergy]:
    """Return the devices of a row.

    Args:
        rows: The rows of a history.
        row: Position of the row.
        duration_seconds: Length of the row, in s.
    """
    labels, numbers = rows.devices.get(row), list(map(known, rows.device_numbers[rows.device_slice(row)]))
    count = len(labels[0])
    energies = zip(numbers[:count], numbers[count : 2 * count], numbers[2 * count :], strict=True)
    devices = {}
    for (name, component, method, tolerance, flags), energy in zip(zip(*labels, strict=True), energies, strict=True):
        joules, low, high = energy
        gap_seconds = (rows.gaps[name].get(row) or 0.0) if name in rows.gaps else 0.0
        devices[name] = DeviceEnergy(
            joules=joules,
            component=component,
            method=method,
            duration_seconds=duration_seconds,
            low_joules=low,
            high_joules=high,
            gap_seconds=gap_seconds,
            tolerance=tolerance,
            flags=flags,
        )
    return devices


def phases_of(rows: Rows, row: int) -> dict[str, PhaseEnergy]:
    """Return the phases of a row."""
    names, numbers = rows.phases.get(row), rows.phase_numbers[rows.phase_slice(row)]
    pairs = zip(names, numbers[::PHASE_NUMBERS], numbers[1::PHASE_NUMBERS], strict=True)
    return {name: PhaseEnergy(known(joules), seconds) for name, joules, seconds in pairs}


def lost_rows(rows: Rows, epoch: int, step: int | None) -> set[int]:
    """Return the rows of the present fit that become worthless if an epoch and all later ones are repeated.

    Args:
        rows: The rows of a history.
        epoch: The first epoch that is repeated.
        step: Optimizer steps at which the repetition begins. None if unknown.
    """
    length = rows.length
    found = {row for row in range(rows.fit_row(length), length) if rows.epoch[row] >= epoch}
    if step is None:
        return found
    steps = {row: rows.steps.get(row) for row in found if rows.epoch[row] == epoch}
    kept = {row for row, done in steps.items() if done is not None and done <= step}
    return (
        found if kept.intersection(until(rows.closed_rows, length)) else found - kept
    )  # a finished epoch is repeated as a whole


def joules_where(rows: Rows, *, outside: bool) -> float | None:
    """Return the energy of the rows outside epochs, or of the rows inside, in J. None if nothing of it was measured.

    Args:
        rows: The rows of a history.
        outside: True for the rows outside epochs, False for the rows inside.
    """
    is_wanted = map(NONE.__eq__ if outside else NONE.__ne__, rows.epoch)
    joules = total(compress(rows.dense("joules"), is_wanted))
    merged: float = sum(rows.merged_outside.until(rows.length).values)
    if not merged:
        return joules
    return (joules or 0.0) + (merged if outside else -merged)
