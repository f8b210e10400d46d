"""Which rows of a long history stay apart in its state: those that built-in rules and summaries read."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf, isfinite
from typing import Final, NamedTuple

from green_callbacks.records.history.columns import Column
from green_callbacks.records.history.row_layout import NONE
from green_callbacks.records.history.rows import Rows, until

EXACT_EPOCHS: Final = 510
"""Last epochs that stay apart: a forecast looks back at 500 of them."""

EXACT_PARTS: Final = 30
"""Last parts of epochs that stay apart, with the rows before them: a forecast looks back at 20 of them."""

EXACT_FITS: Final = 10
"""Last fits whose beginnings stay apart."""

EXACT_DROPS: Final = 50
"""Last drops of the learning rate that stay apart, each with the row before it."""

LAST_VALUES: Final = 50
"""Last values of every metric that stay apart, whatever energy they took."""

WINDOW_VALUES: Final = 160_000
"""Values of all metrics in the last doubling of the energy; of more than these, an even share stays apart."""

FRONT_POINTS: Final = 2_000
"""Points of the fronts of all metrics before the last doubling of the energy; of more than these, an even share."""

_DROP: Final = 0.5
"""A learning rate of at most this share of the one before is a drop."""

_ROUNDING: Final = 1e-9


class Kept(NamedTuple):
    """What stays apart.

    Attributes:
        rows: The rows, in order.
        values: Those at which each metric keeps its value, in order.
    """

    rows: Sequence[int]
    values: Mapping[str, Sequence[int]]


def what_is_kept(rows: Rows, ends: Iterable[int]) -> Kept:
    """Choose what stays apart.

    Args:
        rows: The rows of a history.
        ends: What else must stay: the row before each.
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
    """Return the ends of the last epochs and parts, and what a budget reads around them."""
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
    drops = [at for at, (before, rate) in enumerate(pairwise(rates.values)) if rate <= _DROP * before and rate < before]
    for at in drops[-EXACT_DROPS:]:
        yield from (rates.rows[at], rates.rows[at + 1])


def _window(rows: Rows, column: Column) -> int:
    """Return from which value on the last doubling of the energy of the present fit lies, and one before it."""
    fit_row, kwh = rows.fit_row(rows.length), rows.kwh
    before_kwh = kwh[fit_row - 1] if fit_row else 0.0
    spent_kwh = kwh[column.rows[-1]] - before_kwh
    half_kwh = before_kwh + spent_kwh / 2 * (1 - _ROUNDING)
    first = bisect_left(column.rows, fit_row)
    return max(bisect_right(column.rows, half_kwh, first, key=kwh.__getitem__) - 2, min(first, len(column.rows) - 1), 0)


def _of_front(rows: Rows, column: Column, window_row: int, most: int) -> Iterator[int]:
    """Return the rows before a window at which a metric was better than ever, either way, and the ones before them.

    Those of the whole run and, apart, those of the present fit.
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
    """Return an even share of some rows, with the first and the last, if they are more than there may be."""
    if len(found) <= most:
        return found
    step = -(-len(found) // most)
    return [found[0], *found[(len(found) - 1) % step :: step]]
