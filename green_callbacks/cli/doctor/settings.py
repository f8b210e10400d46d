"""The files of settings that a run started here would read, and what they say."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from green_callbacks.accountant.setup.configured_budget import configured_budget
from green_callbacks.cli.doctor.finding import Finding
from green_callbacks.configuration import Configuration, Setting, Shadowed, read_configuration
from green_callbacks.errors import ConfigurationError
from green_callbacks.registry.sql import hide_password

_TOPIC = "Configuration"


def read_settings(environ: Mapping[str, str], etc: Path) -> Configuration | Finding:
    """Read the settings of variables and files.

    Args:
        environ: Environment variables.
        etc: Folder of the machine's configuration.

    Returns:
        The settings. A finding where a run would refuse them.
    """
    try:
        return read_configuration(environ, etc=etc)
    except ConfigurationError as error:
        text = f"{error} No run starts until then."
        return Finding(topic=_TOPIC, state="attention", text=text, details={"is_refused": True})


def settings(said: Configuration) -> list[Finding]:
    """Find which file says what, what has no effect, and what was ignored.

    Args:
        said: The settings, after all of them were checked.

    Returns:
        The findings. None where there are no files and no budget.
    """
    budget = configured_budget(said)
    return [
        *(_file(path, said) for path in said.files),
        *map(_shadowed, said.shadowed),
        *_budget(budget.origin if budget else None),
        *(Finding(topic=_TOPIC, state="attention", text=sentence) for sentence in dict.fromkeys(said.faults)),
    ]


def _file(path: Path, said: Configuration) -> Finding:
    found = [each for each in said.settings if each.origin == str(path)]
    text = f"{path} says {', '.join(map(_written, found))}." if found else f"{path} says nothing that counts."
    details = {"file": str(path), "kind": found[0].kind if found else None, "says": {e.key: _shown(e) for e in found}}
    return Finding(topic=_TOPIC, state="known", text=text, details=details)


def _written(setting: Setting) -> str:
    if setting.key == "labels":
        return "labels " + " and ".join(f"{name} = {label!r}" for name, label in setting.value.items())
    return f"{setting.key} = {_shown(setting)!r}"


def _shadowed(shadowed: Shadowed) -> Finding:
    setting, by = shadowed
    text = f"{_written(setting)} of {setting.origin} has no effect, because {by.origin} says {_written(by)}."
    details = {"key": setting.key, "origin": setting.origin, "value": _shown(setting), "shadowed_by": by.origin}
    return Finding(topic=_TOPIC, state="attention", text=text, details=details)


def _budget(origin: str | None) -> Iterator[Finding]:
    if origin is not None:
        yield Finding(topic="Budget", state="known", text=origin)


def _shown(setting: Setting) -> Any:  # noqa: ANN401  as in the setting
    """Return the value of a setting, without the password of a registry."""
    return hide_password(setting.value) if setting.key == "registry" else setting.value
