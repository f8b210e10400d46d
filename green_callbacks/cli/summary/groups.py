"""Groups of runs by a label, a place or a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from green_callbacks.cli.summary.rows import Row
from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger.project_ledgers import FOLDER
from green_callbacks.text import for_terminal
from green_callbacks.text.layout import UNKNOWN

BUILT_IN: Final = ("host", "zone", "day", "month", "project")
"""Names by which runs can be grouped besides their labels."""

TIMES: Final = ("day", "month")
"""Names of the groups by time."""

_MOST_NAMED: Final = 10
"""Largest number of labels that a message names, by convention."""

_DAY: Final = "%Y-%m-%d"
_MONTH: Final = "%Y-%m"


def grouped(rows: Sequence[Row], by: str, roots: Sequence[Path]) -> Mapping[str, list[Row]]:
    """Group rows.

    Args:
        rows: The rows.
        by: A label, or one of :data:`BUILT_IN`. A label goes before a built-in name.
        roots: Files or folders, as the user named them.

    Returns:
        The rows of each group, by its name. Runs without the label have the group ``-``.

    Raises:
        ConfigurationError: No run has the label.
    """
    is_label = any(by in row.run.entry.head.labels for row in rows)
    if by not in BUILT_IN and not is_label:
        labels = sorted({name for row in rows for name in row.run.entry.head.labels})
        known = ", ".join(map(for_terminal, labels[:_MOST_NAMED])) or "none"
        msg = (
            f"No run has the label {for_terminal(by)}. Group by {', '.join(BUILT_IN)}, or by a label of these runs "
            f"({known})."
        )
        raise ConfigurationError(msg)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        name = row.run.entry.head.labels.get(by) if is_label else _built_in(row, by, roots)
        groups.setdefault(name or UNKNOWN, []).append(row)
    return groups


def _built_in(row: Row, by: str, roots: Sequence[Path]) -> str | None:
    entry = row.run.entry
    if by == "host":
        return entry.head.host
    if by == "zone":
        return entry.closing.zone
    if by == "day":
        return _when(row.began_at, _DAY)
    if by == "month":
        return _when(row.began_at, _MONTH)
    return _project(row.run.path, roots)


def _when(began_at: datetime | None, form: str) -> str | None:
    if began_at is None:
        return None
    try:
        return began_at.astimezone().strftime(form)
    except (OverflowError, OSError):  # a forged ledger may begin in the year 1
        return began_at.strftime(form)


def _project(path: Path, roots: Sequence[Path]) -> str:
    """Return the named folder if there are several, else the first folder below it."""
    root = next((each for each in roots if path.is_relative_to(each)), path.parent)
    if len(roots) > 1 or not path.is_relative_to(root):
        return str(root)
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 and parts[0] != FOLDER else str(root)
