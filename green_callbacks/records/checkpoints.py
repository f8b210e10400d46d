"""Which checkpoint files there are of a run."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from green_callbacks.records.checked import MAX_FILES, MAX_PATH, count, mapping, one_of, text

_MODES: Final = frozenset({"max", "min"})
_MOST_FIELDS: Final = 100
"""A later version may say more than these two; never so much."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Checkpoint files of the front of emissions and a metric.

    Attributes:
        mode: ``max`` or ``min``: which way the metric improves.
        rows: The files by their paths or URLs, and of each the position in the history of the record at whose end it
            was saved.
    """

    mode: str
    rows: Mapping[str, int]

    def that_exist(self) -> Self:
        """Leave out the files that are gone; those behind a URL are taken to be there."""
        there = (path for path in self.rows if _is_url(path) or os.path.exists(path))  # noqa: PTH110  never raises
        return type(self)(self.mode, {path: self.rows[path] for path in there})

    def seen_from(self, folder: Path) -> Self:
        """Let the files in a folder, or beside it, go by their paths from there, so that all can be moved together."""

        def seen(path: str) -> str:
            return os.path.relpath(path, folder) if Path(path).is_relative_to(folder.parent) else path

        return self._by_paths(seen)

    def found_from(self, folder: Path) -> Self:
        """Undo :meth:`seen_from`, wherever the folder lies now."""
        return self._by_paths(lambda path: os.path.abspath(folder / path))  # noqa: PTH100  links stay as they are

    def within(self, folder: Path, rows: int) -> Self:
        """Leave out what cannot be of this run: paths that lead out of a folder or its neighbors, and missing rows.

        Only paths that are relative are looked at: they are what a ledger says of its own neighborhood. No file is
        opened or asked for.

        Args:
            folder: The folder that the paths begin at.
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
        """Read what :meth:`encode` wrote.

        Args:
            fields: The fields, of any kind; unknown ones are passed over.

        Returns:
            The files.

        Raises:
            ValueError: A field is missing, or has a type or a value that cannot be; the message says which.
        """
        try:
            known = mapping(fields, _MOST_FIELDS)
            mode = one_of(known.get("mode"), _MODES)
            rows = {text(path, MAX_PATH): count(row) for path, row in mapping(known.get("files"), MAX_FILES).items()}
        except ValueError as reason:
            msg = f"These are no checkpoint files: {reason}."
            raise ValueError(msg) from reason
        return cls(mode, rows)


def _is_url(path: str) -> bool:
    return "://" in path
