"""The projects whose budgets a database holds."""

from typing import TYPE_CHECKING, get_args

from green_callbacks.errors import ConfigurationError
from green_callbacks.registry.sql.address import DatabaseAddress
from green_callbacks.units import Quantity

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def budgets_in(url: str) -> list[tuple[str, Quantity]]:
    """Return the budgets of a database, and change nothing in it.

    Args:
        url: Address of the database.

    Returns:
        For each budget, the name of its project and its quantity. Empty for a database without such tables.

    Raises:
        ConfigurationError: The address cannot work, or there is no such SQLite file.
        RegistryUnavailableError: The database does not answer, or refuses.
    """
    address = DatabaseAddress(url)
    if address.file is not None and not address.file.is_file():
        msg = f"There is no file {address.file}. A run with registry='{address.shown}' makes it."
        raise ConfigurationError(msg)
    from green_callbacks.registry.sql._database import Database

    database = Database(address)
    try:
        return database.run(_budgets)
    finally:
        database.close()


def _budgets(connection: "Connection") -> list[tuple[str, Quantity]]:
    from sqlalchemy import inspect, select

    from green_callbacks.registry.sql._tables import BUDGETS

    if not inspect(connection).has_table(BUDGETS.name):
        return []
    quantities = {str(each): each for each in get_args(Quantity)}
    rows = connection.execute(select(BUDGETS.c.project, BUDGETS.c.quantity).order_by(BUDGETS.c.project)).all()
    return [(row.project, quantities[row.quantity]) for row in rows if row.quantity in quantities]
