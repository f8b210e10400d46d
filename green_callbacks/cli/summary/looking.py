"""The runs that a summary is about, from the index of their folder or from their ledgers."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from green_callbacks.cli.printing import complain
from green_callbacks.cli.progress import watched
from green_callbacks.errors import LedgerError
from green_callbacks.ledger.index import LedgerIndex
from green_callbacks.ledger.ledger_files import shown
from green_callbacks.ledger.project_ledgers import each_once, ledgers_of
from green_callbacks.ledger.project_totals import ProjectRuns, runs_of


def index_for(paths: Sequence[Path]) -> LedgerIndex:
    """Return the index of a folder. The index of several folders or files lies in the cache of the user.

    Args:
        paths: Files or folders, as the user named them.
    """
    if len(paths) == 1 and paths[0].is_dir():
        return LedgerIndex(paths[0])
    try:
        return LedgerIndex(os.path.commonpath([_folder(path) for path in paths]), beside=False)
    except (OSError, ValueError):  # on several drives, or in a folder that is gone
        return LedgerIndex()


def _folder(path: Path) -> str:
    return os.path.abspath(path if path.is_dir() else path.parent)  # noqa: PTH100  commonpath wants a text


def look(paths: Sequence[Path], index: LedgerIndex) -> ProjectRuns:
    """Find the runs in files and folders, each once.

    Args:
        paths: Files, or folders of files.
        index: The index.

    Returns:
        The runs, in the order of the paths. Files in and below a folder are sorted by name.

    Raises:
        LedgerError: A named file is missing or is no ledger, or a folder holds no ledger.
    """
    named = {path: ledgers_of(path) if path.is_dir() else [path] for path in each_once(paths)}
    files = each_once(file for found in named.values() for file in found)
    read = runs_of(watched(files, "ledgers"), index=index)
    for path, found in named.items():
        _check(path, found, dict(zip(read.unread_files, read.unread, strict=True)))
    return read


def complain_of(read: ProjectRuns) -> None:
    """Say on standard error which ledgers count in part or not at all.

    Args:
        read: What was read.
    """
    for what, said in {
        "ledgers cannot be read and do not count": read.unread,
        "ledgers are damaged and count in part": read.damaged,
        "runs stand in several ledgers": read.copies,
    }.items():
        if len(said) == 1:
            complain(said[0])
        elif said:
            complain(f"{len(said):,} {what}. {said[0]}")


def _check(path: Path, found: Sequence[Path], unread: Mapping[Path, str]) -> None:
    """Refuse a file that cannot be read, and a folder without any ledger that can be read."""
    if path in unread:
        raise LedgerError(unread[path])
    if path.is_dir() and all(file in unread for file in found):
        also = f" {unread[found[0]]}" if found else ""
        msg = f"There is no ledger (*.jsonl) in or below {shown(path)}. Name the ledger of a run.{also}"
        raise LedgerError(msg)
