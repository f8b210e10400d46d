"""The effort of the rows of a history, without making their records."""

from bisect import bisect_left
from collections.abc import Sequence
from math import fsum, isnan, nan
from operator import mul
from typing import Final

from green_callbacks.records.effort import TRAIN, Effort, EffortSum, effort_of, prices_of, use_of
from green_callbacks.records.epoch import sensor_gains, total_energy
from green_callbacks.records.history.columns import CLOSES, COMPLETE, DEVICE_NUMBERS, NONE, PHASE_NUMBERS, Sparse
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


def _take(sums: EffortSum, rows: Rows, first: int, end: int) -> list[Sequence[float] | None]:
    """Add rows, and return what the last row added."""
    columns = [_values(getattr(rows, name), first, end) for name in _COLUMNS]
    counts = zip(*([column.get(row) for row in range(first, end)] for column in columns), strict=True)
    uses = _Uses(rows)
    added: list[Sequence[float] | None] = []
    for row, own in zip(range(first, end), counts, strict=True):
        epoch, mark = rows.epoch[row], rows.marks[row]
        use = uses.of(row, is_training=epoch != NONE or not mark & COMPLETE)
        added = sums.take(None if epoch == NONE else epoch, use, own, closes=bool(mark & CLOSES))
    return added


def _values(column: Sparse, first: int, end: int) -> dict[int, float]:
    begin, until = bisect_left(column.rows, first), bisect_left(column.rows, end)
    return dict(zip(column.rows[begin:until], column.values[begin:until], strict=True))


class _Uses:
    """The energy and emissions of training in each row. Keeps what rows have in common."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._gains: dict[int, tuple[tuple[float, ...], tuple[float, ...]]] = {}
        self._prices: dict[int, tuple[float, float, float]] = {}
        self._places = [names.index(TRAIN) if TRAIN in names else None for names in rows.phases.distinct]

    def of(self, row: int, *, is_training: bool) -> tuple[float, float, float, float, float, float] | None:
        """Return the numbers of a ``TrainingUse``. None if unknown.

        Args:
            row: The row.
            is_training: Whether it is training if it has no phases.
        """
        rows = self._rows
        joules, phases = rows.joules[row], rows.phases.index[row]
        place = self._places[phases]
        if place is not None:
            part = rows.phase_numbers[rows.phase_begins[row] + PHASE_NUMBERS * place]
        else:
            part = joules if is_training and not rows.phases.distinct[phases] else nan
        if isnan(joules + part):
            return None
        at = rows.intensity.index[row]
        prices = self._prices.get(at)
        if prices is None:
            prices = self._prices[at] = prices_of(rows.intensity.distinct[at])
        return use_of(joules, *self._bounds(row), part, rows.pue[row], prices)

    def _bounds(self, row: int) -> tuple[float, float]:
        """Return the bounds of the energy of a row, like ``total_energy()``."""
        rows = self._rows
        at = rows.devices.index[row]
        gains = self._gains.get(at)
        if gains is None:
            _, _, methods, tolerances, _ = rows.devices.distinct[at]
            gains = self._gains[at] = sensor_gains(methods, tolerances)
        less, more = gains
        begin, size = rows.device_begins[row], len(less)
        numbers = rows.device_numbers[begin : begin + DEVICE_NUMBERS * size]
        if isnan(sum(numbers)):
            energy = total_energy(devices_of(rows, row, rows.duration[row]))
            return (nan, nan) if energy is None else energy[1:]
        return fsum(map(mul, numbers[size : 2 * size], less)), fsum(map(mul, numbers[2 * size :], more))
