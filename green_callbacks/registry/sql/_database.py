"""Connections to a database, bounded in time, and never shared with a child process."""

import os
import socket
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from green_callbacks.registry.protocol import RegistryUnavailableError
from green_callbacks.registry.sql._failures import unavailable
from green_callbacks.registry.sql._statements import DriverError, prepare
from green_callbacks.registry.sql._tables import LostBudgetError, NewerTablesError
from green_callbacks.registry.sql.address import DatabaseAddress

BUSY_SECONDS: Final = 30.0
"""Longest wait for a lock of SQLite, in s. By experiment, 64 processes in a closed loop waited 1.4 s at the 99th
percentile, and SQLite lets some wait far longer than others."""
CONNECT_SECONDS: Final = 30
"""Longest wait for a connection to PostgreSQL, in s. Connecting takes up to four answers, and each may take 5 s."""
STATEMENT_SECONDS: Final = 30
"""Longest time of one statement of PostgreSQL, in s, its wait for a lock included. A claim takes milliseconds."""
CALL_SECONDS: Final = 120.0
"""Longest time of a call to PostgreSQL, in s. A frozen server would otherwise hold the call forever."""
IDLE_SECONDS: Final = 10.0
"""Time between two calls, in s, above which no connection is kept. A server has 100 connections unless it is told
otherwise, and searches have more runs."""
_RETRY_SECONDS: Final = 0.05
"""Wait before SQLite is asked again to write ahead, in s. Another process holds the file for milliseconds."""
_MILLISECONDS: Final = 1_000
"""ms per s."""
_KEEPALIVE: Final = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""When the system probes a silent server, in s and in probes. It notices within a minute that a server lost power."""

T = TypeVar("T")

_inherited: Final[list[Engine]] = []
"""Engines of the parent process. A child keeps them, because to drop them could close the parent's connections."""


class WriteAheadError(Exception):
    """SQLite cannot write ahead on this file system."""


_OWN_ERRORS: Final = (WriteAheadError, NewerTablesError, LostBudgetError)


