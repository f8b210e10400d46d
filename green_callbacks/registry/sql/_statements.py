"""The statements of a claim, put into words before the budget is locked.

SQLAlchemy takes ten milliseconds to put them into words for the first time. On a busy machine, all other runs would
wait for that.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Final, NamedTuple

from sqlalchemy import Double, and_, bindparam, case, func, insert, literal_column, select, update
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.dialects.sqlite import pysqlite
from sqlalchemy.engine import Connection
from sqlalchemy.sql import ClauseElement, ColumnElement, Select
from sqlalchemy.sql.compiler import SQLCompiler

from green_callbacks.registry.protocol import DEAD_SECONDS, RunState
from green_callbacks.registry.sql._tables import BUDGETS, SESSIONS

# Machines of a cluster may disagree about the time, so the server tells it.
_SERVER_TIME: Final = literal_column("extract(epoch FROM clock_timestamp())", Double)
_FILE_TIME: Final = bindparam("time", type_=Double)

_IS_BUDGET: Final = and_(BUDGETS.c.project == bindparam("project"), BUDGETS.c.quantity == bindparam("quantity"))
_BUDGET: Final = select(BUDGETS.c.id).where(_IS_BUDGET).scalar_subquery()
"""The key of the budget. A question with it need not wait for the answer to the question for the key."""


def _is_silent(since: ColumnElement[float]) -> ColumnElement[bool]:
    """Return whether the last session of a live run has not claimed since a time, in s since 1970."""
    return and_(SESSIONS.c.is_last, SESSIONS.c.state == RunState.LIVE.value, SESSIONS.c.beat <= since)


def _lock(now: ColumnElement[float]) -> Select[Any]:
    return select(BUDGETS.c.id, BUDGETS.c.set_limit, now.label("now")).where(_IS_BUDGET).with_for_update()


def _others(now: ColumnElement[float]) -> Select[Any]:
    """Sum up all other runs in one answer, because each question to a far server takes its time."""
    told, is_silent = SESSIONS.c, _is_silent(now - DEAD_SECONDS)
    is_live = and_(told.is_last, told.state == RunState.LIVE.value, ~is_silent)
    is_other = and_(told.budget == _BUDGET, told.run_id != bindparam("run"))
    lost = case((is_live, 0.0), else_=told.held)
    counted = told.spent - told.counted_before + told.held
    first_epochs = bindparam("first_epochs", type_=Double)
    is_in_first = and_(is_live, told.epoch_cost.is_(None), counted < first_epochs)
    return select(
        func.coalesce(func.sum(told.spent - told.counted_before + lost), 0.0).label("spent"),
        func.coalesce(func.sum(case((is_live, told.held), else_=0.0)), 0.0).label("held"),
        func.coalesce(func.sum(case((is_in_first, first_epochs - counted), else_=0.0)), 0.0).label("expected"),
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

IS_SILENT: Final = and_(SESSIONS.c.budget == bindparam("of_budget"), _is_silent(bindparam("since", type_=Double)))
"""Which sessions of a budget are silent."""

_SERVER: Final = (_lock(_SERVER_TIME), _others(_SERVER_TIME))
_FILE: Final = (_lock(_FILE_TIME), _others(_FILE_TIME))
_OWN: Final = select(SESSIONS).where(SESSIONS.c.budget == _BUDGET, SESSIONS.c.run_id == bindparam("run"))
BURY: Final = update(SESSIONS).where(IS_SILENT, SESSIONS.c.run_id != bindparam("but")).values(state=RunState.DEAD.value)
"""Marks silent runs as dead. The held amount stays in the row, and counts as spent."""
DEMOTE: Final = update(SESSIONS).where(_IS_RUN).values(is_last=False)
ADD: Final = insert(SESSIONS).inline()
TELL: Final = update(SESSIONS).where(_IS_SESSION).values({name: bindparam(f"new_{name}") for name in _TOLD})

_OF_CLAIMS: Final = (_OWN, BURY, DEMOTE, ADD, TELL)


class _Worded(NamedTuple):
    text: str
    given: Mapping[str, Any]


Question = tuple[ClauseElement, Mapping[str, Any]]
"""A statement and its values by their names."""


class DriverError(Exception):
    """The driver reports an error, which is in ``orig``."""

    def __init__(self, orig: Exception) -> None:
        super().__init__()
        self.orig = orig


_words: Final[dict[str, dict[ClauseElement, _Worded]]] = {}


def prepare(database: str) -> None:
    """Put the statements of claims into words, before a transaction begins.

    Args:
        database: The kind of database, ``sqlite`` or ``postgresql``.
    """
    if database not in _words:
        is_file = database == "sqlite"
        dialect = pysqlite.dialect(paramstyle="named") if is_file else psycopg.dialect(paramstyle="pyformat")
        statements = (*(_FILE if is_file else _SERVER), *_OF_CLAIMS)
        _words[database] = {each: _worded(each.compile(dialect=dialect)) for each in statements}


def _worded(compiled: SQLCompiler) -> _Worded:
    return _Worded(str(compiled), {name: value for name, value in compiled.params.items() if value is not None})


def ask(connection: Connection, *questions: Question, is_last: bool = False) -> list[Sequence[Any]]:
    """Run statements of a claim one after the other. A server gets them all at once.

    The budget is locked meanwhile, and on a busy machine each way to the server and back takes long.

    Args:
        connection: A connection in a transaction.
        questions: Statements of this module, each with its values by their names.
        is_last: Whether to commit the transaction with them. Defaults to False.

    Returns:
        The rows of each statement.

    Raises:
        DriverError: The driver reports an error.
    """
    words = _words[connection.dialect.name]
    worded = [(words[statement].text, {**words[statement].given, **values}) for statement, values in questions]
    if connection.dialect.name == "postgresql":
        return _asked_at_once(connection, worded, is_last=is_last)
    answers = [connection.exec_driver_sql(*each) for each in worded]
    return [answer.all() if answer.returns_rows else [] for answer in answers]


def _asked_at_once(connection: Connection, worded: Sequence[tuple[str, dict[str, Any]]], *, is_last: bool) -> list[Any]:
    from psycopg import Error, Pipeline
    from psycopg.rows import namedtuple_row

    raw: Any = connection.connection.dbapi_connection
    at_once = raw.pipeline() if Pipeline.is_supported() else nullcontext()
    try:
        with at_once:
            cursors = [raw.cursor(row_factory=namedtuple_row).execute(*each) for each in worded]
            if is_last:
                raw.commit()
        return [cursor.fetchall() if cursor.description else [] for cursor in cursors]
    except Error as error:
        raise DriverError(error) from None


def first_answers(
    connection: Connection, project: str, quantity: str, run_id: str, first_epochs: float
) -> list[Sequence[Any]]:
    """Lock the budget, and return its row, the sums of all other runs, and the rows of a run.

    Args:
        connection: A connection in a transaction.
        project: Name of the project.
        quantity: Quantity of the budget.
        run_id: Name of the run.
        first_epochs: Expected spending of a live run before it knows what its epochs cost, in the unit of the budget.
    """
    is_file = connection.dialect.name == "sqlite"
    lock_it, sum_others = _FILE if is_file else _SERVER
    values: dict[str, Any] = {"project": project, "quantity": quantity} | ({"time": time.time()} if is_file else {})
    mine = values | {"run": run_id}
    of_own = {name: value for name, value in mine.items() if name != "time"}
    return ask(connection, (lock_it, values), (sum_others, mine | {"first_epochs": first_epochs}), (_OWN, of_own))


def lock(connection: Connection, project: str, quantity: str) -> Sequence[Any]:
    """Lock the row of a budget, and return the rows found. A row has ``id``, ``set_limit``, and the time ``now``.

    Args:
        connection: A connection in a transaction.
        project: Name of the project.
        quantity: Quantity of the budget.
    """
    is_file = connection.dialect.name == "sqlite"
    names: dict[str, Any] = {"project": project, "quantity": quantity} | ({"time": time.time()} if is_file else {})
    return ask(connection, ((_FILE if is_file else _SERVER)[0], names))[0]
