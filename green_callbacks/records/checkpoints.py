"""The checkpoint files of a run."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from green_callbacks.records.checked import MAX_FILES, MAX_PATH, count, mapping, one_of, text

_MODES: Final = frozenset({"max", "min"})
_MOST_FIELDS: Final = 100
"""Most fields of the JSON object. Two are known, and later versions may write more."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Checkpoint files on the Pareto front of emissions and a metric.

    Attributes:
        mode: ``max`` if more of the metric is better, ``min`` if less is better.
        rows: Maps the path or URL of each file to the position of its record in the history. The file was saved at the
            end of this record.

    Example:
        >>> checkpoints = Checkpoints("max", {"best.ckpt": 3})
        >>> Checkpoints.decode(checkpoints.encode()) == checkpoints
        True
    """

    mode: str
    rows: Mapping[str, int]

    def that_exist(self) -> Self:
        """Return the files that still exist. Files behind a URL count as existing."""
        there = (path for path in self.rows if _is_url(path) or os.path.exists(path))  # noqa: PTH110  never raises
        return type(self)(self.mode, {path: self.rows[path] for path in there})

    def seen_from(self, folder: Path) -> Self:
        """Return the files of a folder, or beside it, with paths relative to the folder.

        So the folder can be moved with its files.
        """

        def seen(path: str) -> str:
            return os.path.relpath(path, folder) if Path(path).is_relative_to(folder.parent) else path

        return self._by_paths(seen)

    def found_from(self, folder: Path) -> Self:
        """Undo :meth:`seen_from`, wherever the folder is now."""
        return self._by_paths(lambda path: os.path.abspath(folder / path))  # noqa: PTH100  links stay as they are

    def within(self, folder: Path, rows: int) -> Self:
        """Leave out files that cannot belong to this run, because their path leads elsewhere or their row is missing.

        Only relative paths are checked, because a ledger uses them for its own neighborhood. No file is opened.

        Args:
            folder: Folder at which the paths begin.
            rows: Number of records of the history.
        """
        around = os.path.abspath(folder.parent)  # noqa: PTH100  links stay as they are

        def stays(path: str) -> bool:
            if _is_url(path) or os.path.isabs(path):  # noqa: PTH117  likewise
                return True
            whole = os.path.abspath(folder / path)  # noqa: PTH100  likewise
            return "\0" not in path and whole != around and os.path.commonpath((around, whole)) == around

        return type(self)(self.mode, {path: row for path, row in self.rows.items() if row < rows and stays(path)})

    def _by_paths(self, changed: Callable[[str], str]) -> Self:
        rows = {path if _is_url(path) else changed(path): row for path, row in self.rows.items()}
        return type(self)(self.mode, rows)

    def encode(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {"mode": self.mode, "files": dict(self.rows)}

    @classmethod
    def decode(cls, fields: object) -> Self:
        """Read the result of :meth:`encode`.

        Args:
            fields: The fields, of any type. Unknown fields are ignored.

        Returns:
            The files.

        Raises:
            ValueError: A field is missing, or has an impossible type or value. The message names it.
        """
        try:
            known = mapping(fields, _MOST_FIELDS)
            mode = one_of(known.get("mode"), _MODES)
            rows = {text(path, MAX_PATH): count(row) for path, row in mapping(known.get("files"), MAX_FILES).items()}
        except ValueError as reason:
            msg = f"These are not checkpoint files: {reason}."
            raise ValueError(msg) from reason
        return cls(mode, rows)


def _is_url(path: str) -> bool:
    return "://" in path
