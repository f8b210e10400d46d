"""The transactions of a shared budget. Each locks the row of the budget first, so that all take turns."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, bindparam, insert, select, update
from sqlalchemy.engine import Connection, Row

from green_callbacks.registry.protocol import (
    DEAD_SECONDS,
    FIRST_EPOCHS,
    Claim,
    Entry,
    RegisteredRun,
    RunState,
    Standing,
)
from green_callbacks.registry.sql import _statements
from green_callbacks.registry.sql._statements import ADD, BURY, DEMOTE, IS_SILENT, TELL, ask
from green_callbacks.registry.sql._tables import BUDGETS, SESSIONS, LostBudgetError

_ROUNDING: Final = 1e-9
"""Share of a budget by which sums of decimal fractions may exceed it. A kilogram of many epochs is off by 1e-15."""


class LockedBudget(NamedTuple):
    """The row of a budget that this transaction has locked.

    Attributes:
        id: Key of the row.
        set_limit: The limit that was set for all runs, in the unit of the budget.
        now: The time of the database, in s since 1970.
    """

    id: int
    set_limit: float | None
    now: float


def lock(connection: Connection, project: str, quantity: str) -> LockedBudget:
    """Lock the row of a budget until the transaction ends.

    Args:
        connection: A connection in a transaction.
        project: Name of the project.
        quantity: Quantity of the budget.

    Raises:
        LostBudgetError: There is no such row any more.
    """
    return _locked(_statements.lock(connection, project, quantity))


def _locked(rows: Sequence[Any]) -> LockedBudget:
    if not rows:
        raise LostBudgetError
    return LockedBudget(rows[0].id, rows[0].set_limit, float(rows[0].now))


def settle_and_hold(connection: Connection, project: str, quantity: str, claim: Claim) -> Standing:
    """Keep the total of a run, and hold its expected spending as far as the budget allows.

    Args:
        connection: A connection in a transaction.
        project: Name of the project.
        quantity: Quantity of the budget.
        claim: The claim, which is valid.

    Raises:
        LostBudgetError: There is no such budget any more.
    """
    first_epochs = FIRST_EPOCHS * (claim.epoch_cost or 0.0)
    found, (others,), rows = _statements.first_answers(connection, project, quantity, claim.run_id, first_epochs)
    budget, others_held = _locked(found), others.held + others.expected
    if others.silent:
        since = budget.now - DEAD_SECONDS
        ask(connection, (BURY, {"of_budget": budget.id, "since": since, "but": claim.run_id}))
    own = next((row for row in rows if row.session == claim.session), None)
    earlier = sum(_contribution(row) + row.held for row in rows if row is not own)
    # A new session has read its total from a checkpoint or a ledger, and repeats what earlier sessions have told.
    counted_before = min(claim.spent, earlier) if own is None else own.counted_before
    spent = claim.spent if own is None or own.state == RunState.DEAD else max(claim.spent, own.spent)
    total = earlier + spent - counted_before
    limit = claim.limit if budget.set_limit is None else budget.set_limit
    needed = others.spent + others_held + total + claim.under_way + claim.wanted
    is_granted = claim.wanted <= 0 or needed <= limit * (1 + _ROUNDING)
    held = claim.under_way + (claim.wanted if is_granted else 0.0)
    row = _told(budget, claim) | {"spent": spent, "counted_before": counted_before, "held": held}
    _write(connection, budget, claim, row, is_new=own is None)
    return Standing(
        limit=limit,
        others_spent=others.spent + max(0.0, total - claim.spent),  # what else this run has spent is lost for it
        others_held=others_held,
        held=held,
        live_runs=others.live + (not claim.is_ended),
        epoch_cost=others.epoch_cost,
        is_granted=is_granted,
        set_limit=budget.set_limit,
    )


def _told(budget: LockedBudget, claim: Claim) -> dict[str, Any]:
    return {
        "state": (RunState.ENDED if claim.is_ended else RunState.LIVE).value,
        "epoch_cost": claim.epoch_cost,
        "budget_limit": claim.limit,
        "beat": budget.now,
        "host": claim.host,
        "ledger": claim.ledger,
    }


def _contribution(row: Row[Any]) -> float:
    return float(row.spent - row.counted_before)


def _write(connection: Connection, budget: LockedBudget, claim: Claim, row: dict[str, Any], *, is_new: bool) -> None:
    of_run = {"of_budget": budget.id, "of_run": claim.run_id}
    if is_new:
        names = {"budget": budget.id, "run_id": claim.run_id, "session": claim.session, "is_last": True}
        ask(connection, (DEMOTE, of_run), (ADD, names | row), is_last=True)
    else:
        told = {f"new_{name}": value for name, value in row.items()}
        ask(connection, (TELL, of_run | {"of_session": claim.session} | told), is_last=True)


def enter(connection: Connection, budget: LockedBudget, entries: Iterable[Entry]) -> None:
    """Keep the totals of runs that do not claim. A run keeps the largest of its totals.

    Args:
        connection: A connection in a transaction.
        budget: The locked budget.
        entries: The totals, which are valid. Each run is there once.
    """
    known = _grouped(connection, budget)
    fresh, changed = [], []
    for entry in entries:
        rows = known.get(entry.run_id)
        if rows is None:
            fresh.append(_entered(budget, entry))
            continue
        run, last = _registered(rows, budget.now), _last(rows)
        has_ended = entry.is_closed and run.state is RunState.DEAD
        if has_ended or (run.state is not RunState.LIVE and entry.spent > run.spent):
            state, held = (RunState.ENDED.value, 0.0) if has_ended else (last.state, last.held)
            more = max(0.0, entry.spent - run.spent + last.held - held)
            row = {"total": last.spent + more, "state_now": state, "held_now": held}
            changed.append({"run": entry.run_id, "last": last.session, **row})
    if fresh:
        connection.execute(insert(SESSIONS), fresh)
    if changed:
        is_row = and_(SESSIONS.c.run_id == bindparam("run"), SESSIONS.c.session == bindparam("last"))
        row = {"spent": bindparam("total"), "state": bindparam("state_now"), "held": bindparam("held_now")}
        connection.execute(update(SESSIONS).where(SESSIONS.c.budget == budget.id, is_row).values(row), changed)


def _entered(budget: LockedBudget, entry: Entry) -> dict[str, Any]:
    row = {"budget": budget.id, "run_id": entry.run_id, "session": "", "is_last": True, "state": RunState.ENTERED.value}
    row |= {"spent": entry.spent, "counted_before": 0.0, "held": 0.0, "beat": budget.now}
    return row | {"host": entry.host, "ledger": entry.ledger}


def _grouped(connection: Connection, budget: LockedBudget) -> dict[str, list[Row[Any]]]:
    """Return the rows of the budget by the names of the runs, in their order."""
    grouped: dict[str, list[Row[Any]]] = {}
    rows = connection.execute(select(SESSIONS).where(SESSIONS.c.budget == budget.id)).all()
    for row in sorted(rows, key=lambda row: str(row.run_id)):  # servers order letters by their own language
        grouped.setdefault(row.run_id, []).append(row)
    return grouped


def runs(connection: Connection, budget: LockedBudget) -> Sequence[RegisteredRun]:
    """Return all runs of a budget, in the order of their names.

    Args:
        connection: A connection in a transaction.
        budget: The locked budget.
    """
    return [_registered(rows, budget.now) for rows in _grouped(connection, budget).values()]


def _last(rows: Sequence[Row[Any]]) -> Row[Any]:
    return next(row for row in rows if row.is_last)


def _registered(rows: Sequence[Row[Any]], now: float) -> RegisteredRun:
    last = _last(rows)
    state = RunState(last.state)
    if state is RunState.LIVE and now - last.beat >= DEAD_SECONDS:
        state = RunState.DEAD  # nobody has claimed since, and so nobody has marked it
    is_live = state is RunState.LIVE
    settled = sum(row.held for row in rows if not (is_live and row is last))
    return RegisteredRun(
        run_id=last.run_id,
        state=state,
        spent=sum(map(_contribution, rows)) + settled,
        held=last.held if is_live else 0.0,
        silent_seconds=max(0.0, now - last.beat),
        settled=settled,
        epoch_cost=last.epoch_cost,
        limit=last.budget_limit,
        host=last.host,
        ledger=last.ledger,
    )


def set_limit(connection: Connection, budget: LockedBudget, limit: float | None) -> None:
    """Set the limit for all runs of a budget.

    Args:
        connection: A connection in a transaction.
        budget: The locked budget.
        limit: The limit, in the unit of the budget.
    """
    connection.execute(update(BUDGETS).where(BUDGETS.c.id == budget.id).values(set_limit=limit))


def settle_dead(connection: Connection, budget: LockedBudget, silent_seconds: float) -> Sequence[RegisteredRun]:
    """Mark silent runs as dead, and return them.

    Args:
        connection: A connection in a transaction.
        budget: The locked budget.
        silent_seconds: Time without a claim from which on a run is dead, in s.
    """
    of_all = {"of_budget": budget.id, "since": budget.now - silent_seconds}
    names = set(connection.scalars(select(SESSIONS.c.run_id).where(IS_SILENT), of_all))
    ask(connection, (BURY, of_all | {"but": ""}))
    return [run for run in runs(connection, budget) if run.run_id in names]
