"""Small text files of the machine and the user: read within bounds, and never waited for."""

import os
from pathlib import Path
from stat import S_ISREG
from typing import Final

SMALL_BYTES: Final = 1 << 16
"""More than any name, setting or configuration has, in bytes."""


def read_text(path: Path, most_bytes: int = SMALL_BYTES) -> str:
    """Return the text of a regular file in UTF-8.

    A pipe or a device in its place is not opened, because opening or reading it may wait for ever.

    Args:
        path: The file.
        most_bytes: The most that it may hold, in bytes. Defaults to 65,536.

    Raises:
        OSError: The file is no regular file, holds more, or cannot be read.
        UnicodeDecodeError: It is not in UTF-8.
    """
    check_regular(path, most_bytes)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(_too_large(most_bytes))
    return content.decode("utf-8")


def check_regular(path: Path, most_bytes: int) -> None:
    """Refuse what is no file, or a large one, before it is opened.

    Args:
        path: The file.
        most_bytes: The most that it may hold, in bytes.

    Raises:
        OSError: It is no regular file, holds more, or is not there.
    """
    status = path.stat()
    if not S_ISREG(status.st_mode):
        msg = "it is no regular file"
        raise OSError(msg)
    if status.st_size > most_bytes:
        raise OSError(_too_large(most_bytes))


def _too_large(most_bytes: int) -> str:
    return f"it holds more than {most_bytes:,} bytes"
