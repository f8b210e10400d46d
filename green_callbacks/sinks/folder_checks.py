"""The options of sinks, checked where they are given."""

import os
from pathlib import Path

from green_callbacks.errors import ConfigurationError
from green_callbacks.units import described


def checked_folder(folder: object, what: str) -> Path:
    """Return a folder to write to, which need not be there yet.

    Args:
        folder: What was given.
        what: What it is the folder of.

    Raises:
        ConfigurationError: It is no path of this machine, or a file is in the way.
    """
    name = os.fspath(folder) if isinstance(folder, str | os.PathLike) else None
    if not isinstance(name, str) or not name.strip() or "\0" in name or "://" in name:
        msg = f"{what} is the path of a folder on this machine, not {described(folder)}."
        raise ConfigurationError(msg)
    path = Path(name)
    blocking = file_in_the_way(path / "any")
    if blocking is not None:
        msg = f"{what} cannot be {described(name)}, as {described(str(blocking))} is a file: name a folder."
        raise ConfigurationError(msg)
    return path


def file_in_the_way(path: Path) -> Path | None:
    """Return what keeps a file from being made, as it stands where a folder must be.

    Args:
        path: The file.

    Returns:
        The path of what is there and is no folder; None where all above the file are folders, or can be made.
    """
    return next(filter(_is_no_folder, path.parents), None)


def _is_no_folder(path: Path) -> bool:
    return os.path.exists(path) and not os.path.isdir(path)  # noqa: PTH110, PTH112  these never raise
