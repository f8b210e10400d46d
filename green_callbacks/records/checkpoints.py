"""Which checkpoint files there are of a run."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


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

    def _by_paths(self, changed: Callable[[str], str]) -> Self:
        rows = {path if _is_url(path) else changed(path): row for path, row in self.rows.items()}
        return type(self)(self.mode, rows)

    def encode(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {"mode": self.mode, "files": dict(self.rows)}

    @classmethod
    def decode(cls, fields: Mapping[str, Any]) -> Self:
        """Read what :meth:`encode` wrote.

        Args:
            fields: The fields; unknown ones are passed over.

        Returns:
            The files.

        Raises:
            KeyError: A field is missing.
            ValueError: A field has a value that cannot be.
        """
        mode, rows = fields["mode"], fields["files"]
        if mode not in ("max", "min") or not isinstance(rows, dict) or {type(row) for row in rows.values()} - {int}:
            msg = f"These are no checkpoint files: {fields}."
            raise ValueError(msg)
        return cls(mode, rows)


def _is_url(path: str) -> bool:
    return "://" in path
