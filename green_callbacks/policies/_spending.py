"""What the next epoch will cost, by the last ones."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from green_callbacks.records import History, Plan
from green_callbacks.records.plan import epochs_done, last_epochs

_LAST: Final = 5


def next_epoch(history: History, plan: Plan, cumulative: Sequence[float]) -> float | None:
    """Project what the next epoch will take, with what follows outside epochs.

    Args:
        history: All records so far.
        plan: What is known ahead.
        cumulative: Spend up to and with each record, in kgCO2e or kWh.

    Returns:
        The cost of the dearest of the last five epochs and of the dearest row outside epochs after one of them, in
        the unit of the spend; None where no epoch has ended, or none is to come. Those of an earlier fit count until
        one of the present fit has ended.
    """
    closed = last_epochs(history, _LAST + 1) or history.epoch_rows[-_LAST - 1 :]
    if not closed or (plan.epochs is not None and epochs_done(history) >= plan.epochs):
        return None
    if len(closed) <= _LAST:
        closed = [_row_before(history, closed[0]), *closed]
    epochs = [_cost(cumulative, before, row) for before, row in pairwise(closed)]
    after = [_cost(cumulative, row, _outside_until(history, row)) for row in closed[1:]]
    return max(epochs) + max(after)


def unmeasured(history: History) -> str:
    """Return a sentence, with a space before it, if the last record holds no measured energy; else nothing."""
    # A record is made on demand, which takes longer than all else: only where nothing was added to the sum.
    is_known = not history or history.facility_kwh > (history.cumulative_kwh[-2] if len(history) > 1 else 0.0)
    if is_known or history[-1].facility_kwh is not None:
        return ""
    return " The last record's energy was not measured and is not counted."


def _cost(cumulative: Sequence[float], before: int, row: int) -> float:
    return cumulative[row] - (cumulative[before] if before >= 0 else 0.0)


def _row_before(history: History, row: int) -> int:
    """Return the last row before the epoch that a row closes; -1 if it was the first."""
    epoch = history.epoch_at(row)
    while row >= 0 and history.epoch_at(row) == epoch:
        row -= 1
    return row


def _outside_until(history: History, row: int) -> int:
    """Return the last of the rows outside epochs that follow a row without a gap."""
    while row + 1 < len(history) and history.epoch_at(row + 1) is None:
        row += 1
    return row
