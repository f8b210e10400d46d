"""The index of a folder, through which sums over many ledgers read only what has changed."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from time import time_ns
from typing import Final, TypeVar

from green_callbacks.ledger.followed_ledger import KEPT_SECONDS, FollowedLedger
from green_callbacks.ledger.index.entry_codec import decode_entry, encode_entry
from green_callbacks.ledger.index.index_file import (
    DIVISION,
    PART,
    STRETCHES,
    FileState,
    is_of_one,
    is_present,
    key_of,
    read_index,
    state_of,
    write_index,
)
from green_callbacks.ledger.index.index_places import index_places, make_parents
from green_callbacks.ledger.index.ledger_entry import (
    LedgerEntry,
    UnreadLedger,
    closed_entry,
    entry_from,
    entry_of,
    summed_entry,
)
from green_callbacks.ledger.index.overlap_codec import (
    decode_division,
    decode_part,
    decode_stretches,
    encode_division,
    encode_part,
    encode_stretches,
)
from green_callbacks.ledger.overlaps.shares import Files, Part
from green_callbacks.ledger.overlaps.stretches import Stretch

_T = TypeVar("_T")
_SETTLED_NS: Final = 2_000_000_000
"""Time in ns after a change from which another change has another time. FAT has the coarsest times, of 2 s."""

_NS_PER_SECOND: Final = 10**9
"""Nanoseconds in a second."""

_WORTH_BYTES: Final = 2**20
"""Number of bytes whose reading is worth an index. By experiment, they take 0.02 s, and an index takes 0.01 s."""

_CHUNK: Final = 1_000
"""Number of runs whose parts stand in one line. By experiment, they take 0.3 MB, and a line may have 1 MB."""

_CLOSED_BYTES: Final = 2**16
"""Number of bytes that a closed ledger counts for, because of the time to open it. It makes an index for 16 ledgers."""


class LedgerIndex:
    """Remembers the totals of ledgers, so that a later look reads only the ledgers that have changed.

    The index is a file in the hidden folder ``.green-callbacks`` of a project, or in the cache of the user where that
    cannot be written. It may be deleted at any time. Without a place for it, every look reads all ledgers. It trusts
    only ledgers that have not changed in path, size, times and inode, and whose last change is 2 s ago. Ledgers that
    grow are read on from where the last look of the same object ended.

    Several processes may use the index of a folder at once. One thread at a time may use this object.

    Args:
        root: Folder of the ledgers. None for no index.
        beside: Whether the index may lie in that folder. Defaults to True.
        now_ns: Returns the time of day in ns. Defaults to the clock of the system.

    Example:
        >>> from tempfile import mkdtemp
        >>> with_ledgers = LedgerIndex(mkdtemp())
        >>> list(with_ledgers.entries([]))
        []
    """

    def __init__(
        self, root: str | Path | None = None, *, beside: bool = True, now_ns: Callable[[], int] = time_ns
    ) -> None:
        self._root = "" if root is None else _absolute(root)
        self._places = index_places(Path(self._root), beside=beside) if self._root else []
        self._now_ns = now_ns
        self._known: dict[bytes, bytes] | None = None
        self._seen: set[bytes] = set()
        self._growing: dict[str, FollowedLedger] = {}
        self._new_bytes = 0
        self._has_asked_for_parts = self._is_whole = False

    def entries(self, paths: Iterable[Path]) -> Iterator[tuple[Path, LedgerEntry | UnreadLedger]]:
        """Look at ledgers, one at a time.

        Args:
            paths: The ledgers.

        Yields:
            Each ledger with its totals, or with the reason why it cannot be read.
        """
        for path in paths:
            yield path, self.entry(path)

    def entry(self, path: Path) -> LedgerEntry | UnreadLedger:
        """Return the totals of a ledger, or the reason why it cannot be read.

        Args:
            path: The ledger.
        """
        name, state = self._name(path), state_of(path)
        if state is None or not name:
            return entry_of(path)
        key = key_of([(name, state)])
        known = self._recalled(key, lambda line: decode_entry(line, path))
        if known is not None:
            return known
        entry = self._read(path, name, state)
        self._remember(key, entry, path, [(path, state)])
        return entry

    def united(self, paths: Sequence[Path], unite: Callable[[], LedgerEntry]) -> LedgerEntry:
        """Return the totals of a run that several ledgers hold in part.

        Args:
            paths: The ledgers.
            unite: Reads all of them, and returns the totals of the run.
        """
        states = [(path, state) for path in paths if (state := state_of(path)) is not None]
        if len(states) < len(paths) or not all(map(self._name, paths)):
            return unite()
        key = key_of([(self._name(path), state) for path, state in states])
        known = self._recalled(key, lambda line: decode_entry(line, paths[0]))
        if isinstance(known, LedgerEntry):
            return known
        entry = unite()
        self._remember(key, entry, paths[0], states)
        return entry

    def stretches(self, files: Files) -> Sequence[Stretch] | None:
        """Return when a run has measured which devices, or None if that is not known.

        Args:
            files: Its ledgers.
        """
        return self._known_of(files, decode_stretches, STRETCHES)

    def keep_stretches(self, files: Files, stretches: Sequence[Stretch]) -> None:
        """Remember when a run has measured which devices.

        Args:
            files: Its ledgers, which have just been read.
            stretches: The times.
        """
        self._keep_of(files, encode_stretches(stretches), STRETCHES)

    def part(self, files: Files, company: str) -> Part | None:
        """Return the part of a run in what it has measured in some company, or None if that is not known.

        Args:
            files: Its ledgers.
            company: Text that changes with the company.
        """
        self._has_asked_for_parts = True
        return self._known_of(files, decode_part, PART, company)

    def keep_part(self, files: Files, company: str, part: Part) -> None:
        """Remember the part of a run in what it has measured in some company.

        Args:
            files: Its ledgers, which have just been read.
            company: Text that changes with the company.
            part: The part.
        """
        self._keep_of(files, encode_part(part), PART, company)

    def division(self, runs: Sequence[Files]) -> Sequence[Part | None] | None:
        """Return the parts of runs that have been divided before, or None if one of the ledgers has changed since.

        Args:
            runs: The ledgers of each run.
        """
        found: list[Part | None] = []
        for key, chunk in self._division_keys(runs):
            known = self._recalled(key, decode_division)
            if known is None or len(known) != len(chunk):
                return None
            found += known
        return found if len(found) == len(runs) else None

    def keep_division(self, runs: Sequence[Files], parts: Sequence[Part | None]) -> None:
        """Remember the parts of runs.

        Args:
            runs: The ledgers of each run, which have just been read.
            parts: The part of each run. None for a run that has shared nothing.
        """
        for number, (key, chunk) in enumerate(self._division_keys(runs)):
            begin = number * _CHUNK
            self._keep(key, encode_division(parts[begin : begin + len(chunk)]), _CLOSED_BYTES * len(chunk))

    def _division_keys(self, runs: Sequence[Files]) -> Iterator[tuple[bytes, Sequence[Files]]]:
        """Yield the keys of the lines of a division, with their runs, if all ledgers are known in their states."""
        identity = sha256()
        for files in runs:
            states = self._states(files)
            if states is None:
                return
            identity.update(key_of(states))
        for begin in range(0, len(runs), _CHUNK):
            yield key_of([], DIVISION, identity.hexdigest(), str(begin)), runs[begin : begin + _CHUNK]

    def save(self) -> None:
        """Write the index, if reading its ledgers again would take longer. Raises nothing."""
        if self._new_bytes < _WORTH_BYTES or self._known is None:
            return
        self._new_bytes = 0
        for place in self._places:
            make_parents(place)
            entries = {**read_index(place), **self._known}  # another process may have written meanwhile
            # A part holds for one company, so parts that this look has not asked for are of no use after it.
            without = {DIVISION, PART} if self._has_asked_for_parts else {DIVISION}
            root, seen = Path(self._root), self._seen
            present = {key: entries[key] for key in entries if key in seen or is_present(key, root, without)}
            if write_index(place, present):
                self._seen.clear()  # from here on, these ledgers may change
                return

    def _name(self, path: Path) -> str:
        """Return the path below the folder, so that the folder may be renamed."""
        name = _absolute(path)
        return name[len(self._root) + 1 :] if name.startswith(self._root + os.sep) else name

    def _states(self, files: Files) -> list[tuple[str, FileState]] | None:
        """Return the states of ledgers, if their totals stand in the index, so that these are the states then."""
        states = [(self._name(path), state) for path in files if (state := state_of(path)) is not None]
        known = self._known or {}
        return states if len(states) == len(files) and all(key_of([each]) in known for each in states) else None

    def _known_of(self, files: Files, decode: Callable[[bytes], _T], *kinds: str) -> _T | None:
        states = self._states(files)
        return None if states is None else self._recalled(key_of(states, *kinds), decode)

    def _keep_of(self, files: Files, line: bytes, *kinds: str) -> None:
        states = self._states(files)
        if states is not None:
            self._keep(key_of(states, *kinds), line, sum(state.size for _, state in states))

    def _recalled(self, key: bytes, decode: Callable[[bytes], _T]) -> _T | None:
        if self._known is None:
            self._known = self._read_places(whole=False)
        if not self._is_whole and is_of_one(key):
            self._known, self._is_whole = {**self._read_places(whole=True), **self._known}, True
        line = self._known.get(key)
        if line is None:
            return None
        try:
            entry = decode(line)
        except (ValueError, RecursionError):  # of another version, or made by somebody else
            return None
        self._seen.add(key)
        return entry

    def _read_places(self, *, whole: bool) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for place in reversed(self._places):
            found |= read_index(place, whole=whole)
        return found

    def _remember(
        self, key: bytes, entry: LedgerEntry | UnreadLedger, path: Path, states: Sequence[tuple[Path, FileState]]
    ) -> None:
        """Keep an entry, if its ledgers stay as they were read."""
        now_ns = self._now_ns()
        is_settled = all(state.settled(now_ns, _SETTLED_NS) and state_of(each) == state for each, state in states)
        is_lasting = bool(entry.run_id) if isinstance(entry, LedgerEntry) else entry.lasts
        if not (self._places and is_settled and is_lasting):
            return
        with suppress(ValueError):  # a number of a damaged ledger is not finite
            is_closed = isinstance(entry, LedgerEntry) and entry.is_closed
            self._keep(key, encode_entry(entry, path), 0 if is_closed else sum(state.size for _, state in states))

    def _keep(self, key: bytes, line: bytes, read_bytes: int) -> None:
        if self._known is not None:
            self._known[key] = line
            self._seen.add(key)
            self._new_bytes += _CLOSED_BYTES + read_bytes

    def _read(self, path: Path, name: str, state: FileState) -> LedgerEntry | UnreadLedger:
        is_young = abs(self._now_ns() - state.written_ns) < KEPT_SECONDS * _NS_PER_SECOND
        closed = closed_entry(path)
        if not is_young or closed is not None:
            self._growing.pop(name, None)
            return closed or summed_entry(path)
        followed = self._growing.setdefault(name, FollowedLedger(path))
        followed.refresh()
        overview = followed.overview
        if overview is None or not overview.closing.is_of_this_version:  # unreadable, or closed by an earlier version
            return summed_entry(path)
        return entry_from(overview.closing, overview.head, is_closed=overview.is_closed, remark=overview.remark)


def _absolute(path: str | Path) -> str:
    """Return an absolute path as a text. Empty if the working folder has been removed."""
    try:
        return os.path.abspath(path)  # noqa: PTH100  it is compared as a text
    except (OSError, ValueError):
        return str(path) if os.path.isabs(path) else ""  # noqa: PTH117  it may be no path at all
