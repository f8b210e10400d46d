"""Costs without repeated epochs. Their energy was spent, but no future epoch will cost it again."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from green_callbacks.records import History


def lost_rows(history: History) -> Sequence[int]:
    """Return the rows of epochs that were repeated. Each row is read only once as the history grows.

    Args:
        history: All records so far.
    """
    kept: list[tuple[int, list[int]]] = history.memo((__name__,), lambda: [(0, [])])
    seen, lost = kept[0]
    if seen < len(history):
        new = [row for row in range(seen, len(history)) if history.was_lost(row)]
        lost = [*lost, *new] if new else lost
        kept[0] = len(history), lost
    return lost


def costs(lost: Sequence[int], cumulative: Sequence[float], rows: Sequence[int]) -> list[float]:
    """Return the spending from each row to the next, without the spending that was lost by going back to a checkpoint.

    Args:
        lost: The rows that were lost.
        cumulative: Spending up to and including each record, in any unit.
        rows: Rows in order. -1 stands for the beginning.
    """
    if not lost or not rows or lost[-1] < rows[0]:
        before = [cumulative[row] if row >= 0 else 0.0 for row in rows]
        return [end - start for start, end in pairwise(before)]
    return [cost(lost, cumulative, *pair) for pair in pairwise(rows)]


def cost(lost: Sequence[int], cumulative: Sequence[float], before: int, row: int) -> float:
    """Return the spending after one row and up to another, without the spending that was lost between them.

    Args:
        lost: The rows that were lost.
        cumulative: Spending up to and including each record, in any unit.
        before: The row after which to count. -1 stands for the beginning.
        row: The last row to count.
    """
    whole = cumulative[row] - (cumulative[before] if before >= 0 else 0.0)
    if not lost or lost[-1] <= before:
        return whole
    first, end = bisect_right(lost, before), bisect_right(lost, row)
    if first == end:
        return whole
    begin, last = lost[first] - 1, lost[end - 1]  # with the checkpoints between them
    return whole - (cumulative[last] - (cumulative[begin] if begin >= 0 else 0.0))
