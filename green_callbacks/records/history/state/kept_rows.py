"""The rows of a long history that stay exact in its state, because built-in rules and summaries read them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf, isfinite
from typing import Final, NamedTuple

from green_callbacks.records.history.columns import NONE, Column
from green_callbacks.records.history.rows import Rows, until
from green_callbacks.records.learning_rates import is_drop

EXACT_EPOCHS: Final = 510
"""Number of last epochs that stay exact. A forecast reads the last 500."""

EXACT_PARTS: Final = 30
"""Number of last parts of epochs that stay exact, with the rows before them. A forecast reads the last 20."""

EXACT_FITS: Final = 10
"""Number of last fits whose first rows stay exact. By convention."""

EXACT_DROPS: Final = 50
"""Number of last drops of the learning rate that stay exact, each with the row before it. By convention."""

LAST_VALUES: Final = 50
"""Number of last values of every metric that stay exact, whatever their energy. By convention."""

WINDOW_VALUES: Final = 160_000
"""Largest number of values of all metrics in the last doubling of the energy. If there are more, an even share stays
exact. By the size of a state.
"""

FRONT_POINTS: Final = 2_000
"""Largest number of Pareto points of all metrics before the last doubling of the energy. If there are more, an even
share stays exact. By the size of a state.
"""

_ROUNDING: Final = 1e-9
"""Relative error of energies, by which the window is enlarged. No unit."""


class Kept(NamedTuple):
    """The rows that stay exact.

    Attributes:
        rows: The rows, in order.
        values: The rows at which each metric keeps its value, in order.
    """

    rows: Sequence[int]
    values: Mapping[str, Sequence[int]]


def what_is_kept(rows: Rows, ends: Iterable[int]) -> Kept:
    """Choose the rows that stay exact.

    Args:
        rows: The rows of a history.
        ends: Ends of blocks. The row before each end stays, too.
    """
    length = rows.length
    kept = {end - 1 for end in ends}
    kept.update(_of_epochs(rows), _of_fits(rows), _of_drops(rows.rates.until(length)))
    columns = {name: column.until(length) for name, column in list(rows.metrics.items())}
    columns = {name: column for name, column in columns.items() if column.rows}
    values = {name: sorted(set(_of_metric(rows, column, len(columns)))) for name, column in columns.items()}
    kept.update(*values.values())
    return Kept(sorted(row for row in kept if 0 <= row < length), values)


def _of_metric(rows: Rows, column: Column, metrics: int) -> Iterator[int]:
    first = _window(rows, column)
    yield from _thin(column.rows[first:], max(WINDOW_VALUES // metrics, 1))
    yield from column.rows[-LAST_VALUES:]
    yield from _of_front(rows, column, column.rows[first], max(FRONT_POINTS // metrics, 1))


def _of_epochs(rows: Rows) -> Iterator[int]:
    """Return the ends of the last epochs and parts, and the rows around them that a budget reads."""
    closed, parts = until(rows.closed_rows, rows.length), until(rows.part_rows, rows.length)
    yield from closed[-EXACT_EPOCHS:]
    for row in parts[-EXACT_PARTS:]:
        yield from (row - 1, row)
    for row in closed[-EXACT_PARTS:]:
        first = row
        while first > 0 and rows.epoch[first] == rows.epoch[row]:
            first -= 1
        yield first
        after = row + 1
        while after < rows.length and rows.epoch[after] == NONE and after < row + EXACT_PARTS:
            yield after
            after += 1


def _of_fits(rows: Rows) -> Iterator[int]:
    for row in rows.fits.until(rows.length).rows[-EXACT_FITS:]:
        yield from (row - 1, row)


def _of_drops(rates: Column) -> Iterator[int]:
    drops = [at for at, (before, rate) in enumerate(pairwise(rates.values)) if is_drop(before, rate)]
    for at in drops[-EXACT_DROPS:]:
        yield from (rates.rows[at], rates.rows[at + 1])


def _window(rows: Rows, column: Column) -> int:
    """Return the index of the last value before the last doubling of the energy of the present fit."""
    fit_row, kwh = rows.fit_row(rows.length), rows.kwh
    before_kwh = kwh[fit_row - 1] if fit_row else 0.0
    spent_kwh = kwh[column.rows[-1]] - before_kwh
    half_kwh = before_kwh + spent_kwh / 2 * (1 - _ROUNDING)
    first = bisect_left(column.rows, fit_row)
    return max(bisect_right(column.rows, half_kwh, first, key=kwh.__getitem__) - 2, min(first, len(column.rows) - 1), 0)


def _of_front(rows: Rows, column: Column, window_row: int, most: int) -> Iterator[int]:
    """Return the rows before a window at which a metric reached a new maximum or minimum, and the rows before them.

    The search covers the whole run and, separately, the present fit.
    """
    for fit_row in {0, rows.fit_row(rows.length)}:
        first = bisect_left(column.rows, fit_row)
        end = max(bisect_left(column.rows, window_row), first)
        for sign in (1.0, -1.0):
            yield from _thin(list(_bests(column, first, end, sign)), most)


def _bests(column: Column, first: int, end: int, sign: float) -> Iterator[int]:
    best = -inf
    for at in range(first, end):
        value = sign * column.values[at]
        if value > best and isfinite(value):
            if at > first:
                yield column.rows[at - 1]
            yield column.rows[at]
            best = value


def _thin(found: Sequence[int], most: int) -> Iterable[int]:
    """Return an even share of some rows, with the first and the last row, if there are more than allowed."""
    if len(found) <= most:
        return found
    step = -(-len(found) // most)
    return [found[0], *found[(len(found) - 1) % step :: step]]