class Database:
    """Runs transactions, one at a time, and tells every failure in one sentence.

    Args:
        address: Address of the database.
    """

    def __init__(self, address: DatabaseAddress) -> None:
        self._address = address
        self._engine: Engine | None = None
        self._pid = 0
        self._wire: Any = None
        self._identity: tuple[int, int] | None = None
        self._begin = "BEGIN"
        self._is_late = False
        self._last_call = float("inf")

    def run(self, work: Callable[[Connection], T], *, is_reading: bool = False) -> T:
        """Run work in one transaction.

        Args:
            work: Reads and writes by the connection that it gets.
            is_reading: Whether the work only reads, and needs no lock. Defaults to False.

        Returns:
            The result of the work.

        Raises:
            RegistryUnavailableError: The database does not answer, or refuses.
        """
        failure: RegistryUnavailableError
        self._begin = "BEGIN" if is_reading else "BEGIN IMMEDIATE"
        try:
            with self._bounded():
                return self._in_transaction(work)
        except (SQLAlchemyError, sqlite3.Error, DriverError, OSError, *_OWN_ERRORS) as error:
            failure = unavailable(self._address, error, is_late=self._is_late)
        # Raised out here, the failure has no context, whose frames would hold the password.
        self.close()
        raise failure

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        engine = self._current_engine()
        prepare(engine.dialect.name)
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(_LIMITS)
            return work(connection)

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """End a call that takes too long, and close the connection after a call that came after a long pause."""
        self._is_late = False
        now = time.monotonic()
        is_rare, self._last_call = now - self._last_call > IDLE_SECONDS, now
        timer = threading.Timer(CALL_SECONDS, self._cut)
        timer.daemon = True
        if self._address.file is None:
            timer.start()
        try:
            yield
        finally:
            timer.cancel()
            if is_rare:
                self.close()

    def _cut(self) -> None:
        """Cut the connection under a call that waits for a frozen server. The driver then sees its end."""
        self._is_late = True
        with suppress(SQLAlchemyError, OSError, AttributeError):  # no connection yet, or none any more
            wire = socket.socket(fileno=os.dup(self._wire.fileno()))
            with wire:
                wire.shutdown(socket.SHUT_RDWR)

    def _current_engine(self) -> Engine:
        if self._engine is not None and self._pid != os.getpid():
            _inherited.append(self._engine)
            self._engine = self._wire = None
        if self._engine is None:
            self._engine, self._pid = self._new_engine(), os.getpid()
        elif self._address.file is not None and _identity(self._address.file) != self._identity:
            self.close()  # another file lies there, and what is written to the old one is lost
        return self._engine

    def _new_engine(self) -> Engine:
        at_most_one = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": CALL_SECONDS}
        if self._address.file is not None:
            options: dict[str, object] = {"timeout": BUSY_SECONDS, "check_same_thread": False}
            engine = create_engine(self._address.url, connect_args=options, **at_most_one)
            event.listen(engine, "connect", self._open_file)
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(self._begin))
            return engine
        wanted = {"connect_timeout": CONNECT_SECONDS, "application_name": "green-callbacks", **_KEEPALIVE}
        # Prepared statements would outlive their connection behind a pool of connections such as PgBouncer.
        options = {"prepare_threshold": None} | {k: v for k, v in wanted.items() if k not in self._address.url.query}
        isolation = "READ COMMITTED"  # every statement after the lock must see what others wrote before it
        engine = create_engine(
            self._address.url, pool_pre_ping=True, isolation_level=isolation, connect_args=options, **at_most_one
        )
        own = weakref.ref(self)  # SQLAlchemy keeps a dialect, and so its listeners, beyond the engine
        event.listen(engine, "do_connect", lambda *asked: own().connect(*asked))  # type: ignore[union-attr]
        return engine

    def _open_file(self, connection: sqlite3.Connection, _record: object) -> None:
        self._identity = _identity(self._address.file)
        _write_ahead(connection)

    def connect(self, dialect: Any, _record: object, arguments: Any, options: Any) -> object:  # noqa: ANN401  untyped
        """Connect to the server when SQLAlchemy asks for it.

        Args:
            dialect: The dialect of SQLAlchemy, which knows the driver.
            arguments: Arguments for the driver.
            options: Further arguments by their names.

        Raises:
            TimeoutError: The call has been ended.
        """
        if self._is_late:  # the pool connects anew when its connection was cut, and would wait once more
            raise TimeoutError
        self._wire = dialect.connect(*arguments, **options)
        return self._wire

    def close(self) -> None:
        """Let go of the connection. The next call makes a new one."""
        if self._engine is not None and self._pid == os.getpid():
            with suppress(SQLAlchemyError, sqlite3.Error, OSError):  # it is gone either way
                self._engine.dispose()
            self._wire = None

    def __del__(self) -> None:
        self.close()


_LIMITS: Final = text(
    f"SELECT set_config('statement_timeout', '{STATEMENT_SECONDS * _MILLISECONDS}', true), "
    f"set_config('lock_timeout', '{STATEMENT_SECONDS * _MILLISECONDS}', true), "
    f"set_config('idle_in_transaction_session_timeout', '{STATEMENT_SECONDS * _MILLISECONDS}', true)"
)
"""Bounds of this transaction. They end with it, so that a shared pool of connections gives them to nobody else."""


def _identity(file: Path | None) -> tuple[int, int] | None:
    """Return what tells a file from another file at the same place, or None if there is none."""
    try:
        found = os.stat(file or "")  # noqa: PTH116  as short as it can be
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Let readers and writers of an SQLite file not wait for one another, which the file then keeps."""
    connection.isolation_level = None  # the driver would begin transactions of its own
    connection.execute("PRAGMA synchronous = NORMAL")
    deadline = time.monotonic() + BUSY_SECONDS
    while (mode := _journal_mode(connection)) != "wal":
        if mode != "locked" or time.monotonic() > deadline:
            raise WriteAheadError
        time.sleep(_RETRY_SECONDS)


def _journal_mode(connection: sqlite3.Connection) -> str:
    """Return the mode of the journal after asking for WAL, or "locked". SQLite does not wait for this lock."""
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.OperationalError as failure:
        if getattr(failure, "sqlite_errorcode", None) not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise
        return "locked"
    return str(mode)
