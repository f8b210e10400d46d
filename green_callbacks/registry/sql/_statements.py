"""The statements of a claim, put into words before the budget is locked.

SQLAlchemy takes ten milliseconds to put them into words for the first time. On a busy machine, all other runs would
wait for that.
"""

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Double, and_, bindparam, case, func, insert, literal_column, select, update
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.dialects.sqlite import pysqlite
from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.sql import ClauseElement, ColumnElement, Select
from sqlalchemy.sql.compiler import SQLCompiler

from green_callbacks.registry.protocol import RunState
from green_callbacks.registry.sql._tables import BUDGETS, SESSIONS


def _is_silent() -> ColumnElement[bool]:
    """Return whether the last session of a live run has not claimed since a time, in s since 1970."""
    is_live = and_(SESSIONS.c.is_last, SESSIONS.c.state == RunState.LIVE.value)
    return and_(is_live, SESSIONS.c.beat <= bindparam("since", type_=Double))


def _lock(now: Any) -> Select[Any]:  # noqa: ANN401  SQLAlchemy has no public name for it
    is_budget = and_(BUDGETS.c.project == bindparam("project"), BUDGETS.c.quantity == bindparam("quantity"))
    return select(BUDGETS.c.id, BUDGETS.c.set_limit, now.label("now")).where(is_budget).with_for_update()


def _others() -> Select[Any]:
    """Sum up all other runs in one answer, because each question to a far server takes its time."""
    told, is_silent = SESSIONS.c, _is_silent()
    is_live = and_(told.is_last, told.state == RunState.LIVE.value, ~is_silent)
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


_IS_RUN: Final = and_(SESSIONS.c.budget == bindparam("of_budget"), SESSIONS.c.run_id == bindparam("of_run"))
_IS_SESSION: Final = and_(_IS_RUN, SESSIONS.c.session == bindparam("of_session"))
_TOLD: Final = ("state", "spent", "counted_before", "held", "epoch_cost", "budget_limit", "beat", "host", "ledger")

IS_SILENT: Final = and_(SESSIONS.c.budget == bindparam("of_budget"), _is_silent())
"""Which sessions of a budget are silent."""

# Machines of a cluster may disagree about the time, so the server tells it.
LOCK: Final = _lock(literal_column("extract(epoch FROM clock_timestamp())", Double))
LOCK_FILE: Final = _lock(bindparam("time", type_=Double))
OTHERS: Final = _others()
OWN: Final = select(SESSIONS).where(_IS_RUN)
BURY: Final = update(SESSIONS).where(IS_SILENT, SESSIONS.c.run_id != bindparam("but")).values(state=RunState.DEAD.value)
"""Marks silent runs as dead. The held amount stays in the row, and counts as spent."""
DEMOTE: Final = update(SESSIONS).where(_IS_RUN).values(is_last=False)
ADD: Final = insert(SESSIONS).inline()
TELL: Final = update(SESSIONS).where(_IS_SESSION).values({name: bindparam(f"new_{name}") for name in _TOLD})

_OF_CLAIMS: Final = (LOCK, LOCK_FILE, OTHERS, OWN, BURY, DEMOTE, ADD, TELL)


class _Worded(NamedTuple):
    text: str
    given: Mapping[str, Any]


_words: Final[dict[str, dict[ClauseElement, _Worded]]] = {}


def prepare(database: str) -> None:
    """Put the statements of claims into words, before a transaction begins.

    Args:
        database: The kind of database, ``sqlite`` or ``postgresql``.
    """
    if database not in _words:
        is_file = database == "sqlite"
        dialect = pysqlite.dialect(paramstyle="named") if is_file else psycopg.dialect(paramstyle="pyformat")
        _words[database] = {each: _worded(each.compile(dialect=dialect)) for each in _OF_CLAIMS}


def _worded(compiled: SQLCompiler) -> _Worded:
    return _Worded(str(compiled), {name: value for name, value in compiled.params.items() if value is not None})


def ask(connection: Connection, statement: ClauseElement, values: Mapping[str, Any]) -> CursorResult[Any]:
    """Run a statement of a claim.

    Args:
        connection: A connection in a transaction.
        statement: One of the statements of this module.
        values: Its values by their names.
    """
    worded = _words[connection.dialect.name][statement]
    return connection.exec_driver_sql(worded.text, {**worded.given, **values})


def lock(connection: Connection, project: str, quantity: str) -> Any:  # noqa: ANN401  rows are untyped
    """Lock the row of a budget, and return it, or None. It has an ``id``, the ``set_limit``, and the time ``now``.

    Args:
        connection: A connection in a transaction.
        project: Name of the project.
        quantity: Quantity of the budget.
    """
    names = {"project": project, "quantity": quantity}
    if connection.dialect.name == "postgresql":
        return ask(connection, LOCK, names).one_or_none()
    return ask(connection, LOCK_FILE, {**names, "time": time.time()}).one_or_none()
