"""The folder in which the runs of a project keep what they spend and hold."""

import glob
import hashlib
import os
from os.path import expanduser
from pathlib import Path, PurePath
from typing import Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger.project_ledgers import HIDDEN_FOLDER
from green_callbacks.units import Quantity, described

_SHORT_NAMES: Final[dict[Quantity, str]] = {"emissions_kg": "kg", "facility_kwh": "kwh"}
_HASH_DIGITS: Final = 8
"""Hexadecimal digits of the hash of a pattern. They tell the patterns of one folder apart."""


def budget_folder(project: str | os.PathLike[str], quantity: Quantity) -> Path:
    """Return the folder of the budget of a project.

    All ways to name a folder lead to the same place, such as relative paths, ``~`` and symbolic links. The place does
    not depend on where a machine mounts the project.

    Args:
        project: Folder or glob pattern of the project's ledgers. The budget of a pattern lies in the last folder before
            its first wildcard.
        quantity: Quantity of the budget.

    Returns:
        The folder, which may not exist yet.

    Raises:
        ConfigurationError: The project is a URL, which is no folder of this machine.

    Example:
        >>> budget_folder("/data/logs", "emissions_kg").as_posix()
        '/data/logs/.green-callbacks/budget-kg'
    """
    if "://" in os.fspath(project):
        msg = (
            f"The project {described(os.fspath(project))} is no folder of this machine. Name a folder that all runs "
            "can write, or a database with registry=."
        )
        raise ConfigurationError(msg)
    folder, pattern = _fixed_part(PurePath(expanduser(project)))  # noqa: PTH111  it may be a pattern
    name = f"budget-{_SHORT_NAMES[quantity]}"
    if pattern:
        name += f"-{hashlib.sha256(pattern.encode('utf-8', 'surrogatepass')).hexdigest()[:_HASH_DIGITS]}"
    return Path(os.path.realpath(folder), HIDDEN_FOLDER, name)


def project_folder(project: str | os.PathLike[str]) -> Path:
    """Return the folder of a project, or the last folder before the first wildcard of its pattern.

    Args:
        project: Folder or glob pattern.

    Returns:
        An absolute path without symbolic links. It may not exist yet.

    Example:
        >>> project_folder("/data/logs/*/run.jsonl").as_posix()
        '/data/logs'
    """
    return Path(os.path.realpath(_fixed_part(PurePath(expanduser(project)))[0]))  # noqa: PTH111  it may be a pattern


def _fixed_part(project: PurePath) -> tuple[PurePath, str]:
    """Split a project into a folder and a pattern below it, which is empty for a folder."""
    if os.path.isdir(project):  # noqa: PTH112  this one never raises, and a folder may have a wildcard in its name
        return project, ""
    parts = project.parts
    named = (at for at, part in enumerate(parts) if glob.has_magic(part))
    fixed = next((at for at in named if not os.path.isdir(PurePath(*parts[: at + 1]))), None)  # noqa: PTH112
    if fixed is None:
        is_file = project.suffix == ".jsonl" or os.path.isfile(project)  # noqa: PTH113  this one never raises
        return (project.parent, project.name) if is_file else (project, "")
    return PurePath(*parts[:fixed]), "/".join(parts[fixed:])
