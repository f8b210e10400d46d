"""The failures of databases and their drivers, told in one sentence with the remedy and without the password."""

import sqlite3
from typing import Final

from green_callbacks.registry.protocol import RegistryUnavailableError
from green_callbacks.registry.sql.address import DatabaseAddress

_LONGEST_WORDS: Final = 200
"""Longest text of a driver in a message, in characters."""

_BY_STATE: Final = {
    "25006": "only reads here, so give the address of the server that writes",
    "25P03": "has given up a transaction that stood still, so look whether this process was stopped",
    "28000": "lets nobody in with this user from here, so correct the user, or pg_hba.conf on the server",
    "28P01": "refuses the password, so correct the variable GREEN_CALLBACKS_REGISTRY or the file ~/.pgpass",
    "3D000": "has no database of this name, so make it with createdb, or correct the name",
    "42501": "lacks a right, so let its owner grant CREATE on the schema, and SELECT, INSERT and UPDATE on the tables",
    "42P01": "has lost its tables, so the next claim makes them anew, without the runs that have ended",
    "53100": "has no space left on its disk, so make room",
    "53300": "has no connection left, so raise max_connections of the server, or put PgBouncer before it",
    "55P03": "has been locked for too long, so look for a process that has stopped in a transaction",
    "57014": "has been busy for too long, so look for a process that has stopped in a transaction",
    "57P01": "has closed the connection, so start the server if it has ended",
    "57P03": "is starting or stopping, so wait a moment",
}
"""Sentences by SQLSTATE (PostgreSQL manual, appendix A)."""

_BY_WORDS: Final = {
    "password authentication failed": "28P01",
    "no password supplied": "28P01",
    "pg_hba.conf": "28000",
    "too many c": "53300",  # clients of the server, connections of a user or of a database
    'role "': "28000",
    'database "': "3D000",
    "remaining connection slots": "53300",
    "idle-in-transaction": "25P03",
    "closed the connection": "57P01",
    "starting up": "57P03",
    "shutting down": "57P03",
}
"""SQLSTATE by words of a refused connection, for which the driver tells no state."""

_BY_CODE: Final = {
    sqlite3.SQLITE_BUSY: "has been locked for too long, so look for a process that has stopped",
    sqlite3.SQLITE_READONLY: "may only be read, so allow this user to write the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened, so make its folder, and allow this user to write there",
    sqlite3.SQLITE_FULL: "has no space left on its disk, so make room",
    sqlite3.SQLITE_NOTADB: "is no SQLite file, so give another path",
    sqlite3.SQLITE_CORRUPT: "is damaged, so move it away, and the next claim makes a new one",
    sqlite3.SQLITE_PERM: "may not be used, so allow this user to write the file and its folder",
    sqlite3.SQLITE_IOERR: "fails on its disk, so use the files of the project's folder (no registry), or PostgreSQL",
}
"""Sentences by the result code of SQLite (sqlite.org/rescode.html)."""

_BY_NAME: Final = {
    "WriteAheadError": "cannot write ahead here, so use the files of the project's folder (no registry), or PostgreSQL",
    "NewerTablesError": "has tables of a later green_callbacks, so update this one",
    "LostBudgetError": _BY_STATE["42P01"],
}
"""Sentences by the name of our own exceptions."""

_UNRESOLVED: Final = ("resolve", "translate host name", "not known", "Name or service")
_REFUSED: Final = ("Connection refused", "No such file or directory", "timeout expired", "Network is unreachable")


def unavailable(address: DatabaseAddress, error: BaseException, *, is_late: bool) -> RegistryUnavailableError:
    """Return the exception that a caller gets instead of a driver's exception.

    Args:
        address: Address of the database.
        error: Exception of the driver, or of SQLAlchemy around it.
        is_late: Whether the call was ended because it took too long.
    """
    cause = getattr(error, "orig", None) or error
    what = "does not answer in time, so look whether it is frozen or overloaded" if is_late else _sentence(cause)
    if not what:
        words = address.scrubbed(" ".join(str(cause).split()))[:_LONGEST_WORDS]
        what = f"does not answer, so start it, or correct its address ({words})"
    return RegistryUnavailableError(f"The registry {address.shown} {what}.")


def _sentence(cause: BaseException) -> str:
    if (own := _BY_NAME.get(type(cause).__name__)) is not None:
        return own
    if isinstance(cause, sqlite3.Error):
        if "no such table" in str(cause):
            return _BY_STATE["42P01"]
        return _BY_CODE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF, "")  # the low byte is the primary code
    state = getattr(cause, "sqlstate", None)
    if state is None:
        words = str(cause)
        if any(known in words for known in _UNRESOLVED):
            return "has a host that cannot be found, so correct its name"
        if any(known in words for known in _REFUSED):
            return "is not there, so start the server, or correct host and port"
        state = next((found for known, found in _BY_WORDS.items() if known in words), "")
    return _BY_STATE.get(state, "")
