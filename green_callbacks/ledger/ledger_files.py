"""Opens files that may be ledgers, if they are regular files, and reads them in lines of bounded length."""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

from green_callbacks.errors import LedgerError
from green_callbacks.ledger.format import HEAD
from green_callbacks.ledger.limits import MAX_LINE_BYTES, MAX_PASSED_BYTES

_CHUNK_BYTES: Final = 2**18
"""Number of bytes read at once. By experiment, larger chunks are no faster."""

_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
"""Opening must never wait, because a regular file may be replaced by a pipe just before it is opened."""

_BEGIN_BYTES: Final = 4_096
"""Number of bytes from which a file is recognized. This is one block of most disks."""

_SIGNS: Final = ((b'"run_id"', b'"pue_source"'), (b'{"type":"devices","set":',), (b'{"type":"record","set":',))
"""Signs of a ledger that another program has rewritten, or whose head is damaged."""

_RUN_NAME: Final = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}(-\d+)?")
"""Pattern of the names that runs get by default."""

_REMEDY: Final = "Name a file that a run has written."


@contextmanager
def opened(path: Path) -> Iterator[FileIO]:
    """Open a regular file to read it.

    Args:
        path: The file. Pipes, devices and folders are refused.

    Yields:
        The file.

    Raises:
        LedgerError: The file cannot be read, or is not a regular file.
    """
    try:
        with _open(path) as file:
            yield file
    except OSError as reason:
        msg = f"The ledger {shown(path)} cannot be read ({reason.strerror}). {_REMEDY}"
        raise LedgerError(msg) from reason


def _open(path: Path) -> FileIO:
    try:
        if stat.S_ISREG(path.stat().st_mode):
            return FileIO(os.open(path, _FLAGS))
    except ValueError as reason:  # the name holds a zero byte, or characters that no file name can hold
        msg = f"The ledger {shown(path)} cannot be read, because no file can have this name. {_REMEDY}"
        raise LedgerError(msg) from reason
    msg = f"The ledger {shown(path)} cannot be read, because it is a folder, a pipe or a device. {_REMEDY}"
    raise LedgerError(msg)


def is_ledger(path: str | Path) -> bool:
    """Return whether a file is a ledger, by its first bytes.

    Args:
        path: The file.

    Returns:
        True for a regular file that begins with the head of a ledger of any schema. False for an empty file.

    Example:
        >>> is_ledger("no-such-file.jsonl")
        False
    """
    try:
        with opened(Path(path)) as file:
            return file.read(len(HEAD)) == HEAD
    except LedgerError:
        return False


def may_be_ledger(path: str | Path) -> bool:
    """Return whether a file may be a ledger, possibly a damaged one, by its first bytes and its name.

    Args:
        path: The file.

    Returns:
        False for pipes, devices and missing files, and for files without any sign of a ledger. True for a file that
        this user may not open.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  the name may be one that no file can have
            return False
        with FileIO(os.open(path, _FLAGS)) as file:
            begin = file.read(_BEGIN_BYTES)
    except (FileNotFoundError, ValueError):
        return False
    except OSError as reason:
        return reason.errno != errno.ELOOP
    is_head = begin.startswith(HEAD) or (begin.rstrip() != b"" and HEAD.startswith(begin.rstrip()))
    return is_head or any(all(sign in begin for sign in signs) for signs in _SIGNS) or _names_run(path)


def _names_run(path: str | Path) -> bool:
    return _RUN_NAME.fullmatch(Path(path).stem) is not None


def not_a_ledger(path: Path) -> LedgerError:
    """Return the error for a file that does not begin like a ledger."""
    return LedgerError(f"{shown(path)} is not a ledger, because its first line does not begin a run. {_REMEDY}")


def shown(path: str | Path) -> str:
    r"""Return a path for display, with control characters escaped that a terminal or a log would act upon.

    Args:
        path: The path.

    Example:
        >>> print(shown("run\n.jsonl"))
        run\n.jsonl
    """
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in str(path))


def bounded_lines(file: FileIO, *, is_torn: bool = True) -> Iterator[bytes | int]:
    """Read a file line by line.

    Args:
        file: The file, at the beginning of a line.
        is_torn: Whether a last line without a line break counts as a line. Defaults to True.

    Yields:
        Each line without its line break. For a line that is too long, its length in bytes instead. Reading ends at a
        line that seems endless.
    """
    rest, skipped = b"", 0
    while chunk := file.read(_CHUNK_BYTES):
        *whole, tail = chunk.split(b"\n")
        if whole:
            whole[0] = rest + whole[0]
            size = skipped + len(whole[0])
            yield size if size > MAX_LINE_BYTES else whole[0]
            yield from whole[1:]
            rest, skipped = tail, 0
        else:
            rest += tail
        if len(rest) > MAX_LINE_BYTES:
            rest, skipped = b"", skipped + len(rest)
        if skipped > MAX_PASSED_BYTES:  # the line may be endless
            yield skipped
            return
    if (rest or skipped) and is_torn:
        size = skipped + len(rest)
        yield size if size > MAX_LINE_BYTES else rest
