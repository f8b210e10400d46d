"""Opens the registry that a user names, which is files in the project's folder unless a URL says otherwise."""

from typing import Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.registry.files.registry import FilesRegistry
from green_callbacks.registry.protocol import BudgetRegistry
from green_callbacks.units import Quantity, described

_DATABASES: Final = ("sqlite", "postgresql", "postgres")
"""Databases that can be a registry, as their URLs begin."""
_EXAMPLES: Final = "'sqlite:///budget.db' or 'postgresql+psycopg://user@host/database'"


def check_registry_url(url: str) -> str:
    """Refuse a URL that can be no registry.

    Args:
        url: The URL of a database.

    Returns:
        The URL. It is complete, so that the working folder may change.

    Raises:
        ConfigurationError: The URL is of no known database, a package is missing, or SQLite's file would lie on a
            network file system. The message holds no password.

    Example:
        >>> check_registry_url("mysql://ada:secret@host/budgets")
        Traceback (most recent call last):
        green_callbacks.errors.ConfigurationError: The registry's URL begins with 'mysql'. Give a URL such as \
'sqlite:///budget.db' or 'postgresql+psycopg://user@host/database', or leave it out for files.
    """
    if not isinstance(url, str) or not url.strip():
        msg = f"registry is {described(url)}. Give a URL such as {_EXAMPLES}, or leave it out for files."
        raise ConfigurationError(msg)
    scheme, separator, _ = url.strip().partition("://")
    if not separator or scheme.partition("+")[0] not in _DATABASES:
        named = f"begins with {described(scheme)}" if separator else "does not begin like one"
        msg = f"The registry's URL {named}. Give a URL such as {_EXAMPLES}, or leave it out for files."
        raise ConfigurationError(msg)
    from green_callbacks.registry.sql import DatabaseAddress  # it needs packages of the extra "registry"

    address = DatabaseAddress(url.strip())
    address.check_file_system()
    return str(address.url.render_as_string(hide_password=False))  # an untyped value where SQLAlchemy is missing


def open_registry(url: str | None, project: str, quantity: Quantity) -> BudgetRegistry:
    """Open the registry of a project's budget. Nothing is read, written or asked before the first call of it.

    Args:
        url: URL of a database. None for files in the folder of the project.
        project: Folder or glob pattern of the project's ledgers. In a database it names the budget.
        quantity: Quantity of the budget.

    Returns:
        The registry.

    Raises:
        ConfigurationError: The URL can be no registry.

    Example:
        >>> from tempfile import mkdtemp
        >>> open_registry(None, mkdtemp(), "emissions_kg").runs()
        []
    """
    if url is None:
        return FilesRegistry(project, quantity)
    checked = check_registry_url(url)
    from green_callbacks.registry.sql import SqlRegistry

    return SqlRegistry(checked, project, quantity)
