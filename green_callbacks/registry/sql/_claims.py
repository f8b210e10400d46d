"""The transactions of a shared budget. Each locks the row of the budget first, so that all take turns."""

import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Double, and_, bindparam, case, func, insert, literal, select, text, update
from sqlalchemy.engine import Connection, Row
from sqlalchemy.sql import ColumnElement, Select

from green_callbacks.registry.protocol import DEAD_SECONDS, Claim, Entry, RegisteredRun, RunState, Standing
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
    # Machines of a cluster may disagree about the time, so the server tells it.
    now = (
        text("extract(epoch FROM clock_timestamp())")
        if connection.dialect.name == "postgresql"
        else literal(time.time())
    )
    found = connection.execute(
        select(BUDGETS.c.id, BUDGETS.c.set_limit, now)
        .where(BUDGETS.c.project == project, BUDGETS.c.quantity == quantity)
        .with_for_update()
    ).one_or_none()
    if found is None:
        raise LostBudgetError
    return LockedBudget(found[0], found[1], float(found[2]))


def settle_and_hold(connection: Connection, budget: LockedBudget, claim: Claim) -> Standing:
    """Keep the total of a run, and hold what it expects to spend, as far as the budget allows.

    Args:
        connection: A connection in a transaction.
        budget: The locked budget.
        claim: The claim, which is valid.
    """
    mine, since = {"budget": budget.id, "run": claim.run_id}, budget.now - DEAD_SECONDS
    others = connection.execute(_OTHERS, mine | {"since": since}).one()
    if others.silent:
        connection.execute(_BURY, {"of_budget": budget.id, "since": since, "but": claim.run_id})
    rows = connection.execute(_OWN, mine).all()
    own = next((row for row in rows if row.session == claim.session), None)
    earlier = sum(_contribution(row) + row.held for row in rows if row is not own)
    # A new session has read its total from a checkpoint or a ledger, and repeats what earlier sessions have told.
    counted_before = min(claim.spent, earlier) if own is None else own.counted_before
    spent = claim.spent if own is None or own.state == RunState.DEAD else max(claim.spent, own.spent)
    total = earlier + spent - counted_before
    limit = claim.limit if budget.set_limit is None else budget.set_limit
    needed = others.spent + others.held + total + claim.under_way + claim.wanted
    is_granted = claim.wanted <= 0 or needed <= limit * (1 + _ROUNDING)
    held = claim.under_way + (claim.wanted if is_granted else 0.0)
    row = _told(budget, claim) | {"spent": spent, "counted_before": counted_before, "held": held}
    _write(connection, budget, claim, row, is_new=own is None)
    return Standing(
        limit=limit,
        others_spent=others.spent + max(0.0, total - claim.spent),  # what else this run has spent is lost for it
        others_held=others.held,
        held=held,
        live_runs=others.live + (not claim.is_ended),
        epoch_cost=others.epoch_cost,
        is_granted=is_granted,
        set_limit=budget.set_limit,
    )


def _told(budget: LockedBudget, claim: Claim) -> dict[str, Any]:
    return {
        "state": RunState.ENDED if claim.is_ended else RunState.LIVE,
        "epoch_cost": claim.epoch_cost,
        "budget_limit": claim.limit,
        "beat": budget.now,
        "host": claim.host,
        "ledger": claim.ledger,
    }


def _contribution(row: Row[Any]) -> float:
    return float(row.spent - row.counted_before)


def _is_silent(since: ColumnElement[float]) -> ColumnElement[bool]:
    """Return whether the last session of a live run has not claimed since a time, in s since 1970."""
    return and_(SESSIONS.c.is_last, SESSIONS.c.state == RunState.LIVE, SESSIONS.c.beat <= since)


def _others() -> Select[Any]:
    """Sum up all other runs in one answer, because each question to a far server takes its time."""
    told, is_silent = SESSIONS.c, _is_silent(bindparam("since", type_=Double))
    is_live = and_(told.is_last, told.state == RunState.LIVE, ~is_silent)
    is_other = and_(told.budget == bindparam("budget"), told.run_id != bindparam("run"))
    lost = case((is_live, 0.0), else_=told.held)
    return select(
        func.coalesce(func.sum(told.spent - told.counted_before + lost), 0.0).label("spent"),
        func.coalesce(func.sum(case((is_live, told.held), else_=0.0)), 0.0).label("held"),
        func.coalesce(func.sum(case((is_live, 1), else_=0)), 0).label("live"),
        func.coalesce(func.sum(case((is_silent, 1), else_=0)), 0).label("silent"),
        _median_cost(and_(is_other, told.is_last)).label("epoch_cost"),
    ).where(is_other)


def _median_cost(is_counted: ColumnElement[bool]) -> Any:  # noqa: ANN401  SQLAlchemy has no public name for it
    """Return the median of the cost of an epoch as a part of a question. SQLite has no function for it."""
    place = func.row_number().over(order_by=SESSIONS.c.epoch_cost).label("place")
    count = func.count().over().label("count")
    costs = select(SESSIONS.c.epoch_cost, place, count).where(is_counted, SESSIONS.c.epoch_cost.is_not(None)).subquery()
    is_middle = costs.c.place.in_([(costs.c["count"] + 1) // 2, (costs.c["count"] + 2) // 2])
    return select(func.avg(costs.c.epoch_cost)).where(is_middle).scalar_subquery()


_OTHERS: Final = _others()
_OWN: Final = select(SESSIONS).where(SESSIONS.c.budget == bindparam("budget"), SESSIONS.c.run_id == bindparam("run"))
_SILENT: Final = and_(SESSIONS.c.budget == bindparam("of_budget"), _is_silent(bindparam("since", type_=Double)))
_BURY: Final = update(SESSIONS).where(_SILENT, SESSIONS.c.run_id != bindparam("but")).values(state=RunState.DEAD)
"""Questions that every claim asks, made once, because SQLAlchemy takes a millisecond to make them.

A buried run keeps what it holds in its row, and it counts as spent.
"""


def _write(connection: Connection, budget: LockedBudget, claim: Claim, row: dict[str, Any], *, is_new: bool) -> None:
    of_run = update(SESSIONS).where(SESSIONS.c.budget == budget.id, SESSIONS.c.run_id == claim.run_id)
    if is_new:
        names = {"budget": budget.id, "run_id": claim.run_id, "session": claim.session, "is_last": True}
        connection.execute(of_run.values(is_last=False))
        connection.execute(insert(SESSIONS).values(names | row))
    else:
        connection.execute(of_run.where(SESSIONS.c.session == claim.session).values(row))


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
        run = _registered(rows, budget.now)
        if run.state is not RunState.LIVE and entry.spent > run.spent:
            last = _last(rows)
            spent = last.spent + entry.spent - run.spent
            changed.append({"run": entry.run_id, "last": last.session, "total": spent})
    if fresh:
        connection.execute(insert(SESSIONS), fresh)
    if changed:
        is_row = and_(SESSIONS.c.run_id == bindparam("run"), SESSIONS.c.session == bindparam("last"))
        one = update(SESSIONS).where(SESSIONS.c.budget == budget.id, is_row).values(spent=bindparam("total"))
        connection.execute(one, changed)


def _entered(budget: LockedBudget, entry: Entry) -> dict[str, Any]:
    row = {"budget": budget.id, "run_id": entry.run_id, "session": "", "is_last": True, "state": RunState.ENTERED}
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
    names = set(connection.scalars(select(SESSIONS.c.run_id).where(_SILENT), of_all))
    connection.execute(_BURY, of_all | {"but": ""})
    return [run for run in runs(connection, budget) if run.run_id in names]
