"""The place of the file of a report, as the user names it."""

import os
from pathlib import Path

from green_callbacks.accountant.presence.live_places import absolute
from green_callbacks.errors import ConfigurationError
from green_callbacks.units import described


def named_file(given: object) -> Path | None:
    """Return the absolute path of a file that the user names, because the working folder may change until the end.

    Args:
        given: The path. None if the user names none.

    Raises:
        ConfigurationError: It is no path of a file on this machine.

    Example:
        >>> named_file("report.json").is_absolute()
        True
    """
    if given is None:
        return None
    named = os.fspath(given) if isinstance(given, str | os.PathLike) else b""
    if not isinstance(named, str) or not named.strip() or "://" in named or "\0" in named:
        msg = f"path= takes the path of a file on this machine, not {described(given)}."
        raise ConfigurationError(msg)
    path = absolute(os.path.expanduser(named))  # noqa: PTH111  Path's raises where there is no home
    if os.path.isdir(path) or named.endswith(("/", os.sep)):  # noqa: PTH112  never raises
        msg = f"path= names the folder {described(named)}. Name a file in it, such as report.json."
        raise ConfigurationError(msg)
    return path
