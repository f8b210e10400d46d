"""The address of a database, of which nothing but the connection sees the password."""

import os
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

from green_callbacks.errors import ConfigurationError
from green_callbacks.registry.sql.file_system import network_file_system

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

VARIABLE: Final = "GREEN_CALLBACKS_REGISTRY"
"""Environment variable with the address of the registry."""

_STARS: Final = "***"
_IN_FRONT: Final = re.compile(r"(://[^:/?#@]*):.*@", re.DOTALL)
"""The user and the password. A raw ``@`` or ``/`` may be part of the password, so it ends at the last ``@``."""
_AS_OPTION: Final = re.compile(r"([?&](?:ssl)?password=)[^&#]*", re.IGNORECASE)
_SECRET_OPTIONS: Final = ("password", "sslpassword")
_POSTGRESQL: Final = ("postgresql", "postgres", "postgresql+psycopg")
_SQLITE: Final = ("sqlite", "sqlite+pysqlite")
_SHORTEST_SECRET: Final = 3
"""Shortest password that is looked for in foreign messages, in characters. A shorter one would mangle words."""


def hide_password(url: str) -> str:
    """Return an address without the password in it.

    Args:
        url: The address, which need not be a valid one.

    Returns:
        The address with three stars in place of each password.

    Example:
        >>> hide_password("postgresql+psycopg://ada:secret@db.example/budgets")
        'postgresql+psycopg://ada:***@db.example/budgets'
    """
    return _AS_OPTION.sub(rf"\g<1>{_STARS}", _IN_FRONT.sub(rf"\g<1>:{_STARS}@", url))


class DatabaseAddress:
    """The address of a database. Its texts never hold the password.

    A copy of the address in the same process keeps the password, and so does a process that is being spawned. Every
    other pickle leaves it out. The variable ``GREEN_CALLBACKS_REGISTRY`` or the file ``~/.pgpass`` then provides it.

    Args:
        url: An SQLite file, as in ``sqlite:///budget.db``, or a PostgreSQL database, as in
            ``postgresql+psycopg://user@host/database``. A relative path starts at the working folder of now.

    Raises:
        ConfigurationError: The address is no such address, or its packages are not installed.

    Example:
        >>> DatabaseAddress("postgresql://ada:secret@db.example/budgets")
        DatabaseAddress('postgresql+psycopg://ada:***@db.example/budgets')
    """

    def __init__(self, url: str) -> None:
        _require("sqlalchemy", "SQLAlchemy", url)
        parsed = _parsed(url)
        if parsed.drivername in _POSTGRESQL:
            _require("psycopg", "psycopg", url)
            parsed = parsed.set(drivername="postgresql+psycopg")
            _check_host(parsed, url)
        elif parsed.drivername in _SQLITE:
            parsed = parsed.set(drivername="sqlite", database=str(_file(parsed, url)))
        else:
            msg = f"{hide_password(url)!r} is no registry. Use a folder, sqlite:///FILE or postgresql+psycopg://HOST/NAME."
            raise ConfigurationError(msg)
        self.url: URL = parsed
        """The address for SQLAlchemy, with the password."""

    @property
    def file(self) -> Path | None:
        """The SQLite file, or None for a server."""
        return Path(self.url.database) if self.url.drivername == "sqlite" else None

    @property
    def shown(self) -> str:
        """The address for people, without the password."""
        return hide_password(self.url.render_as_string(hide_password=True))

    def check_file_system(self) -> None:
        """Refuse an SQLite file on a network file system.

        Raises:
            ConfigurationError: The file would lie on a network file system.
        """
        if self.file is not None and (kind := network_file_system(self.file)):
            msg = (
                f"{self.shown} lies on a network file system ({kind}), on which SQLite loses data. "
                "Use the files of the project's folder (no registry), or a PostgreSQL server."
            )
            raise ConfigurationError(msg)

    def scrubbed(self, text: str) -> str:
        """Return a text of a driver without the password in it.

        Args:
            text: The text.
        """
        given = [self.url.password or "", *(self.url.query.get(name, "") for name in _SECRET_OPTIONS)]
        secrets = [secret for found in given for secret in ((found,) if isinstance(found, str) else found) if secret]
        for secret in sorted(secrets, key=len, reverse=True):
            for form in (secret, quote(secret, safe=""), quote(secret), quote_plus(secret)):
                if len(form) >= _SHORTEST_SECRET:
                    text = text.replace(form, _STARS)
        return hide_password(text)

    def without_password(self) -> str:
        """Return the address as a text that a driver can use and that holds no password."""
        url, bare = self.url, type(self.url).create
        query = {name: value for name, value in url.query.items() if name not in _SECRET_OPTIONS}
        return str(bare(url.drivername, url.username, None, url.host, url.port, url.database, query))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.shown!r})"

    def __eq__(self, other: object) -> bool:
        return self.url == other.url if isinstance(other, DatabaseAddress) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.url)

    def __copy__(self) -> "DatabaseAddress":
        return self

    def __deepcopy__(self, memo: object) -> "DatabaseAddress":
        return self

    def __reduce__(self) -> tuple[Callable[[str], "DatabaseAddress"], tuple[str]]:
        # The standard library lets its own keys travel to a process that is being spawned, and nowhere else.
        spawning = sys.modules.get("multiprocessing.context")
        if spawning is not None and spawning.get_spawning_popen() is not None:
            return DatabaseAddress, (self.url.render_as_string(hide_password=False),)
        return _restored, (self.without_password(),)


def _restored(url: str) -> DatabaseAddress:
    """Return an address that was pickled without its password. The variable gives the password, if it fits."""
    bare = DatabaseAddress(url)
    if given := os.environ.get(VARIABLE, "").strip():
        try:
            variable = DatabaseAddress(given)
        except ConfigurationError:
            return bare
        if variable.without_password() == bare.without_password():
            return variable
    return bare


def _require(module: str, package: str, url: str) -> None:
    if find_spec(module) is None:
        shown = hide_password(url)
        msg = f'The registry {shown!r} needs {package}. Install it with: pip install "green-callbacks[registry]"'
        raise ConfigurationError(msg)


def _parsed(url: str) -> "URL":
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # the message may repeat a part of the password
        pass
    msg = (
        f"{hide_password(url)!r} is no address of a database. Write signs of a password as %40 (@), %3A (:) or %2F (/)."
    )
    raise ConfigurationError(msg)


def _check_host(parsed: "URL", url: str) -> None:
    if "@" in (parsed.host or ""):
        msg = f"The password in {hide_password(url)!r} holds the sign @. Write it as %40."
        raise ConfigurationError(msg)


def _file(parsed: "URL", url: str) -> Path:
    """Return the absolute path of an SQLite file. A training may change its working folder."""
    name = parsed.database or ""
    if not name or name.startswith((":memory:", "file:")) or parsed.query or parsed.host:
        msg = f"No other run can share {hide_password(url)!r}. Write sqlite:///FILE, without options."
        raise ConfigurationError(msg)
    return Path(os.path.abspath(Path(name).expanduser()))  # noqa: PTH100  it takes out "..", and asks no disk
