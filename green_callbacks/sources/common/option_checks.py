"""Checks of the options of sources."""

import os
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from green_callbacks.errors import ConfigurationError
from green_callbacks.units import described


def checked_names(names: object, what: str, example: str) -> tuple[str, ...] | None:
    """Return names of devices, or None where none are given.

    Args:
        names: The given value.
        what: Beginning of the message, with the option and its content.
        example: An example of a name.

    Raises:
        ConfigurationError: The value is no list of texts.
    """
    if names is None:
        return None
    if isinstance(names, Sequence | AbstractSet) and not isinstance(names, str | bytes):
        found = tuple(names)
        if all(isinstance(each, str) and each for each in found):
            return found
    msg = f"{what}, such as [{example!r}], not {described(names)}."
    raise ConfigurationError(msg)


def checked_name(name: object, what: str) -> str:
    """Return a text that names something.

    Args:
        name: The given value.
        what: Name of the option.

    Raises:
        ConfigurationError: The value is no text, or is blank.
    """
    if isinstance(name, str) and name.strip():
        return name
    msg = f"{what} must be a text, not {described(name)}."
    raise ConfigurationError(msg)


def checked_path(path: object, what: str) -> Path:
    """Return the path of a file or a folder.

    Args:
        path: The given value.
        what: Name of the option.

    Raises:
        ConfigurationError: The value is no path.
    """
    if isinstance(path, str | os.PathLike) and isinstance(os.fspath(path), str) and os.fspath(path):
        return Path(path)
    msg = f"{what} must be a path, not {described(path)}."
    raise ConfigurationError(msg)
