"""What a run will cost until it can be stopped again, by what it took before."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from green_callbacks.policies._repeated_epochs import cost, costs, lost_rows
from green_callbacks.records import History, Plan
from green_callbacks.records.coverage import what_counts

_LAST: Final = 5
_VALIDATION: Final = "validation"

_ENDS_KEPT: Final = 8 * _LAST
"""So many epochs are remembered with the rows that follow them; only the last are asked for."""


class ToCome(NamedTuple):
    """What is spent before the next decision, and by whatever ends the run then.

    Attributes:
        cost: In kgCO2e or kWh.
        what: In words.
    """

    cost: float
    what: str


def to_come(history: History, plan: Plan, cumulative: Sequence[float]) -> ToCome | None:
    """Project what will be spent until the next decision.

    Inside epochs that is a part, as dear as the dearest of the last five, and what follows a stop there: a validation,
    as dear as the dearest so far, and what lies outside epochs after it. Otherwise it is an epoch.

    Args:
        history: All records so far.
        plan: What is known ahead.
        cumulative: Spend up to and with each record, in kgCO2e or kWh.

    Returns:
        The projection; None where there is nothing to project from, or nothing to come.
    """
    if not history.part_rows:
        epoch = next_epoch(history, plan, cumulative)
        return None if epoch is None else ToCome(epoch, "the next epoch")
    if plan.epochs is not None and history.epochs_done() >= plan.epochs:
        return None
    lost = lost_rows(history)
    parts = [
        cost(lost, cumulative, row - 1, row) * (1 - history.phase_share(row, _VALIDATION))
        for row in history.part_rows[-_LAST:]
    ]
    return ToCome(
        max(parts) + after_stop(history, cumulative),
        "the next part of an epoch, and the validation and checkpoint that follow a stop,",
    )


def after_stop(history: History, cumulative: Sequence[float]) -> float:
    """Project what follows a stop inside an epoch: the dearest validation so far, and the dearest row outside epochs.

    Args:
        history: All records so far.
        cumulative: Spend up to and with each record, in kgCO2e or kWh.

    Returns:
        The cost in the unit of the spend; 0 where neither is known.
    """
    lost, ends = lost_rows(history), history.epoch_rows[-_LAST:]
    outside = max((cost(lost, cumulative, row, _outside_until(history, row)) for row in ends), default=0.0)
    return _dearest_validation(history, cumulative) + outside


def _dearest_validation(history: History, cumulative: Sequence[float]) -> float:
    """Return what the dearest validation so far would cost now: at what a joule cost when one was measured last."""
    dearest_joules = history.dearest_phase_joules(_VALIDATION)
    row = _last_measured(history)
    joules = None if row is None else history.energy_joules_at(row)
    if row is None or not joules:
        return 0.0
    spent = cumulative[row] - (cumulative[row - 1] if row else 0.0)
    return dearest_joules * (spent / joules)


def _last_measured(history: History) -> int | None:
    """Return the last row with energy, looking at no row twice as the history grows."""
    kept: list[tuple[int, int | None]] = history.memo((__name__, "measured"), lambda: [(0, None)])
    seen, found = kept[0]
    new = range(len(history) - 1, seen - 1, -1)
    found = next((row for row in new if history.energy_joules_at(row)), found)
    kept[0] = len(history), found
    return found


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
    closed = history.last_epochs(_LAST + 1) or history.epoch_rows[-_LAST - 1 :]
    if not closed or (plan.epochs is not None and history.epochs_done() >= plan.epochs):
        return None
    if len(closed) <= _LAST:
        closed = [_row_before(history, closed[0]), *closed]
    lost = lost_rows(history)
    after = [cost(lost, cumulative, row, _outside_until(history, row)) for row in closed[1:]]
    return max(costs(lost, cumulative, closed)) + max(after)


def unmeasured(history: History) -> str:
    """Return a sentence, with a space before it, if the last record leaves out a GPU or all energy; else nothing.

    A record is made on demand, which takes longer than all else: only where something is left out.
    """
    if history.misses_gpu:
        return f" {what_counts(history[-1].devices)}"
    is_known = not history or history.facility_kwh > (history.cumulative_kwh[-2] if len(history) > 1 else 0.0)
    if is_known or history[-1].facility_kwh is not None:
        return ""
    return " The last record's energy was not measured and is not counted."


def _row_before(history: History, row: int) -> int:
    """Return the last row before the epoch that a row closes; -1 if it was the first."""
    epoch = history.epoch_at(row)
    while row >= 0 and history.epoch_at(row) == epoch:
        row -= 1
    return row


def _outside_until(history: History, row: int) -> int:
    """Return the last of the rows outside epochs that follow a row without a gap, going on from where it was found."""
    found: dict[int, int] = history.memo((__name__, "outside"), dict)
    end = found.get(row, row)
    while end + 1 < len(history) and history.epoch_at(end + 1) is None:
        end += 1
    if len(found) > _ENDS_KEPT:
        found.clear()
    found[row] = end
    return end
