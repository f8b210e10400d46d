"""The ledgers of many runs: found among whatever else lies in the folders."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from green_callbacks.ledger.ledger_files import may_be_ledger

FOLDER: Final = "green-callbacks"
"""The folder in which the runs of a log folder keep their ledgers."""

_LEDGERS: Final = "**/*.jsonl"
_Identity = tuple[int, int]


def ledgers_of(project: str | Path) -> list[Path]:
    """Find the ledgers of a project, as far as their first bytes and their names tell.

    Of other files, such as data sets in JSON lines, no more than the first bytes are read. One that cannot be opened,
    or has the name of a run of ours, may be a damaged ledger, and is among those found.

    Args:
        project: A folder, of which all ``*.jsonl`` in it and below count; or a pattern of files in which ``**`` stands
            for any folders; or one file, whatever it holds. Links to folders are not followed by ``**``, so that a loop
            of links has an end.

    Returns:
        The files, each once, whatever links lead to it; none where there is no such folder yet.
    """
    if os.path.isdir(project):  # noqa: PTH112  never raises
        return each_once(filter(may_be_ledger, sorted(matches(Path(project), _LEDGERS))))
    path = Path(project)
    parts = path.relative_to(path.anchor).parts
    fixed = next((at for at, part in enumerate(parts) if glob.has_magic(part)), max(0, len(parts) - 1))
    found = sorted(matches(Path(path.anchor, *parts[:fixed]), "/".join(parts[fixed:])))
    return each_once(filter(may_be_ledger, found) if glob.has_magic(str(path)) else found)


def matches(folder: Path, pattern: str) -> Iterator[Path]:
    """Find the files below a folder by a pattern, as the shell does: hidden ones only where the pattern says so.

    Never raises: a folder that cannot be read, that is gone meanwhile, or that a link leads back to, holds nothing.

    Args:
        folder: Where the pattern begins.
        pattern: Names with wildcards, divided by ``/``, in which ``**`` stands for any folders.

    Yields:
        The files, in any order.
    """
    wanted = pattern.split("/")
    is_deep = "**" in wanted
    shows_hidden = any(part.startswith(".") for part in wanted)
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        place = waiting.pop()
        for entry in _entries(folder.joinpath(*place)):
            here = (*place, entry.name)
            if entry.name.startswith(".") and not shows_hidden:
                continue
            if not _is_folder(entry, through_links=not is_deep):
                if _fits(here, wanted):
                    yield folder.joinpath(*here)
            elif is_deep or len(here) < len(wanted):
                waiting.append(here)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (OSError, ValueError):  # a name with a zero byte is a ValueError
        return []


def _is_folder(entry: os.DirEntry[str], *, through_links: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=through_links)
    except OSError:  # a link that leads back to itself
        return False


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern or not parts:
        return not parts and all(each == "**" for each in pattern)
    if pattern[0] == "**":
        return _fits(parts, pattern[1:]) or _fits(parts[1:], pattern)
    return fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def each_once(paths: Iterable[Path]) -> list[Path]:
    """Leave out every path to a file that another path leads to.

    Args:
        paths: Files or folders; those that are not there stay.
    """
    seen: set[_Identity] = set()
    kept = []
    for path in paths:
        identity = identity_of(path)
        if identity is None or identity not in seen:
            kept.append(path)
        if identity is not None:
            seen.add(identity)
    return kept


def identity_of(path: str | Path) -> _Identity | None:
    """Return what tells a file from all others, whatever its path; None where there is no such file."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
