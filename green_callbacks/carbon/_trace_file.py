"""Reading of a carbon intensity over time from a CSV file."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from green_callbacks.carbon.tables import read_csv
from green_callbacks.errors import ConfigurationError
from green_callbacks.small_files import check_size
from green_callbacks.units import described, given_number

_MOST_BYTES: Final = 1 << 26
"""Largest file that is read, in bytes. More than a century of hourly values fits."""
_LONGEST_HEADER: Final = 1_000
"""Longest first line that is read, in characters."""

_TIME, _VALUE = "utc", "g_per_kwh"
_GAPS: Final = frozenset({"", "nan"})

Series = Iterable[tuple[datetime, float | None]]
"""Pairs of an aware time and the gCO2e/kWh from then on. None or NaN begins a gap."""


def read_trace(path: Path) -> Series:
    """Read a CSV file with the columns ``utc`` and ``g_per_kwh``.

    Args:
        path: The file.

    Returns:
        The times and values, in the order of the file.

    Raises:
        ConfigurationError: The file cannot be read, or a cell holds no time or no number. The message names file and
            line.
    """
    try:
        check_size(path, _MOST_BYTES)
        _refuse_other_marks(path)
        rows = read_csv(path)
    except UnicodeDecodeError:
        raise _wrong(path, "it is not in UTF-8. Save a workbook as CSV (UTF-8) first") from None
    except (OSError, ValueError) as failure:
        if isinstance(failure, ConfigurationError):
            raise
        fault = f"{getattr(failure, 'strerror', None) or failure}"
        remedy = ". A decimal comma divides columns, so write decimal points" if "columns" in fault else ""
        raise _wrong(path, f"{fault}{remedy}") from failure
    if not rows:
        raise _wrong(path, "it holds no values")
    if not {_TIME, _VALUE} <= rows[0].keys():
        raise _wrong(path, f"its first line names the columns {', '.join(map(described, rows[0]))}")
    return [_pair(path, number, row) for number, row in enumerate(rows, start=2)]


def _refuse_other_marks(path: Path) -> None:
    """Refuse the separators that spreadsheets use in countries with a decimal comma."""
    with path.open(encoding="utf-8-sig") as lines:
        header = lines.readline(_LONGEST_HEADER)
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if mark in header and "," not in header:
            raise _wrong(path, f"its columns are divided by {name}. Divide them by commas, and write decimal points")


def _pair(path: Path, number: int, row: Mapping[str, str]) -> tuple[datetime, float | None]:
    time, value = row[_TIME].strip(), row[_VALUE].strip()
    try:
        when = datetime.fromisoformat(time)
    except ValueError:
        fault = f"line {number} has the time {described(time)}. Write ISO 8601, such as 2026-01-31T18:00Z"
        raise _wrong(path, fault) from None
    try:
        return when if when.tzinfo else when.replace(tzinfo=UTC), _number(value)
    except ValueError as failure:
        raise _wrong(path, f"of line {number} ({failure})") from None


def _number(text: str) -> float | None:
    return None if text.lower() in _GAPS else given_number(text)


def _wrong(path: Path, fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"Cannot read {path} as a CSV file with the columns {_TIME} (ISO 8601) and {_VALUE}, because {fault}."
    )
