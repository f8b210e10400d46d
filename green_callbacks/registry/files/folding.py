"""Moves the claims of sessions that are over into one file, so that thousands of them cost a claim nothing.

Two processes that fold at once lose nothing. Both write all that they move, and a claim in two files counts once.
"""

import random
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final

from green_callbacks.registry.files.file_format import Content, encoded
from green_callbacks.registry.files.folder_files import ENDING, FolderFiles, SingleFile, stamp_of
from green_callbacks.registry.files.folder_writing import write_kept
from green_callbacks.registry.protocol import DEAD_SECONDS

FEWEST_FILES: Final = 64
"""Number of files of sessions that are over, from which on they are folded. Reading as many takes 2 ms."""
MOST_FILES: Final = 1_000
"""Largest number of files that are folded at once. With the longest paths, the result stays readable."""
_CHANCE: Final = 1 / 8
"""Chance that a claim folds, so that not all runs of a search fold at the same moment. No unit, by experiment."""
_SILENT_SECONDS: Final = 10 * DEAD_SECONDS
"""Time in s without a claim after which a session is taken to be over. Should it go on, nothing is lost."""


def fold(files: FolderFiles, now: float) -> None:
    """Fold the files of sessions that are over, if there are many.

    Args:
        files: The files of the budget, as read last.
        now: The time by the clock of the file system, in s since 1970.

    Raises:
        OSError: The folder cannot be written.
    """
    over = [(name, file) for name, file in files.singles.items() if _is_over(file, now)]
    if len(over) < FEWEST_FILES or random.random() > _CHANCE:  # noqa: S311  nobody gains by guessing it
        return
    moved = sorted(over, key=lambda each: each[0])[:MOST_FILES]
    content = Content([told for _, file in moved for told in file.content.sessions])
    write_kept(files.kept, "folded", encoded(content))
    for name, file in moved:
        with suppress(FileNotFoundError):  # another process has folded it too
            _remove(files.runs / name, file.stamp)


def _is_over(file: SingleFile, now: float) -> bool:
    return all(told.is_ended or now - told.told_at >= _SILENT_SECONDS for told in file.content.sessions)


def _remove(path: Path, stamp: tuple[int, int, int]) -> None:
    """Delete a file if it still holds what was folded.

    The file is renamed first. If its session has told something new meanwhile, readers find this under the new name.
    """
    taken = path.with_name(f"taken-{uuid.uuid4().hex}{ENDING}")
    path.rename(taken)
    if stamp_of(taken.stat()) == stamp:
        taken.unlink()
