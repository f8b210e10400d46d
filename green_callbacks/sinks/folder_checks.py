"""Checks of the folders that sinks write to."""

import os
from pathlib import Path

from green_callbacks.errors import ConfigurationError
from green_callbacks.units import described


def checked_folder(folder: object, what: str) -> Path:
    """Check a folder to write to. The folder need not exist.

    Args:
        folder: Value of an option.
        what: Name of the option, for messages.

    Returns:
        The path of the folder.

    Raises:
        ConfigurationError: The value is no path on this machine, or a file is in the way.
    """
    name = os.fspath(folder) if isinstance(folder, str | os.PathLike) else None
    if not isinstance(name, str) or not name.strip() or "\0" in name or "://" in name:
        msg = f"{what} must be the path of a folder on this machine, not {described(folder)}."
        raise ConfigurationError(msg)
    path = Path(name)
    blocking = file_in_the_way(path / "any")
    if blocking is not None:
        msg = f"{what} cannot be {described(name)}, because {described(str(blocking))} is a file. Name a folder."
        raise ConfigurationError(msg)
    return path


def file_in_the_way(path: Path) -> Path | None:
    """Return the parent of a file that exists and is no folder.

    Args:
        path: The file.

    Returns:
        The parent in the way. None if all parents of the file are folders or can be made.
    """
    return next(filter(_is_no_folder, path.parents), None)


def _is_no_folder(path: Path) -> bool:
    return os.path.exists(path) and not os.path.isdir(path)  # noqa: PTH110, PTH112  these never raise
