"""The predicted cost of a run until its next possible stop."""

from collections.abc import Sequence
from math import inf
from typing import Final, NamedTuple

from green_callbacks.policies._repeated_epochs import cost, costs, lost_rows
from green_callbacks.policies.landing import Position
from green_callbacks.records import History, Landing, Plan
from green_callbacks.records.coverage import what_counts

_LAST: Final = 5
"""Number of recent epochs or parts whose highest cost is expected to recur. By experiment."""
_VALIDATION: Final = "validation"

_ENDS_KEPT: Final = 8 * _LAST
"""Number of epochs whose following rows are remembered. Only the last ``_LAST`` are used."""


class ToCome(NamedTuple):
    """Spending before the next decision, and by the end of the run after it.

    Attributes:
        cost: The spending, in kgCO2e or kWh.
        what: The cause of the spending, in words.
    """

    cost: float
    what: str


def to_come(history: History, plan: Plan, cumulative: Sequence[float]) -> ToCome | None:
    """Project the spending until the next decision.

    If policies decide only after epochs, the projection is one epoch. If they decide inside epochs, it is one part of
    an epoch, plus the validation and the rows outside epochs that follow a stop. Each is expected to cost as much as
    the most expensive recent one.

    Args:
        history: All records so far.
        plan: The plan of the run.
        cumulative: Spending up to and including each record, in kgCO2e or kWh.

    Returns:
        The projection. None if there is nothing to project from, or nothing to come.
    """
    if not history.part_rows:
        epoch = next_epoch(history, plan, cumulative)
        return None if epoch is None else ToCome(epoch, "the next epoch")
    if _is_over(history, plan):
        return None
    lost = lost_rows(history)
    parts = [
        cost(lost, cumulative, row - 1, row)
        * (1 - history.phase_share(row, _VALIDATION))
        * _rest_of_part(history, plan, row)
        for row in history.part_rows[-_LAST:]
    ]
    return ToCome(
        max(parts) + after_stop(history, cumulative),
        "the next part of an epoch, and the validation and checkpoint that follow a stop,",
    )


def after_stop(history: History, cumulative: Sequence[float]) -> float:
    """Project the spending after a stop inside an epoch.

    It is the most expensive validation so far, plus the most expensive rows outside epochs.

    Args:
        history: All records so far.
        cumulative: Spending up to and including each record, in kgCO2e or kWh.

    Returns:
        The cost in the unit of ``cumulative``. 0 if neither is known.
    """
    lost, ends = lost_rows(history), history.epoch_rows[-_LAST:]
    outside = max((cost(lost, cumulative, row, _outside_until(history, row)) for row in ends), default=0.0)
    return _costliest_validation(history, cumulative) + outside


def _costliest_validation(history: History, cumulative: Sequence[float]) -> float:
    """Return the present cost of the most expensive validation so far, at the latest cost of a joule."""
    most_joules = history.most_phase_joules(_VALIDATION)
    row = _last_measured(history)
    joules = None if row is None else history.energy_joules_at(row)
    if row is None or not joules:
        return 0.0
    spent = cumulative[row] - (cumulative[row - 1] if row else 0.0)
    return most_joules * (spent / joules)


def _last_measured(history: History) -> int | None:
    """Return the last row with energy. Each row is read only once as the history grows."""
    kept: list[tuple[int, int | None]] = history.memo((__name__, "measured"), lambda: [(0, None)])
    seen, found = kept[0]
    new = range(len(history) - 1, seen - 1, -1)
    found = next((row for row in new if history.energy_joules_at(row)), found)
    kept[0] = len(history), found
    return found


def next_epoch(history: History, plan: Plan, cumulative: Sequence[float]) -> float | None:
    """Project the cost of the next epoch and of the rows outside epochs after it.

    Args:
        history: All records so far.
        plan: The plan of the run.
        cumulative: Spending up to and including each record, in kgCO2e or kWh.

    Returns:
        Cost of the most expensive of the last five epochs, plus the most expensive rows outside epochs after one of
        them. The unit is the unit of ``cumulative``. Epochs of an earlier fit count until one of the present fit has
        ended. None if no epoch has ended, or none is to come.
    """
    closed = history.last_epochs(_LAST + 1) or history.epoch_rows[-_LAST - 1 :]
    if not closed or _is_over(history, plan):
        return None
    if len(closed) <= _LAST:
        closed = [_row_before(history, closed[0]), *closed]
    lost = lost_rows(history)
    after = [cost(lost, cumulative, row, _outside_until(history, row)) for row in closed[1:]]
    whole = max(costs(lost, cumulative, closed))
    share = _rest_of_epoch(history, plan)
    if share < 1:
        whole = share * whole + (1 - share) * min(_costliest_validation(history, cumulative), whole)
    return whole + max(after)


def _is_over(history: History, plan: Plan) -> bool:
    """Return whether no epoch is to come, because the plan or a landing has ended."""
    landing = plan.landing
    if landing is not None and _landing_steps(history, landing) <= 0:
        return True
    ended = history.last_epochs(1)
    if landing is not None and landing.last_epoch is not None and ended:
        return (history.epoch_at(ended[-1]) or 0) >= landing.last_epoch
    return plan.epochs is not None and history.epochs_done() >= plan.epochs


def _landing_steps(history: History, landing: Landing) -> float:
    """Return how many optimizer steps a landing still takes. Infinite if the steps are unknown."""
    return inf if history.steps is None else landing.end - history.steps


def _rest_of_epoch(history: History, plan: Plan) -> float:
    """Return the share of the next epoch that is trained, 1 unless a landing ends inside it. A validation follows."""
    landing = plan.landing
    at = None if landing is None or landing.last_epoch is not None else Position.of(history)
    if landing is None or at is None or not at.epoch_steps:
        return 1.0
    return min(_landing_steps(history, landing) / at.epoch_steps, 1.0)


def _rest_of_part(history: History, plan: Plan, row: int) -> float:
    """Return the share of a part like another part that is trained before a landing ends, at most 1.

    Args:
        history: All records so far.
        plan: The plan of the run.
        row: The other part.
    """
    landing, end = plan.landing, history.step_at(row)
    if landing is None or end is None or landing.last_epoch is not None:
        return 1.0
    begin = history.steps_at(row - 1) if row > history.fit_row else None if row else 0
    if begin is None or begin >= end:
        return 1.0
    return min(_landing_steps(history, landing) / (end - begin), 1.0)


def unmeasured(history: History) -> str:
    """Return a sentence about energy that the last record lacks, with a leading space. Empty if it lacks none.

    Making a record takes longer than everything else here, so it is made only if something is missing.
    """
    if history.misses_gpu:
        return f" {what_counts(history[-1].devices)}"
    is_known = not history or history.facility_kwh > (history.cumulative_kwh[-2] if len(history) > 1 else 0.0)
    if is_known or history[-1].facility_kwh is not None:
        return ""
    return " The last record's energy was not measured and is not counted."


def _row_before(history: History, row: int) -> int:
    """Return the last row before an epoch, which is given by its last row. -1 if the epoch is the first."""
    epoch = history.epoch_at(row)
    while row >= 0 and history.epoch_at(row) == epoch:
        row -= 1
    return row


def _outside_until(history: History, row: int) -> int:
    """Return the last of the rows outside epochs that directly follow a row.

    The search continues from its last result.
    """
    found: dict[int, int] = history.memo((__name__, "outside"), dict)
    end = found.get(row, row)
    while end + 1 < len(history) and history.epoch_at(end + 1) is None:
        end += 1
    if len(found) > _ENDS_KEPT:
        found.clear()
    found[row] = end
    return end
