"""Finds the ledgers in and below a folder, as TensorBoard finds its runs there."""

import errno
import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from green_callbacks.ledger import is_ledger, shown

_SUFFIX: Final = ".jsonl"

_SKIPPED: Final = frozenset({".git", ".venv", "__pycache__", "node_modules", "site-packages"})
"""Names of folders that may be very large, and into which no run writes.

Folders named ``checkpoints`` are searched, because people also keep whole log folders under this name.
"""

_MAX_FOLDERS: Final = 100_000
"""Largest number of folders that one search enters, which takes about 3 s on a local disk, by experiment."""

_MAX_ENTRIES: Final = 2_000_000
"""Largest number of files and folders that one search sees, which takes about 3 s on a local disk, by experiment."""

_MAX_DEPTH: Final = 64
"""Number of folders below the searched folder at which a search turns back. People's own folders are not so deep."""

_MAX_LEDGERS: Final = 10_000
"""Largest number of ledgers that one search returns. Their rows take about 20 MB, the most that a page can show."""

_KEY_DIGITS: Final = 16
"""Hexadecimal digits of a key. With 10,000 ledgers, two keys are equal with a probability of 3e-12."""

_NAMED: Final = 2
"""Number of folders or files that a sentence names before it counts the others. More would fill the page."""

_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
"""Errors of folders that vanished during the search, and of links that lead nowhere or back to themselves."""

_Identity = tuple[int, int]


class Stamp(NamedTuple):
    """Distinguishes the states of a file. A file whose stamp is the same has not changed.

    Attributes:
        device: Number of the file system.
        inode: Number of the file on it.
        size: Length, in bytes.
        written_ns: Time of the last write, in ns since 1970.
        changed_ns: Time of the last change of content or properties, in ns since 1970.
    """

    device: int
    inode: int
    size: int
    written_ns: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        """Return the stamp of a file from its status."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class FoundLedger:
    """A ledger that was found.

    Attributes:
        path: The file.
        relative: Its path from the searched folder, with ``/`` between the names.
        key: Short name that stays the same from search to search and needs no escaping in an address.
        stamp: State of the file.
    """

    path: Path
    relative: str
    key: str
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Search:
    """The result of a search.

    Attributes:
        ledgers: The ledgers, each once, real files before links.
        said: Sentences about everything that could not be searched.
    """

    ledgers: Sequence[FoundLedger]
    said: Sequence[str]


class LedgerFinder:
    """Searches a folder again and again. Only new and changed files are opened.

    Links are followed, each folder and each file once. Any ``.jsonl`` file whose first bytes are the head of a ledger
    is a ledger, in any folder.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, FoundLedger] = {}
        self._others: dict[str, Stamp] = {}

    def find(self, on_found: Callable[[], None] = lambda: None) -> Search:
        """Search the folder. Never raises an error of the file system.

        Args:
            on_found: Called at each ledger. Defaults to nothing.

        Returns:
            The ledgers, and sentences about everything that could not be searched.
        """
        walk = _Walk(str(self.folder))
        known: dict[str, FoundLedger] = {}
        others: dict[str, Stamp] = {}
        seen: set[_Identity] = set()
        for name, status in walk.files():
            stamp = Stamp.of(status)
            if stamp[:2] in seen:
                continue
            seen.add(stamp[:2])
            if self._others.get(name) == stamp or (ledger := self._ledger(name, stamp, walk)) is None:
                others[name] = stamp
            elif len(known) == _MAX_LEDGERS:
                walk.stop(f"There are more than {_MAX_LEDGERS:,} ledgers, and the others are not shown.")
                break
            else:
                known[name] = ledger
                on_found()
        self._known, self._others = known, others
        return Search(tuple(known.values()), walk.said())

    def _ledger(self, name: str, stamp: Stamp, walk: "_Walk") -> FoundLedger | None:
        known = self._known.get(name)
        if known is not None and known.stamp == stamp:
            return known
        path = self.folder / name
        if not is_ledger(path):
            if stamp.size and not os.access(path, os.R_OK):
                walk.closed_files.append(name)
            return None
        return FoundLedger(path, name, key_of(name), stamp)


class _Folder(NamedTuple):
    """A folder to search, with its path from the root, its depth, and its identity where that is known."""

    place: str
    depth: int
    identity: _Identity | None


def _below(folder: _Folder, entry: os.DirEntry[str]) -> str:
    return f"{folder.place}/{entry.name}" if folder.place else entry.name


