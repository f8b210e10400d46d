"""Reads variables and files, and puts them in the order in which they count."""

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from green_callbacks.configuration.amounts import checked_budget, checked_path, checked_registry
from green_callbacks.configuration.labels import parsed_labels
from green_callbacks.configuration.settings import NONE, Configuration, Setting
from green_callbacks.configuration.toml_file import checked_values, read_file
from green_callbacks.configuration.variables import (
    BUDGET_VARIABLE,
    CONFIG_VARIABLE,
    INTENSITY_VARIABLE,
    LABELS_VARIABLE,
    LEDGER_FOLDER_VARIABLE,
    LOCATION_VARIABLE,
    PROJECT_VARIABLE,
    PUE_VARIABLE,
    REGISTRY_VARIABLE,
)
from green_callbacks.errors import ConfigurationError
from green_callbacks.units import described

_NAME: Final = Path("green_callbacks", "config.toml")
_ETC: Final = Path("/etc")

_SETTINGS: Final[Mapping[str, tuple[str, Callable[[str, str], Any]]]] = {
    LOCATION_VARIABLE: ("location", lambda text, _: text),
    INTENSITY_VARIABLE: ("carbon_intensity", lambda text, _: text),
    PUE_VARIABLE: ("pue", lambda text, _: text),
    LABELS_VARIABLE: ("labels", parsed_labels),
    BUDGET_VARIABLE: ("budget", checked_budget),
    PROJECT_VARIABLE: ("project", checked_path),
    LEDGER_FOLDER_VARIABLE: ("ledger_folder", checked_path),
    REGISTRY_VARIABLE: ("registry", checked_registry),
}
"""Key and parser of each variable that holds a setting."""


class _File(NamedTuple):
    """A file that may hold settings."""

    path: Path
    kind: Literal["user", "site"]


def read_configuration(environ: Mapping[str, str] = os.environ, *, etc: Path | None = None) -> Configuration:
    """Read the settings of variables and files.

    Args:
        environ: Environment variables. Defaults to ``os.environ``.
        etc: Folder of the machine's configuration. Defaults to ``/etc``.

    Returns:
        The settings. There are none of a file that does not exist, or that this user may not see. A fault in a file of
        the site is noted, and the rest counts.

    Raises:
        ConfigurationError: A variable cannot be parsed. Or a file of the user cannot be read, is not TOML, or holds an
            unknown key. The message names the variable or the file.

    Example:
        >>> read_configuration({"HOME": "/nowhere", "GREEN_CALLBACKS_PUE": "1.2"}).first("pue").value
        '1.2'
    """
    faults: list[str] = []
    found = Configuration(faults=faults)
    settings = [*_of_variables(environ)]
    files = []
    for level, file in enumerate(_files(environ, etc or _ETC), 1):
        files.append(file.path)
        settings.extend(_of_file(file, level, found))
    return Configuration(tuple(settings), tuple(files), faults)


def _of_variables(environ: Mapping[str, str]) -> Iterator[Setting]:
    for variable, (key, parse) in _SETTINGS.items():
        text = environ.get(variable, "").strip()
        if text:
            yield Setting(key, parse(text, variable), variable, "variable", 0)


def _of_file(file: _File, level: int, found: Configuration) -> Iterator[Setting]:
    make = partial(Setting, origin=str(file.path), kind=file.kind, level=level)
    try:
        values = read_file(file.path)
    except ConfigurationError as fault:
        found.refuse(make("file", ""), fault)
        return
    for key, value in checked_values(values, file.path):
        setting = make(key, value)
        if isinstance(value, ConfigurationError):
            found.refuse(setting, value)
        else:
            yield setting


def _files(environ: Mapping[str, str], etc: Path) -> Iterator[_File]:
    """Return the files that exist, in the order in which they count."""
    seen: set[Path] = set()
    for file in _places(environ, etc):
        is_there = os.path.exists(file.path) or os.path.islink(file.path)  # noqa: PTH110, PTH114  they never raise
        if file.path not in seen and is_there:  # a link to nowhere holds settings that do not count
            seen.add(file.path)
            yield file


def _places(environ: Mapping[str, str], etc: Path) -> Iterator[_File]:
    named = environ.get(CONFIG_VARIABLE, "").strip()
    users = _users_file(environ) if not named else _named_file(named)
    if users is not None:
        yield _File(users, "user")
    # The XDG Base Directory Specification names these folders, and ignores relative paths.
    folders = environ.get("XDG_CONFIG_DIRS", "") or str(etc / "xdg")
    for folder in filter(os.path.isabs, folders.split(os.pathsep)):
        yield _File(Path(folder) / _NAME, "site")
    yield _File(etc / _NAME, "site")


def _users_file(environ: Mapping[str, str]) -> Path | None:
    folder = environ.get("XDG_CONFIG_HOME", "")
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if Path(folder).is_absolute():
        return Path(folder) / _NAME
    return Path(home, ".config") / _NAME if home else None


def _named_file(named: str) -> Path | None:
    """Return the file that a variable names. None if it names none, or the null device."""
    if named.lower() == NONE or named == os.devnull:
        return None
    path = Path(os.path.expanduser(named))  # noqa: PTH111  Path's raises where there is no home
    if "\0" in named or not os.path.exists(path):  # noqa: PTH110  this never raises
        msg = f"{CONFIG_VARIABLE} names {described(named)}, which this user cannot find. Correct the path, or unset it."
        raise ConfigurationError(msg)
    return path
