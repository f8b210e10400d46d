"""One file of settings, in TOML."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from green_callbacks.configuration.amounts import checked_budget, checked_path, checked_registry
from green_callbacks.configuration.labels import checked_labels
from green_callbacks.errors import ConfigurationError
from green_callbacks.small_files import read_whole
from green_callbacks.units import described

_BYTE_ORDER_MARK: Final = "\ufeff"

Check = Callable[[Any, str], Any]


def read_file(path: Path) -> Mapping[str, Any]:
    """Read the settings of a file, of any type.

    Args:
        path: The file.

    Returns:
        The values by key. Empty if the file is.

    Raises:
        ConfigurationError: The file cannot be read, or is not TOML. The message names it.
    """
    try:
        text = read_whole(path).removeprefix(_BYTE_ORDER_MARK)
    except OSError as failure:
        raise _wrong(path, f"it cannot be read ({failure.strerror or failure})") from failure
    except UnicodeDecodeError as failure:
        raise _wrong(path, "it is not in UTF-8. Save it as UTF-8") from failure
    return _parse(text, path) if text.strip() else {}


def checked_values(values: Mapping[str, Any], path: Path) -> Iterator[tuple[str, Any]]:
    """Return the settings of a file, or what is wrong with them.

    Args:
        values: The values by key.
        path: The file.

    Yields:
        A key with its value, or with the error that it is to be refused with.
    """
    for key, value in values.items():
        try:
            check = _CHECKS.get(key)
            if check is None:
                yield key, _wrong(path, f"{described(key)} is none of {', '.join(_CHECKS)}")
            else:
                yield key, check(value, f"{key} in {path}")
        except ConfigurationError as fault:
            yield key, fault
        except TypeError as fault:
            yield key, _wrong(path, str(fault))


def _parse(text: str, path: Path) -> Mapping[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as failure:  # also of a number of thousands of digits
        raise _wrong(path, f"it is not TOML ({failure})") from failure


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        msg = f"{where.partition(' in ')[0]} is a text, not {described(value)}"
        raise TypeError(msg)
    return value


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"{where.partition(' in ')[0]} is a number, not {described(value)}"
        raise TypeError(msg)
    return value


def _budget(value: object, where: str) -> str:
    return checked_budget(_text(value, where), where)


def _path(value: object, where: str, other_way: str = "") -> str:
    path = checked_path(_text(value, where), where)
    if path and not Path(path).is_absolute():
        msg = (
            f"{where} is {described(value)}, a path that depends on the working folder. "
            f"Write the full path of a folder, or begin with ~.{other_way}"
        )
        raise ConfigurationError(msg)
    return path


def _project(value: object, where: str) -> str:
    return _path(value, where, " The name of a project in a database belongs into GREEN_CALLBACKS_PROJECT.")


def _registry(value: object, where: str) -> str:
    return checked_registry(_text(value, where), where)


_CHECKS: Final[Mapping[str, Check]] = {
    "location": _text,
    "carbon_intensity": _number,
    "pue": _number,
    "labels": checked_labels,
    "budget": _budget,
    "project": _project,
    "ledger_folder": _path,
    "registry": _registry,
}


def _wrong(path: Path, fault: str) -> ConfigurationError:
    return ConfigurationError(f"Cannot read the configuration {path}, because {fault}.")
