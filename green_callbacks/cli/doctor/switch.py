"""The variable that lets every ``Trainer`` of Lightning be monitored, and what it does not reach."""

from collections.abc import Mapping
from importlib import metadata
from typing import Final

from green_callbacks.cli.doctor.finding import Finding
from green_callbacks.configuration import SWITCH_VARIABLE, is_set
from green_callbacks.errors import ConfigurationError

_GROUPS: Final = {
    "lightning": "lightning.pytorch.callbacks_factory",
    "pytorch-lightning": "pytorch_lightning.callbacks_factory",
}
"""Group of entry points by the distribution that asks for it."""
_UNREACHED: Final = {"keras": "Keras", "transformers": "Transformers", "pytorch-ignite": "Ignite"}
"""Name of each framework that loads no callbacks of others, by its distribution."""
_FACTORY: Final = "green_callbacks.callbacks_factory"


def switch(environ: Mapping[str, str]) -> list[Finding]:
    """Find what ``GREEN_CALLBACKS=1`` does here.

    Args:
        environ: Environment variables.

    Returns:
        The findings. None where the variable is not set, or cannot be understood.
    """
    try:
        if not is_set(SWITCH_VARIABLE, environ):
            return []
    except ConfigurationError:  # the finding about the variable says so
        return []
    reached = [name for name in _GROUPS if _is_installed(name)]
    return [*(_reached(name) for name in reached), *_nothing(reached), *_unreached()]


def _reached(name: str) -> Finding:
    if any(each.value.startswith(_FACTORY) for each in metadata.entry_points(group=_GROUPS[name])):
        text = f"Every Trainer of {name} is monitored, unless the script has a monitor of its own."
        return Finding(topic="Switch", state="known", text=text, details={"distribution": name})
    text = f"{name} cannot find the monitor, because the installed package does not register it. Install it again."
    command = "pip install --force-reinstall --no-deps green-callbacks"
    details = {"distribution": name}
    return Finding(topic="Switch", state="attention", text=text, command=command, details=details)


def _nothing(reached: list[str]) -> list[Finding]:
    if reached:
        return []
    text = f"{SWITCH_VARIABLE} has no effect here, because Lightning is not installed."
    return [Finding(topic="Switch", state="attention", text=text, command=f"unset {SWITCH_VARIABLE}")]


def _unreached() -> list[Finding]:
    names = [title for name, title in _UNREACHED.items() if _is_installed(name)]
    if not names:
        return []
    text = (
        f"{' and '.join(names)} cannot load a callback that the script does not name. There, {SWITCH_VARIABLE} has no "
        "effect. Add EmissionsMonitor to the script."
    )
    return [Finding(topic="Switch", state="attention", text=text, details={"frameworks": names})]


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
