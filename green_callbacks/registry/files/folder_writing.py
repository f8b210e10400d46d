"""Writes the files of a budget, so that a reader sees either the old file or the new file."""

import os
import uuid
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from stat import S_IMODE, S_ISVTX
from typing import Final

from green_callbacks.ledger.project_ledgers import HIDDEN_FOLDER
from green_callbacks.registry.files.folder_files import ENDING

_UNFINISHED: Final = ".tmp"
"""Ending of a file that is not finished. Readers skip it."""
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
"""Flags of ``os.open``, as bits."""
_HASH_DIGITS: Final = 32
"""Hexadecimal digits of the hash that names a file. No two different contents ever share them."""
_FILE_MODE: Final = 0o666
"""Rights of a file, as bits, of which those of its folder remain."""


def make_folders(*folders: Path) -> None:
    """Make folders with their parents. As many users may write the hidden ones as the folder of the project.

    Args:
        *folders: The folders. Existing folders are left alone.

    Raises:
        OSError: A folder cannot be made.
    """
    for folder in folders:
        missing = [each for each in (folder, *folder.parents) if not each.is_dir()]
        for each in reversed(missing):
            each.mkdir(exist_ok=True)
        # Others may have made the hidden folder already, for themselves alone.
        for each in (*folder.parents[::-1], folder) if missing else ():
            if HIDDEN_FOLDER in each.parts:
                _share(each)


def _share(folder: Path) -> None:
    """Let those write a hidden folder who may write the folder around it. It helps others, so failing is no fault."""
    with suppress(OSError):
        folder.chmod(S_IMODE(folder.parent.stat().st_mode) & ~S_ISVTX)
    if folder.name == HIDDEN_FOLDER:
        with suppress(OSError):  # it spares people a question of git
            (folder / ".gitignore").write_text("*\n", encoding="ascii")


def write_file(path: Path, data: bytes, *, is_durable: bool = False) -> float:
    """Write a file, in the place of an older one.

    Args:
        path: The file. Its folder must exist.
        data: Content of the file.
        is_durable: Whether the file must survive a crash of the machine from here on. Defaults to False.

    Returns:
        The time of this change by the clock of the file system, in s since 1970.

    Raises:
        OSError: The file cannot be written.
    """
    _put(path.with_name(path.name + _UNFINISHED), path, data, is_durable=is_durable)
    return path.stat().st_mtime


def write_kept(folder: Path, prefix: str, data: bytes) -> None:
    """Write a file that nobody changes. It survives a crash of the machine.

    The content gives the file its name. So many processes that keep the same at once make one file.

    Args:
        folder: Folder of the file. It must exist.
        prefix: Beginning of the name.
        data: Content of the file.

    Raises:
        OSError: The file cannot be written.
    """
    path = folder / f"{prefix}-{sha256(data).hexdigest()[:_HASH_DIGITS]}{ENDING}"
    if path.exists():
        _sync_folder(folder)  # whoever wrote it may not be that far yet
    else:
        _put(folder / f"{uuid.uuid4().hex}{_UNFINISHED}", path, data, is_durable=True)


def _put(unfinished: Path, path: Path, data: bytes, *, is_durable: bool) -> None:
    descriptor = os.open(unfinished, _FLAGS, _FILE_MODE)
    try:
        with suppress(OSError):  # some file systems have no rights
            os.fchmod(descriptor, S_IMODE(path.parent.stat().st_mode) & _FILE_MODE)
        _write_all(descriptor, data)
        if is_durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    unfinished.replace(path)
    if is_durable:
        _sync_folder(path.parent)


def file_system_time(folder: Path) -> float:
    """Return the time by the clock of the file system, in s since 1970.

    Args:
        folder: A folder in which a file can be written for a moment.

    Raises:
        OSError: The folder cannot be written.
    """
    probe = folder / f"{uuid.uuid4().hex}{_UNFINISHED}"
    os.close(os.open(probe, _FLAGS, _FILE_MODE))
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # some file systems cannot sync a folder, and keep the order of changes by themselves
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
