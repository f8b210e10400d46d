"""The folders in which live runs show themselves to one another.

The folder of the user on this machine is for all runs, whatever their log folders. The hidden folder of a project is
for the runs that share its budget. It also reaches containers and machines that share nothing else.
"""

import glob
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from green_callbacks.ledger.project_ledgers import HIDDEN_FOLDER

_LIVE: Final = "live"
_PRIVATE: Final = 0o700
"""Mode of the folder of the user, as bits. Nobody else may read or write it."""
_FOR_OTHERS: Final = 0o022
"""Bits of a mode that let others write."""


def live_folder_of_user(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder for the live runs of this user on this machine, which is made if it is missing.

    Args:
        environ: Environment variables. Defaults to ``os.environ``.

    Returns:
        A folder in ``XDG_RUNTIME_DIR``, or else in the folder for temporary files. None if neither can be used, or if
        it belongs to somebody else.
    """
    for folder in _of_user(environ):
        try:
            folder.mkdir(mode=_PRIVATE, exist_ok=True)
            if _is_ours(folder):
                live = folder / _LIVE
                live.mkdir(mode=_PRIVATE, exist_ok=True)
                return live
        except OSError:
            continue
    return None


def _of_user(environ: Mapping[str, str]) -> Iterable[Path]:
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime and os.path.isdir(runtime):  # noqa: PTH112  never raises
        yield Path(runtime, "green-callbacks")
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    with suppress(OSError):  # there may be no folder for temporary files, as in a container that is read-only
        yield Path(tempfile.gettempdir(), f"green-callbacks{user}")


def _is_ours(folder: Path) -> bool:
    """Return whether a folder belongs to this user alone. Anybody may make a folder beside others' temporary files."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return False
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & _FOR_OTHERS)


def live_folder_of_project(project: str | Path) -> Path:
    """Return the folder for the live runs of a project, which may be missing.

    Args:
        project: Folder or pattern of the project.
    """
    return root_of(project) / HIDDEN_FOLDER / _LIVE


def root_of(project: str | Path) -> Path:
    """Return the folder below which a project lies.

    Args:
        project: Folder or pattern of the project.
    """
    path = Path(project)
    if os.path.isdir(path):  # noqa: PTH112  never raises
        return absolute(path)
    parts = path.parts
    fixed = next((at for at, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return absolute(Path(*parts[:fixed]))


def absolute(path: str | Path) -> Path:
    """Return an absolute path, or the path itself in a working folder that is gone.

    Args:
        path: The path.
    """
    try:
        return Path(path).absolute()
    except OSError:
        return Path(path)
