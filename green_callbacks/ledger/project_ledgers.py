"""Finds the ledgers of many runs among the other files of their folders."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from green_callbacks.ledger.ledger_files import may_be_ledger

FOLDER: Final = "green-callbacks"
"""Name of the folder in a log folder that holds the ledgers of its runs."""
HIDDEN_FOLDER: Final = ".green-callbacks"
"""Name of the folder in a project that holds what is no ledger. Searches for ledgers skip hidden folders."""

_LEDGERS: Final = "**/*.jsonl"
_Identity = tuple[int, int]


def ledgers_of(project: str | Path) -> list[Path]:
    """Find the ledgers of a project by their first bytes and their names.

    Other files, such as data sets in JSON lines, are skipped after their first bytes. A file that cannot be opened, or
    that is named like a run, may be a damaged ledger and is included.

    Args:
        project: A folder, a pattern or a file. A folder is searched for ``*.jsonl`` files with all folders below it. In
            a pattern, ``**`` stands for any folders, but links to folders are not followed. A file is always included.

    Returns:
        The files. A file that several links lead to is listed once. Empty if the folder does not exist.

    Example:
        >>> ledgers_of("no-such-folder")
        []
    """
    if os.path.isdir(project):  # noqa: PTH112  this one never raises
        return each_once(filter(may_be_ledger, sorted(matches(Path(project), _LEDGERS))))
    folder = folder_of(project)
    found = sorted(matches(folder, "/".join(Path(project).parts[len(folder.parts) :])))
    return each_once(filter(may_be_ledger, found) if glob.has_magic(str(project)) else found)


def folder_of(project: str | Path) -> Path:
    """Return the folder below which the ledgers of a project lie, which may be missing. Raises nothing.

    Args:
        project: A folder, a pattern or a file.
    """
    path = Path(project)
    if os.path.isdir(path):  # noqa: PTH112  this one never raises
        return path
    parts = path.parts
    named = (at for at, part in enumerate(parts) if glob.has_magic(part))
    fixed = next((at for at in named if not os.path.isdir(Path(*parts[: at + 1]))), max(0, len(parts) - 1))  # noqa: PTH112
    return Path(*parts[:fixed])


def matches(folder: Path, pattern: str) -> Iterator[Path]:
    """Find the files below a folder that match a pattern, as a shell does.

    Hidden files match only a pattern with a hidden name. This function never raises. A folder that cannot be read
    counts as empty.

    Args:
        folder: Folder at which the pattern begins.
        pattern: Names with wildcards, separated by ``/``. ``**`` stands for any folders.

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
    except (OSError, ValueError):  # a name with a zero byte raises ValueError
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
    """Return the paths, without any path to a file that an earlier path leads to.

    Args:
        paths: Files or folders. Missing files are kept.
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
    """Return the identity of a file, which is the same for all its paths. None for a missing file."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
