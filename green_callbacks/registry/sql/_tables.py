"""The tables of shared budgets, and how they are made by many processes at once."""

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

SCHEMA_VERSION: Final = 1
"""Version of the tables. A later version that this code could not keep right has a higher number."""

_ADVISORY_KEY: Final = 0x67726E6362
"""Key of the lock of PostgreSQL under which tables are made, by our choice. Other programs have other keys."""

METADATA: Final = MetaData()

SCHEMA: Final = Table("green_callbacks_schema", METADATA, Column("version", Integer, primary_key=True))

BUDGETS: Final = Table(
    "green_callbacks_budgets",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("project", Text, nullable=False),
    Column("quantity", Text, nullable=False),
    Column("set_limit", Double),
    UniqueConstraint("project", "quantity"),
)
"""One row per budget. Whoever changes a run of the budget locks its row."""

SESSIONS: Final = Table(
    "green_callbacks_sessions",
    METADATA,
    Column("budget", Integer, ForeignKey(BUDGETS.c.id), primary_key=True),
    Column("run_id", Text, primary_key=True),
    Column("session", Text, primary_key=True),
    Column("is_last", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("spent", Double, nullable=False),
    Column("counted_before", Double, nullable=False),
    Column("held", Double, nullable=False),
    Column("epoch_cost", Double),
    Column("budget_limit", Double),
    Column("beat", Double, nullable=False),
    Column("host", Text, nullable=False),
    Column("ledger", Text, nullable=False),
)
"""One row per session of a run, or one row with an empty session for a run that never claimed.

A session tells the total of its run. It contributes this total without ``counted_before``, the part that rows of
earlier sessions contribute already. What a session holds stays in its row when the session dies, so that it may turn
out to be alive.
"""


_FIND_ON_SERVER: Final = "SELECT to_regclass(:name)"
_FIND_IN_FILE: Final = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = :name"
_FIND_BUDGET: Final = """
SELECT (SELECT max(version) FROM green_callbacks_schema) AS version,
       (SELECT id FROM green_callbacks_budgets WHERE project = :project AND quantity = :quantity) AS budget
"""


class NewerTablesError(Exception):
    """The tables belong to a later version of this package."""


class LostBudgetError(Exception):
    """The tables of the budget were there, and are not any more."""


def is_enrolled(connection: Connection, project: str, quantity: str) -> bool:
    """Return whether the tables and the row of a budget exist. This locks nothing.

    Args:
        connection: A connection in a transaction.
        project: Name of the project.
        quantity: Quantity of the budget.

    Raises:
        NewerTablesError: The tables belong to a later version.
    """
    # Every run asks this at its start, and plain text takes SQLAlchemy no time.
    is_server = connection.dialect.name == "postgresql"
    if connection.scalar(text(_FIND_ON_SERVER if is_server else _FIND_IN_FILE), {"name": SESSIONS.name}) is None:
        return False  # this table is made as the last one
    version, budget = connection.execute(text(_FIND_BUDGET), {"project": project, "quantity": quantity}).one()
    if version > SCHEMA_VERSION:
        raise NewerTablesError
    return budget is not None


def make_tables(connection: Connection) -> None:
    """Make the tables unless they exist. Other processes may do the same at the same time.

    Args:
        connection: A connection in a transaction.

    Raises:
        NewerTablesError: The tables belong to a later version.
    """
    names = inspect(connection)
    if not all(names.has_table(table.name) for table in (SCHEMA, BUDGETS, SESSIONS)):
        if connection.dialect.name == "postgresql":  # SQLite's transaction has locked the file already
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY})
        METADATA.create_all(connection)
        if connection.scalar(select(func.max(SCHEMA.c.version))) is None:
            connection.execute(insert(SCHEMA).values(version=SCHEMA_VERSION))
    if (connection.scalar(select(func.max(SCHEMA.c.version))) or 0) > SCHEMA_VERSION:
        raise NewerTablesError


def enroll_budget(connection: Connection, project: str, quantity: str) -> None:
    """Add the row of a budget unless it exists.

    Args:
        connection: A connection in a transaction.
        project: Name of the project.
        quantity: Quantity of the budget.
    """
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = make(BUDGETS).values(project=project, quantity=quantity)
    connection.execute(row.on_conflict_do_nothing(index_elements=[BUDGETS.c.project, BUDGETS.c.quantity]))