@dataclass(slots=True)
class _Walk:
    """One walk through a folder and all folders below it. Real folders come first, so that they give the names."""

    root: str
    closed_folders: list[str] = field(default_factory=list)
    closed_files: list[str] = field(default_factory=list)
    _failed: list[str] = field(default_factory=list)
    _bounds: list[str] = field(default_factory=list)
    _too_deep: str | None = None
    _waiting: "deque[_Folder]" = field(default_factory=deque)
    _linked_folders: "deque[_Folder]" = field(default_factory=deque)
    _linked_files: list[str] = field(default_factory=list)
    _entered: set[_Identity] = field(default_factory=set)
    _entries: int = 0
    _device: int = 0

    def files(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the path from the root, and the status, of each regular file that is named like a ledger."""
        self._linked_folders.append(_Folder("", 0, None))
        while not self._bounds and (self._waiting or self._linked_folders):
            folder = (self._waiting or self._linked_folders).popleft()
            for entry in self._entries_of(folder):
                try:
                    status = self._sorted(entry, folder)
                except OSError as reason:
                    self._fail(_below(folder, entry), reason)
                    continue
                if status is not None:
                    yield _below(folder, entry), status
        for place in self._linked_files:
            if (status := self._status(place)) is not None and stat.S_ISREG(status.st_mode):
                yield place, status

    def _sorted(self, entry: os.DirEntry[str], folder: "_Folder") -> os.stat_result | None:
        """Put a folder or a link onto its list. Return the status of a file that is named like a ledger."""
        if entry.is_dir():
            if entry.name not in _SKIPPED:
                self._enter_later(entry, folder)
        elif entry.name.endswith(_SUFFIX):
            if entry.is_symlink():
                self._linked_files.append(_below(folder, entry))
            elif entry.is_file():
                return entry.stat()
        return None

    def _enter_later(self, entry: os.DirEntry[str], above: "_Folder") -> None:
        place, depth = _below(above, entry), above.depth + 1
        if depth > _MAX_DEPTH:
            self._too_deep = place
        elif entry.is_symlink():
            self._linked_folders.append(_Folder(place, depth, None))
        else:  # of a mounted folder, this is not the identity, so links to it are searched in vain once more
            self._waiting.append(_Folder(place, depth, (self._device, entry.inode())))

    def _entries_of(self, folder: "_Folder") -> list[os.DirEntry[str]]:
        identity = folder.identity or self._identity(folder.place)
        if identity is None or identity in self._entered:
            return []
        self._device = identity[0]
        self._entered.add(identity)
        try:
            with os.scandir(self._path(folder.place)) as entries:
                found = list(entries)
        except (OSError, ValueError) as reason:
            self._fail(folder.place, reason)
            return []
        self._entries += len(found)
        if len(self._entered) > _MAX_FOLDERS or self._entries > _MAX_ENTRIES:
            self.stop("There are too many files and folders, and some were not searched.")
        return found

    def _identity(self, place: str) -> _Identity | None:
        status = self._status(place)
        return None if status is None else (status.st_dev, status.st_ino)

    def _status(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(self._path(name))  # noqa: PTH116  a path object would take most of the time
        except (OSError, ValueError) as reason:
            self._fail(name, reason)
            return None

    def _path(self, name: str) -> str:
        return os.path.join(self.root, name) if name else self.root  # noqa: PTH118

    def _fail(self, name: str, reason: OSError | ValueError) -> None:
        if isinstance(reason, PermissionError):
            self.closed_folders.append(name)
        elif not name and isinstance(reason, FileNotFoundError | NotADirectoryError | ValueError):
            is_file, root = isinstance(reason, NotADirectoryError), shown(self.root)
            fact = f"{root} is not a folder" if is_file else f"There is no folder {root}"
            self._bounds.append(f"{fact}. Name the folder of the runs.")
        elif isinstance(reason, ValueError) or reason.errno not in _GONE:
            self._failed.append(f"{shown(name or self.root)} ({getattr(reason, 'strerror', None) or reason})")

    def stop(self, sentence: str) -> None:
        """End the walk early.

        Args:
            sentence: The reason.
        """
        self._bounds.append(f"{sentence} Choose a folder further down.")

    def said(self) -> list[str]:
        """Return sentences about everything that was not searched."""
        said = list(self._bounds)
        if self.closed_folders:
            folders = _listed([name or self.root for name in self.closed_folders], "folder", "folders")
            said.append(f"No runs are shown from {folders}, because this user may not look there.")
        if self.closed_files:
            files = _listed(self.closed_files, "file", "files")
            said.append(f"No run is shown from {files}, because this user may not read there.")
        if self._too_deep is not None:
            said.append(
                f"Folders more than {_MAX_DEPTH} levels down were not searched ({shown(self._too_deep[:80])}…)."
            )
        if self._failed:
            said.append(f"Runs may be missing, because the disk refused {_listed(self._failed, 'folder', 'folders')}.")
        return said


def _listed(names: Sequence[str], one: str, many: str) -> str:
    listed = ", ".join(shown(name) for name in names[:_NAMED])
    more = len(names) - _NAMED
    return f"{listed} and {more} other {one if more == 1 else many}" if more > 0 else listed


def key_of(relative: str) -> str:
    """Return the key of a ledger.

    Args:
        relative: Its path from the searched folder.
    """
    return hashlib.sha256(os.fsencode(relative)).hexdigest()[:_KEY_DIGITS]
