"""Appends whole lines to a file that others may remove, replace or cut short in the meantime."""

import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from errno import ELOOP, ENOENT, ENOTDIR
from io import FileIO
from itertools import count
from pathlib import Path
from typing import Final

from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

CHECK_SECONDS: Final = 1.0
"""Shortest time between two checks whether the file was removed or replaced, in s. Its length is checked every time."""

_MOST_NAMES: Final = 1000
"""Number of names that are tried for a new file where another file is in the way."""


class AppendedFile:
    """A file to which whole lines are appended.

    Args:
        path: The file.
        on_written: Called with the file descriptor after each write.
    """

    def __init__(self, path: Path, on_written: Callable[[int], None]) -> None:
        self.path = path
        self._on_written = on_written
        self._file: FileIO | None = None
        self._identity: tuple[int, int] | None = None
        self._end = 0
        self._checked_seconds = -CHECK_SECONDS
        self._is_warned = self._has_written = False
        self.has_others = False
        """Whether another process writes to the file at the same time."""

    def is_lost(self, *, at_once: bool = False) -> bool:
        """Return whether the file was removed, replaced or cut short.

        Args:
            at_once: Whether to check even if the last check was less than a second ago. Defaults to False.
        """
        now = time.monotonic()
        if not at_once and now - self._checked_seconds < CHECK_SECONDS:
            return self._file is not None and self._file.seek(0, os.SEEK_END) < self._end
        self._checked_seconds = now
        try:
            there = os.stat(self.path)  # noqa: PTH116  runs at every edge, and a Path takes twice as long
        except OSError as reason:
            # Any other error of the disk shows again when the file is written.
            return reason.errno in {ENOENT, ENOTDIR, ELOOP}
        # A folder may have got the inode number of the removed file.
        return _identity(there) != self._identity or there.st_size < self._end or stat.S_ISDIR(there.st_mode)

    @property
    def end(self) -> int:
        """Offset of the next line in bytes, if nobody else writes to the file."""
        return self._end

    def open(self, *, anew: bool) -> int:
        """Open the file.

        Args:
            anew: Whether the file was lost and all its lines will be written again.

        Returns:
            Offset of the next line, in bytes.

        Raises:
            OSError: The file cannot be opened.
        """
        if anew:
            self._make_room()
        elif self._file is not None and not _is_same(self._file, self.path):
            self.close()  # it was removed or replaced before anything could be written to it
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(self.path, "a+")
            self._identity = _identity(os.fstat(self._file.fileno()))
            self._end = self._file.seek(0, os.SEEK_END)
        return self._end

    def follow(self, other: "AppendedFile") -> None:
        """Continue the file that another object has written and closed, so that a change in between is noticed.

        Args:
            other: The object that wrote the file.
        """
        self.path, self._identity, self._end = other.path, other._identity, other._end  # noqa: SLF001  of this class

    def append(self, data: bytes) -> None:
        """Write all of the data or none, because a torn line would be lost together with the line after it.

        Args:
            data: Whole lines.

        Raises:
            OSError: The data cannot be written.
        """
        if self._file is None:
            self.open(anew=False)
        file = self._file
        assert file is not None  # noqa: S101  it was just opened
        end = file.seek(0, os.SEEK_END)
        if self._has_written and end > self._end and not self.has_others:
            self.has_others = True
            logger.warning(
                "Another run writes to the ledger %s at the same time. The records of both runs are mixed in it. "
                "Give each run a file of its own with ledger=…, or leave that option out.",
                self.path,
            )
        if end and (end != self._end or not self._has_written) and _byte_before(file, end) != b"\n":
            data = b"\n" + data  # a process was killed in the middle of a line
        try:
            written = 0
            while written < len(data):
                written += file.write(data[written:])
        except OSError:
            with suppress(OSError):  # a device cannot be truncated, and the first error is the reason
                file.truncate(end)
            raise
        self._end, self._has_written = end + len(data), True
        self._on_written(file.fileno())

    def close(self) -> None:
        """Close the file. Safe to call again."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _make_room(self) -> None:
        """Make room for all lines. If another run has written to the file, a new file beside it takes them."""
        before = self.path
        if self._file is not None and _is_same(self._file, self.path):
            self._file.truncate(0)  # the lines that are left will be written again
        elif os.path.lexists(self.path) and (not self.path.is_file() or self.path.stat().st_size):
            self.path = _free_name(self.path)
        if self._file is not None and not _is_same(self._file, self.path):
            self.close()
        self._end = 0
        if not self._is_warned:
            self._is_warned = True
            logger.warning(
                "The ledger %s was removed, replaced or cut short during its run. All its records are written again "
                "to %s. Leave the file in place until the run ends.",
                before,
                self.path,
            )


def _is_same(file: FileIO, path: Path) -> bool:
    try:
        there = path.stat()
    except OSError:
        return False
    return _identity(os.fstat(file.fileno())) == _identity(there)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_ino, status.st_dev


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    return next(name for name, _ in zip(names, range(_MOST_NAMES), strict=False) if not os.path.lexists(name))


def _byte_before(file: FileIO, end: int) -> bytes:
    file.seek(end - 1)
    return file.read(1)
