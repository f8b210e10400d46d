"""Small files of the machine and the user, read within bounds and without waiting.

A pipe or a device may lie in the place of a file. It is never opened, because to open or read it may take forever.
"""

import os
from pathlib import Path
from stat import S_ISREG
from typing import Final

PAGE_BYTES: Final = 4_096
"""Largest size of a file of sysfs, in bytes: one page (kernel, ``Documentation/filesystems/sysfs.rst``)."""
LIST_BYTES: Final = 65_536
"""Bound for files that list something, in bytes. Names, settings and the lists of procfs that we need are shorter."""
_NEVER_WAIT: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
"""Flags of ``os.open``, as bits. Windows has neither."""


def read_beginning(path: Path, most_bytes: int = PAGE_BYTES) -> bytes:
    """Return the beginning of a regular file.

    Args:
        path: The file.
        most_bytes: How much to read at most, in bytes. Defaults to one page, 4,096.

    Raises:
        OSError: The file is not a regular file, or cannot be read.
        ValueError: The path holds a null byte.
    """
    _refuse_unless_regular(os.stat(path).st_mode)  # noqa: PTH116  Path.stat() takes twice as long
    descriptor = os.open(path, os.O_RDONLY | _NEVER_WAIT)
    try:
        _refuse_unless_regular(os.fstat(descriptor).st_mode)
        content = os.read(descriptor, most_bytes)
        # Linux returns long files of procfs in pieces, and files of sysfs in one piece.
        while most_bytes > PAGE_BYTES and len(content) < most_bytes and (piece := os.read(descriptor, PAGE_BYTES)):
            content += piece
        return content[:most_bytes]
    finally:
        os.close(descriptor)


def read_or_empty(path: Path, most_bytes: int = PAGE_BYTES) -> str:
    """Return the beginning of a regular file as stripped text. An unreadable file gives an empty text.

    Args:
        path: The file.
        most_bytes: How much to read at most, in bytes. Defaults to one page, 4,096.
    """
    try:
        return read_beginning(path, most_bytes).decode("utf-8", errors="replace").strip()
    except (OSError, ValueError):  # a null byte in the path is a ValueError
        return ""


def read_whole(path: Path, most_bytes: int = LIST_BYTES) -> str:
    """Return the whole text of a regular file in UTF-8.

    Args:
        path: The file.
        most_bytes: Largest size that is accepted, in bytes. Defaults to 65,536.

    Raises:
        OSError: The file is not a regular file, is larger, or cannot be read.
        UnicodeDecodeError: The file is not in UTF-8.
    """
    check_size(path, most_bytes)
    content = read_beginning(path, most_bytes + 1)
    if len(content) > most_bytes:  # it has grown meanwhile
        raise OSError(_too_large(most_bytes))
    return content.decode("utf-8")


def check_size(path: Path, most_bytes: int) -> None:
    """Check before opening a file that it is regular and not too large.

    Args:
        path: The file.
        most_bytes: Largest size that is accepted, in bytes.

    Raises:
        OSError: The file is not a regular file, is larger, or does not exist.
    """
    status = path.stat()
    _refuse_unless_regular(status.st_mode)
    if status.st_size > most_bytes:
        raise OSError(_too_large(most_bytes))


def _refuse_unless_regular(mode: int) -> None:
    if not S_ISREG(mode):
        msg = "it is no regular file"
        raise OSError(msg)


def _too_large(most_bytes: int) -> str:
    return f"it holds more than {most_bytes:,} bytes"
