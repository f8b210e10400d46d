"""The file of an index, which is a cache that anybody may delete, damage or replace.

Each line names one ledger by its path and state, or several ledgers with copies of one run. A line begins with a
checksum of itself, because two machines may write to a network file system at once.
"""

import json
import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from os import stat_result
from pathlib import Path
from secrets import token_hex
from time import time
from typing import Final, NamedTuple, Self
from zlib import crc32

from green_callbacks.errors import LedgerError
from green_callbacks.ledger.ledger_files import bounded_lines, opened

HEADER: Final = b'{"type":"totals","version":2}'
"""First line of an index. A file that begins otherwise is written by another version, and counts as empty."""

MAX_INDEX_BYTES: Final = 2**28
"""Size in bytes of the largest index that is read. By experiment, an entry takes 1 kB, so this is 250,000 ledgers."""

STRETCHES: Final = "stretches"
"""Kind of an entry that knows when a run has measured which devices."""

PART: Final = "part"
"""Kind of an entry that knows the part of a run in what it measured in some company. It holds for that company only."""

DIVISION: Final = "division"
"""Kind of an entry that knows the parts of many runs, until one of their ledgers changes."""

_DIVISION: Final = f'["{DIVISION}"'.encode()

_SUM: Final = b'{"crc":"'
_FILES: Final = b'","files":'
_ENTRY: Final = b',"entry":'
_SUM_DIGITS: Final = 8
"""Hexadecimal digits of the checksum of a line, which has 32 bits."""
_KEY_AT: Final = len(_SUM) + _SUM_DIGITS + len(_FILES)
_UNFINISHED: Final = ".unfinished"
_STALE_SECONDS: Final = 3_600.0
"""Age in s from which an unfinished file belongs to a process that was killed. Writing takes about a second."""

_encode = json.JSONEncoder(separators=(",", ":")).encode


class FileState(NamedTuple):
    """The state of a file. A file in the same state has the same content, unless it has just been written.

    The number of the device is left out, because it changes when a network file system is mounted again.

    Attributes:
        size: Size, in bytes.
        written_ns: Time of the last change of its content, in ns.
        changed_ns: Time of the last change of its content or its properties, in ns.
        inode: Number of the file in its file system.

    Example:
        >>> FileState(10, 5_000, 7_000, 3).settled(at_ns=8_000, after_ns=500)
        True
    """

    size: int
    written_ns: int
    changed_ns: int
    inode: int

    @classmethod
    def of(cls, status: stat_result) -> Self:
        """Return the state of a file.

        Args:
            status: What the file system tells of it.
        """
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    def settled(self, at_ns: int, after_ns: int) -> bool:
        """Return whether a later change would show in the state.

        Args:
            at_ns: Present time, in ns.
            after_ns: Time in ns within which two changes may have the same time.
        """
        return all(abs(at_ns - seen_ns) > after_ns for seen_ns in (self.written_ns, self.changed_ns))


def state_of(path: str | Path) -> FileState | None:
    """Return the state of a file. None for a missing file.

    Args:
        path: The file.
    """
    try:
        return FileState.of(os.stat(path))  # noqa: PTH116  runs for each of many ledgers
    except (OSError, ValueError):
        return None


def key_of(files: Iterable[tuple[str, FileState]], *kinds: str) -> bytes:
    """Return the key of what is known of one ledger, or of several ledgers with copies of a run.

    Args:
        files: Path of each ledger as the index names it, and its state.
        *kinds: What is known. Defaults to the totals.
    """
    return _encode([*([name, *state] for name, state in files), *kinds]).encode()


def is_of_one(key: bytes) -> bool:
    """Return whether a key is of what overlaps in one ledger. Such entries are needed only after a change.

    Args:
        key: The key.
    """
    return key.endswith(b'"]') and not key.startswith(_DIVISION)


def read_index(path: Path, *, whole: bool = True) -> dict[bytes, bytes]:
    """Read an index. Raises nothing.

    Args:
        path: The file.
        whole: Whether to read the entries that are needed only after a change. Defaults to True.

    Returns:
        The entries as they were written, by key. Empty for a missing, foreign, too large or unreadable file. Damaged
        lines are left out.
    """
    found: dict[bytes, bytes] = {}
    with suppress(LedgerError), opened(path) as file:
        if os.fstat(file.fileno()).st_size > MAX_INDEX_BYTES:
            return {}
        for number, line in enumerate(bounded_lines(file)):
            if number == 0 and line != HEADER:
                return {}
            if isinstance(line, bytes) and (pair := _parts(line)) is not None and (whole or not is_of_one(pair[0])):
                found[pair[0]] = pair[1]
    return found


def _parts(line: bytes) -> tuple[bytes, bytes] | None:
    """Return the key and the entry of a line. None for a damaged line."""
    if line[: len(_SUM)] != _SUM or line[len(_SUM) : len(_SUM) + _SUM_DIGITS] != _checksum(line[_KEY_AT:]):
        return None
    key, found, entry = line[_KEY_AT:].partition(_ENTRY)  # no text in JSON holds this, because its marks are escaped
    return (key, entry[:-1]) if found and entry.endswith(b"}") else None


def _checksum(content: bytes) -> bytes:
    return b"%08x" % crc32(content)


def write_index(path: Path, entries: Mapping[bytes, bytes]) -> bool:
    """Write an index in one step, so that a reader sees the old file or the new file. Raises nothing.

    Args:
        path: The file, in a folder that exists.
        entries: The entries, by key.

    Returns:
        Whether it is written. Otherwise the folder is read-only, full or gone.
    """
    unfinished = path.with_name(f"{path.name}.{token_hex(4)}{_UNFINISHED}")
    try:
        _remove_stale(path)
        with unfinished.open("xb") as file:
            file.write(HEADER + b"\n")
            for key, entry in entries.items():
                content = key + _ENTRY + entry + b"}"
                file.write(_SUM + _checksum(content) + _FILES + content + b"\n")
        unfinished.replace(path)
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            unfinished.unlink()
        return False
    return True


def _remove_stale(path: Path) -> None:
    """Remove what killed processes have left."""
    for left in path.parent.glob(f"{path.name}.*{_UNFINISHED}"):
        with suppress(OSError):
            if abs(time() - left.stat().st_mtime) > _STALE_SECONDS:
                left.unlink()


def is_present(key: bytes, root: Path, without: Collection[str]) -> bool:
    """Return whether the ledgers of a key are still in its state. Raises nothing.

    Args:
        key: The key.
        root: Folder of the index, below which it names ledgers.
        without: Kinds of entries that only a new look may keep.
    """
    try:
        said = json.loads(key)
        files = [(each[0], FileState(*each[1:])) for each in said if type(each) is list]
        if any(type(each) is str and each in without for each in said):
            return False
        return all(type(name) is str and state_of(root / name) == state for name, state in files)
    except (ValueError, TypeError, RecursionError):
        return False
