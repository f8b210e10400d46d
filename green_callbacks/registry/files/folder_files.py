"""Reads the files of a budget. Every file is written by one process, and replaced as a whole.

The folder ``runs`` holds one file for each session of a run. Only that session writes it. The folder ``kept`` holds
files with unique names that nobody changes: claims of many ended sessions, totals from ledgers, and marks of dead
sessions. A reader lists ``runs`` before ``kept``. So it misses no claim that is moved from one to the other meanwhile.
"""

import errno
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from stat import S_ISREG
from typing import Final, NamedTuple

from green_callbacks.registry.files.file_format import LONGEST_FILE, Content, decoded, decoded_limit
from green_callbacks.registry.files.known_runs import Kept, Known
from green_callbacks.registry.files.told_sessions import SessionKey, Told, newer
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

ENDING: Final = ".json"
"""Ending of the files that are read. Unfinished files have another one."""
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
"""Flags of ``os.open``, as bits. Opening never waits, because a pipe may lie in the place of a file."""
_STALE_TRIES: Final = 5
"""Number of times that a file of NFS is opened again after it was replaced, by experiment."""
_NO_FILE: Final = "it is no regular file, or too large"
_READ_BYTES: Final = 2**16
"""Number of bytes that are read at once. A file of a session is shorter."""

_Stamp = tuple[int, int, int]


class SingleFile(NamedTuple):
    """The file of a session that was read.

    Attributes:
        stamp: Time of the last change, size and number of the file. It changes with the content.
        content: What the file tells.
    """

    stamp: _Stamp
    content: Content

    @property
    def is_final(self) -> bool:
        """Whether the session has told its last total."""
        return bool(self.content.sessions) and all(told.is_ended for told in self.content.sessions)


class FolderFiles:
    """The files of a budget, with a memory of those that have not changed.

    Args:
        folder: Folder of the budget. It may not exist yet, and it may vanish.

    Attributes:
        runs: Folder of the sessions' own files.
        kept: Folder of the files that nobody changes.
        limit: File with the set limit.
    """

    def __init__(self, folder: Path) -> None:
        self.runs, self.kept, self.limit = folder / "runs", folder / "kept", folder / "limit.json"
        self._singles: dict[str, SingleFile] = {}
        self._kept = Kept()
        self._kept_names: set[str] = set()
        self._complained: set[str] = set()

    @property
    def singles(self) -> Mapping[str, SingleFile]:
        """The sessions' own files that were read last, by their names."""
        return self._singles

    def read(self, now: float) -> Known:
        """Read what has changed, and return all that is known.

        Files of live sessions are opened every time, because NFS asks its server only then.

        Args:
            now: The time by the clock of the file system, in s since 1970.

        Raises:
            OSError: The folder cannot be read.
        """
        self._read_runs()  # first, as the module explains
        self._read_kept()
        fresh: dict[SessionKey, Told] = {}
        for file in self._singles.values():
            for told in file.content.sessions:
                fresh[told.key] = newer(fresh.get(told.key), told)
        return Known(self._kept, fresh, now)

    def set_limit(self) -> float | None:
        """Return the set limit. None if none was set, or if its file is damaged.

        Raises:
            OSError: The file cannot be read.
        """
        try:
            data = _read(self.limit)
            return None if data is None or data[1] is None else decoded_limit(data[1])
        except ValueError as reason:
            self._complain(self.limit, reason)
            return None

    def _read_runs(self) -> None:
        listed = _listed(self.runs)
        found = {}
        # A file that is replaced while the folder is listed may be missing in the list. So known files are opened too.
        for name in sorted(listed.keys() | self._singles.keys()):
            file = self._unchanged(name, listed.get(name)) or self._opened(
                self.runs / name, self._singles.get(name), is_single=True
            )
            if file is not None:
                found[name] = file
        self._singles = found

    def _read_kept(self) -> None:
        for name in _listed(self.kept).keys() - self._kept_names:
            file = self._opened(self.kept / name)
            if file is not None:
                self._kept.add(file.content)
                self._kept_names.add(name)

    def _unchanged(self, name: str, entry: "os.DirEntry[str] | None") -> SingleFile | None:
        known = self._singles.get(name)
        if known is None or entry is None or not known.is_final:
            return None
        try:
            return known if stamp_of(entry.stat()) == known.stamp else None
        except OSError:  # it was moved or replaced, and opening it says what it is
            return None

    def _opened(self, path: Path, known: SingleFile | None = None, *, is_single: bool = False) -> SingleFile | None:
        try:
            data = _read(path, known.stamp if known else None)
            if data is None:
                return None
            status, text = data
            if text is None:
                return known
            content = decoded(text)
        except PermissionError as reason:
            self._complain(path, reason.strerror)
            return None
        except ValueError as reason:
            self._complain(path, reason)
            return None
        if is_single:
            content.sessions = [replace(told, told_at=status.st_mtime) for told in content.sessions]
        return SingleFile(stamp_of(status), content)

    def _complain(self, path: Path, reason: object) -> None:
        if path.name not in self._complained:
            self._complained.add(path.name)
            logger.warning(
                "The file %s of a shared budget does not count, because it cannot be read (%s). Ledgers of ended runs "
                "still count. Delete the file, or let this user read it.",
                path,
                reason,
            )


def _listed(folder: Path) -> "dict[str, os.DirEntry[str]]":
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry for entry in entries if entry.name.endswith(ENDING)}
    except FileNotFoundError:
        return {}


def _read(path: Path, known: _Stamp | None = None) -> tuple[os.stat_result, bytes | None] | None:
    """Return the status and the bytes of a file. Return None for the bytes if its stamp is known, and if it is gone."""
    for attempt in range(_STALE_TRIES):
        try:
            return _read_once(path, known)
        except FileNotFoundError:
            return None
        except OSError as reason:
            if reason.errno in (errno.ELOOP, errno.ENXIO):  # a link to itself, or a socket
                raise ValueError(_NO_FILE) from reason
            if reason.errno != errno.ESTALE or attempt == _STALE_TRIES - 1:
                raise
    return None


def _read_once(path: Path, known: _Stamp | None) -> tuple[os.stat_result, bytes | None]:
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        if stamp_of(status) == known:
            return status, None
        if not S_ISREG(status.st_mode) or status.st_size > LONGEST_FILE:
            raise ValueError(_NO_FILE)
        pieces = []
        while piece := os.read(descriptor, _READ_BYTES):
            pieces.append(piece)
        return status, b"".join(pieces)
    finally:
        os.close(descriptor)


def stamp_of(status: os.stat_result) -> _Stamp:
    """Return the stamp of a file, which changes with its content.

    Args:
        status: The status of the file.
    """
    return status.st_mtime_ns, status.st_size, status.st_ino
