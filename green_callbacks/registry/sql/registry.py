"""A registry of a shared budget in a database."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from green_callbacks.registry.claim_checks import check_limit, checked_claim, checked_entry
from green_callbacks.registry.protocol import DEAD_SECONDS, Claim, Entry, RegisteredRun, Standing
from green_callbacks.registry.sql.address import DatabaseAddress
from green_callbacks.units import Quantity

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from green_callbacks.registry.sql._claims import LockedBudget
    from green_callbacks.registry.sql._database import Database

T = TypeVar("T")


class SqlRegistry:
    """The registry of one budget in an SQLite file or a PostgreSQL database.

    Its tables begin with ``green_callbacks_``, so that they may lie in the database of a study. The first call makes
    them. Nothing of the object shows the password.

    Args:
        url: Address of the database, such as ``sqlite:///budget.db`` or ``postgresql+psycopg://user@host/database``.
        project: Name of the project, which must be the same in all its runs.
        quantity: Quantity of the budget.

    Raises:
        ConfigurationError: The address cannot work, its packages are not installed, or SQLite's file would lie on a
            network file system.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     registry = SqlRegistry(f"sqlite:///{folder}/budget.db", "digits", "emissions_kg")
        ...     claim = Claim(run_id="first", session="a", spent=0.2, under_way=0.1, wanted=0.1, limit=2.0)
        ...     print(registry.claim(claim).left)
        2.0
    """

    def __init__(self, url: str | DatabaseAddress, project: str | os.PathLike[str], quantity: Quantity) -> None:
        self._address = url if isinstance(url, DatabaseAddress) else DatabaseAddress(url)
        self._address.check_file_system()
        self._project = _storable(os.fspath(project))
        self._quantity = quantity
        self._database: Database | None = None
        self._has_tables = False

    @property
    def address(self) -> str:
        """The address of the database, without the password."""
        return self._address.shown

    def claim(self, claim: Claim) -> Standing:
        """Settle the total of a run, and hold its expected spending, in one step.

        Args:
            claim: What the run tells.

        Returns:
            Where the budget stands.

        Raises:
            RegistryUnavailableError: The database does not answer, or refuses.
            ConfigurationError: The claim holds a value that is no amount.
        """
        from green_callbacks.registry.sql import _claims

        checked = _storable_claim(checked_claim(claim))
        return self._transact(
            lambda connection: _claims.settle_and_hold(connection, self._project, self._quantity, checked)
        )

    def enter(self, entries: Iterable[Entry]) -> None:
        """Enter the totals of runs that do not claim, as their ledgers tell them.

        Args:
            entries: The runs. The same run may be entered again with a new total.

        Raises:
            RegistryUnavailableError: The database does not answer, or refuses.
            ConfigurationError: An entry holds a value that is no amount.
        """
        from green_callbacks.registry.sql import _claims

        # Read them before the budget is locked, because an entry may come from a ledger that takes long to read.
        totals = {entry.run_id: entry for entry in map(_storable_entry, map(checked_entry, entries))}
        if totals:
            self._run(lambda connection, budget: _claims.enter(connection, budget, totals.values()))

    def runs(self) -> Sequence[RegisteredRun]:
        """Return all runs, in the order of their names.

        Raises:
            RegistryUnavailableError: The database does not answer, or refuses.
        """
        from green_callbacks.registry.sql import _claims

        return self._run(_claims.runs)

    def set_limit(self, limit: float | None) -> None:
        """Set the budget for all runs, whatever their scripts say.

        Args:
            limit: The budget, in its unit. None lets the scripts decide again.

        Raises:
            RegistryUnavailableError: The database does not answer, or refuses.
            ConfigurationError: No budget can have this limit.
        """
        from green_callbacks.registry.sql import _claims

        check_limit(limit)
        self._run(lambda connection, budget: _claims.set_limit(connection, budget, limit))

    def set_limit_now(self) -> float | None:
        """Return the limit that was set, or None.

        Raises:
            RegistryUnavailableError: The database does not answer, or refuses.
        """
        return self._run(lambda _connection, budget: budget.set_limit)

    def settle_dead(self, silent_seconds: float | None = None) -> Sequence[RegisteredRun]:
        """Let what silent runs hold count as spent.

        Args:
            silent_seconds: Time since the last claim, in s, from which on a run counts as dead. Defaults to
                :data:`~green_callbacks.registry.DEAD_SECONDS`.

        Returns:
            The runs that were settled now.

        Raises:
            RegistryUnavailableError: The database does not answer, or refuses.
        """
        from green_callbacks.registry.sql import _claims

        seconds = DEAD_SECONDS if silent_seconds is None else silent_seconds
        return self._run(lambda connection, budget: _claims.settle_dead(connection, budget, seconds))

    def close(self) -> None:
        """Let go of the connection. A later call makes a new one."""
        if self._database is not None:
            self._database.close()

    def _run(self, work: "Callable[[Connection, LockedBudget], T]") -> T:
        """Lock the budget, and work on it in the same transaction."""
        from green_callbacks.registry.sql import _claims

        return self._transact(
            lambda connection: work(connection, _claims.lock(connection, self._project, self._quantity))
        )

    def _transact(self, work: "Callable[[Connection], T]") -> T:
        from green_callbacks.registry.sql._database import Database

        if self._database is None:
            self._database = Database(self._address)
        if not self._has_tables:
            self._enroll(self._database)
        self._has_tables = False  # until the call has succeeded, because someone may have dropped the tables
        result = self._database.run(work)
        self._has_tables = True
        return result

    def _enroll(self, database: "Database") -> None:
        """Make the tables and the row of the budget. A run that comes later locks nothing for this."""
        from green_callbacks.registry.sql import _tables

        def is_enrolled(connection: "Connection") -> bool:
            return _tables.is_enrolled(connection, self._project, self._quantity)

        def enroll(connection: "Connection") -> None:
            if not is_enrolled(connection):  # others that began at the same time may have done it
                _tables.make_tables(connection)
                _tables.enroll_budget(connection, self._project, self._quantity)

        if not database.run(is_enrolled, is_reading=True):
            database.run(enroll)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address!r}, {self._project!r}, {self._quantity!r})"

    def __copy__(self) -> "SqlRegistry":
        return SqlRegistry(self._address, self._project, self._quantity)

    def __deepcopy__(self, memo: object) -> "SqlRegistry":
        return self.__copy__()

    def __reduce__(self) -> tuple[type["SqlRegistry"], tuple[DatabaseAddress, str, Quantity]]:
        return SqlRegistry, (self._address, self._project, self._quantity)


def _storable(text: str) -> str:
    """Return a text that databases keep. Names of files may hold bytes that are no text, and no text holds a null."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def _storable_claim(claim: Claim) -> Claim:
    return replace(
        claim,
        run_id=_storable(claim.run_id),
        session=_storable(claim.session),
        host=_storable(claim.host),
        ledger=_storable(claim.ledger),
    )


def _storable_entry(entry: Entry) -> Entry:
    return entry._replace(run_id=_storable(entry.run_id), ledger=_storable(entry.ledger), host=_storable(entry.host))
