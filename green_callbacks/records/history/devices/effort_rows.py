"""The effort of the rows of a history, without making their records."""

from bisect import bisect_left
from collections.abc import Sequence
from math import fsum, isnan
from operator import mul
from typing import Final

from green_callbacks.records.device import PhaseEnergy
from green_callbacks.records.effort import (
    TRAIN,
    Effort,
    EffortSum,
    TrainingUse,
    effort_of,
    phase_of_training,
    training_use,
)
from green_callbacks.records.epoch import sensor_gains, total_energy
from green_callbacks.records.history.columns import CLOSES, COMPLETE, NONE, PHASE_NUMBERS, Sparse, known
from green_callbacks.records.history.row_reading import devices_of
from green_callbacks.records.history.rows import Rows

_COLUMNS: Final = ("steps_done", "samples", "tokens", "flops")
"""The columns of the counts of an effort, in the order of the counts."""


class _SoFar:
    """The effort of the first rows of a history. It goes on where it stopped as the history grows.

    Args:
        effort: The effort of the rows before.
        rows: Number of these rows.
    """

    def __init__(self, effort: Effort, rows: int) -> None:
        self._state = EffortSum(effort), rows
        """In one tuple, so that both change at once. Several threads may ask."""

    def until(self, rows: Rows) -> Effort:
        """Return the effort of all rows that count."""
        before, done = self._state
        length = rows.length
        if length > done:
            sums = before.copy()
            _take(sums, rows, done, length)
            self._state = sums, length
            return sums.effort
        return before.effort


def total_effort(rows: Rows) -> Effort:
    """Return the effort of all rows that count.

    Args:
        rows: The rows of a history. Their memos keep the sums, because a history only grows.
    """
    so_far: _SoFar | None = rows.memos.get(__name__)
    if so_far is None:
        so_far = rows.memos[__name__] = _SoFar(*rows.effort_before)
    return so_far.until(rows)


def effort_at(rows: Rows, row: int) -> Effort:
    """Return the effort that a row completes. It has the energy of parts of its epoch whose counts it tells.

    Args:
        rows: The rows of a history.
        row: Position of the row.
    """
    first = row
    counted = [name for name in _COLUMNS if getattr(rows, name).get(row) is not None]
    while first > 0 and _goes_on(rows, first - 1):
        if all(getattr(rows, name).get(first - 1) is not None for name in counted):
            break
        first -= 1
    return effort_of(_take(EffortSum(), rows, first, row + 1))


def _goes_on(rows: Rows, row: int) -> bool:
    """Return whether the next row belongs to the same epoch."""
    return not rows.marks[row] & CLOSES and rows.epoch[row] == rows.epoch[row + 1]


def _take(sums: EffortSum, rows: Rows, first: int, end: int) -> list[list[float] | None]:
    """Add rows, and return what the last row added."""
    counts = [_values(getattr(rows, name), first, end) for name in _COLUMNS]
    added: list[list[float] | None] = []
    for row in range(first, end):
        epoch, mark = rows.epoch[row], rows.marks[row]
        use = _use(rows, row, is_training=epoch != NONE or not mark & COMPLETE)
        own = [each.get(row) for each in counts]
        added = sums.take(None if epoch == NONE else epoch, use, own, closes=bool(mark & CLOSES))
    return added


def _values(column: Sparse, first: int, end: int) -> dict[int, float]:
    begin, until = bisect_left(column.rows, first), bisect_left(column.rows, end)
    return dict(zip(column.rows[begin:until], column.values[begin:until], strict=True))


def _use(rows: Rows, row: int, *, is_training: bool) -> TrainingUse | None:
    joules = known(rows.joules[row])
    names = rows.phases.get(row)
    train: PhaseEnergy | float | None
    if TRAIN in names:
        train = known(rows.phase_numbers[rows.phase_begins[row] + PHASE_NUMBERS * names.index(TRAIN)])
    else:
        train = None if names else phase_of_training({}, joules, is_training=is_training)
    if joules is None or train is None:
        return None
    return training_use(_energy(rows, row, joules), train, rows.pue[row], rows.intensity.get(row))


def _energy(rows: Rows, row: int, joules: float) -> tuple[float, float, float] | None:
    """Return the energy of a row with its bounds, like ``total_energy()``."""
    _, _, methods, tolerances, _ = rows.devices.get(row)
    begin, size = rows.device_begins[row], len(methods)
    numbers: Sequence[float] = rows.device_numbers[begin + size : begin + 3 * size]
    if isnan(sum(numbers)) or isnan(sum(rows.device_numbers[begin : begin + size])):
        return total_energy(devices_of(rows, row, rows.duration[row]))
    less, more = sensor_gains(methods, tolerances)
    return joules, fsum(map(mul, numbers[:size], less)), fsum(map(mul, numbers[size:], more))
