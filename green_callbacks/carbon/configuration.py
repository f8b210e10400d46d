"""The user's settings for all runs, in ``~/.config/green_callbacks/config.toml``.

::

    location = "DE"            # as in EnergyAccountant, or "cloud"
    carbon_intensity = 35.5    # gCO2e/kWh, for a machine with a contract or panels of its own
    pue = 1.2
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.small_files import read_whole
from green_callbacks.units import described

_BYTE_ORDER_MARK: Final = "\ufeff"
_KEYS: Final[dict[str, tuple[type, ...]]] = {"location": (str,), "carbon_intensity": (int, float), "pue": (int, float)}


@dataclass(frozen=True, slots=True)
class Configuration:
    """The user's settings.

    Attributes:
        path: The file. None if the environment names no home folder.
        location: A place. None if the file has no such setting.
        carbon_intensity: Carbon intensity in gCO2e/kWh. None if the file has no such setting.
        pue: Power usage effectiveness. None if the file has no such setting.

    Example:
        >>> Configuration(location="DE").pue is None
        True
    """

    path: Path | None = None
    location: str | None = None
    carbon_intensity: float | None = None
    pue: float | None = None


def configuration_path(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the path of the user's settings.

    Args:
        environ: Environment variables. Defaults to ``os.environ``.

    Returns:
        ``green_callbacks/config.toml`` in ``XDG_CONFIG_HOME`` if that is an absolute path, or else in ``~/.config``.
        None without a home folder.
    """
    folder = environ.get("XDG_CONFIG_HOME", "")
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if Path(folder).is_absolute():  # the XDG Base Directory Specification ignores relative paths
        return Path(folder, "green_callbacks", "config.toml")
    return Path(home, ".config", "green_callbacks", "config.toml") if home else None


def read_configuration(environ: Mapping[str, str] = os.environ) -> Configuration:
    """Read the user's settings.

    Args:
        environ: Environment variables. Defaults to ``os.environ``.

    Returns:
        The settings. They are empty if there is no file, or if this user may not see it.

    Raises:
        ConfigurationError: The file cannot be read, is not TOML, or holds an unknown option. The message names the
            file.

    Example:
        >>> read_configuration({"HOME": "/nowhere"}).location is None
        True
    """
    path = configuration_path(environ)
    if path is None or not os.path.exists(path):  # noqa: PTH110  this never raises
        return Configuration()
    try:
        text = read_whole(path).removeprefix(_BYTE_ORDER_MARK)
    except OSError as failure:
        raise _wrong(path, f"it cannot be read ({failure.strerror or failure})") from failure
    except UnicodeDecodeError as failure:
        raise _wrong(path, "it is not in UTF-8. Save it as UTF-8") from failure
    return _parse(text, path) if text.strip() else Configuration(path)


def _parse(text: str, path: Path | None) -> Configuration:
    import tomllib

    try:
        fields = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as failure:
        raise _wrong(path, f"it is not TOML ({failure})") from failure
    for name, value in fields.items():
        if name not in _KEYS:
            raise _wrong(path, f"{name!r} is none of {', '.join(_KEYS)}")
        if isinstance(value, bool) or not isinstance(value, _KEYS[name]):
            kind = "a text" if name == "location" else "a number"
            raise _wrong(path, f"{name} is {kind}, not {described(value)}")
    return Configuration(path, **fields)


def _wrong(path: Path | None, fault: str) -> ConfigurationError:
    return ConfigurationError(f"Cannot read the configuration {path}, because {fault}.")
