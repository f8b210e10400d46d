"""Whether TensorBoard would show the tab *Carbon*."""

import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from green_callbacks.cli.doctor.finding import Finding

_TOPIC: Final = "TensorBoard"
_GROUP: Final = "tensorboard_plugins"
_OURS: Final = "green_callbacks.tensorboard_plugin"
_OLDEST: Final = (2, 21)
"""Oldest version of TensorBoard that starts without ``pkg_resources``."""

_UPGRADE: Final = "pip install --upgrade 'tensorboard>=2.21'"
_INSTALL: Final = "pip install 'green-callbacks[tensorboard]'"
_NEEDED: Final = "pkg_resources"
_IMPORTS_IT: Final = re.compile(rb"^\s*(import|from)\s+pkg_resources\b", re.MULTILINE)

_MOST_BYTES: Final = 2**20
"""Number of bytes of a plugin's module that are searched. No module that loads a plugin is longer."""


def tensorboard() -> list[Finding]:
    """Find out whether TensorBoard is installed, starts, and would show the tab *Carbon*.

    Returns:
        A finding on TensorBoard, and a finding on each plugin that would end it.
    """
    try:
        version = metadata.version("tensorboard")
    except metadata.PackageNotFoundError:
        text = (
            "Not installed. Its files are written anyway, but you need TensorBoard to view them. Without it, "
            "'green-callbacks report' compares runs in one file."
        )
        return [Finding(topic=_TOPIC, state="attention", text=text, command=_INSTALL)]
    return [_board(version), *_fatal_plugins()]


def _board(version: str) -> Finding:
    details = {"version": version, "shows_tab": False}
    if tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) < _OLDEST:
        return Finding(topic=_TOPIC, state="attention", text=_too_old(version), command=_UPGRADE, details=details)
    if not any(point.value.partition(":")[0] == _OURS for point in _plugins()):
        text = (
            f"Version {version} is installed. It does not show the tab Carbon, because green_callbacks is not "
            "installed in its environment."
        )
        return Finding(topic=_TOPIC, state="attention", text=text, command=_INSTALL, details=details)
    other = _other_command()
    if other is not None:
        text = (
            f"Version {version} is installed and shows the tab Carbon. The command 'tensorboard' starts {other} from "
            "another environment, which does not show it."
        )
        command = f"{Path(sys.executable).name} -m tensorboard.main --logdir ."
        details |= {"shows_tab": True, "other_command": other}
        return Finding(topic=_TOPIC, state="attention", text=text, command=command, details=details)
    text = f"Version {version} is installed. It shows the tab Carbon."
    return Finding(topic=_TOPIC, state="known", text=text, details=details | {"shows_tab": True})


def _too_old(version: str) -> str:
    if find_spec(_NEEDED) is None:
        return (
            f"Version {version} is installed. It does not start, because setuptools no longer has pkg_resources. The "
            "tab Carbon needs 2.21 or later."
        )
    return f"Version {version} is installed. The tab Carbon needs 2.21 or later."


def _fatal_plugins() -> Iterator[Finding]:
    """Find the plugins that end TensorBoard, because they import a module that setuptools no longer has."""
    if find_spec(_NEEDED) is not None:
        return
    for point in _plugins():
        name = point.dist.name if point.dist is not None else point.name
        if any(map(_imports_it, _files(point))):
            text = f"The plugin {name} ends TensorBoard at its start, because setuptools no longer has pkg_resources."
            command = f"pip uninstall -y {name}" if re.fullmatch(r"[\w.-]+", name, re.ASCII) else None
            yield Finding(topic=_TOPIC, state="attention", text=text, command=command, details={"plugin": name})


def _plugins() -> Iterable[metadata.EntryPoint]:
    return metadata.entry_points(group=_GROUP)


def _files(point: metadata.EntryPoint) -> Iterator[Path]:
    """Yield the files that importing a plugin runs first. They are only read."""
    parts = point.value.partition(":")[0].strip().split(".")
    for count in range(1, len(parts) + 1):
        place = "/".join(parts[:count])
        for name in (f"{place}.py", f"{place}/__init__.py"):
            if point.dist is not None:
                yield Path(str(point.dist.locate_file(name)))


def _imports_it(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return _IMPORTS_IT.search(opened.read(_MOST_BYTES)) is not None
    except OSError:
        return False


def _other_command() -> str | None:
    """Return the path of a command ``tensorboard`` that belongs to another environment than this Python."""
    found = shutil.which("tensorboard")
    if found is None or Path(found).parent.resolve() == Path(sys.executable).parent.resolve():
        return None
    return found
