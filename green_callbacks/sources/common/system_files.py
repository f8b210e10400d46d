"""Files of the operating system: read within bounds, and never waited for."""

import os
from pathlib import Path
from stat import S_ISREG
from typing import Final

SMALL_BYTES: Final = 4_096
"""The most that a file of sysfs holds: a page (kernel, ``Documentation/filesystems/sysfs.rst``)."""
LARGE_BYTES: Final = 65_536
"""The most that is read of a file of procfs, which may list every processor."""
_NEVER_WAIT: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def read_bytes(file: Path, most_bytes: int = SMALL_BYTES) -> bytes:
    """Return the beginning of a regular file.

    A pipe or a device in its place is not opened, because opening or reading it may wait for ever.

    Args:
        file: The file.
        most_bytes: How much to read at most, in bytes. Defaults to a page, 4,096.

    Raises:
        OSError: The file is no regular file, or cannot be read.
    """
    _refuse_unless_regular(os.stat(file).st_mode)  # noqa: PTH116  Path.stat() takes twice as long
    descriptor = os.open(file, os.O_RDONLY | _NEVER_WAIT)
    try:
        _refuse_unless_regular(os.fstat(descriptor).st_mode)
        content = os.read(descriptor, most_bytes)
        # Linux hands out long files of procfs in pieces, and those of sysfs at once.
        while most_bytes > SMALL_BYTES and len(content) < most_bytes and (piece := os.read(descriptor, SMALL_BYTES)):
            content += piece
        return content[:most_bytes]
    finally:
        os.close(descriptor)


def read_text(file: Path, most_bytes: int = SMALL_BYTES) -> str:
    """Return the beginning of a regular file as a text without blanks around it; an empty one if it cannot be read.

    Args:
        file: The file.
        most_bytes: How much to read at most, in bytes. Defaults to a page, 4,096.
    """
    try:
        return read_bytes(file, most_bytes).decode("utf-8", errors="replace").strip()
    except (OSError, ValueError):  # a path with a null byte in it is a ValueError
        return ""


def _refuse_unless_regular(mode: int) -> None:
    if not S_ISREG(mode):
        msg = "it is no regular file"
        raise OSError(msg)
