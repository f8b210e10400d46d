"""Reading of JSON that others wrote: what is not as it should be is nothing, and nothing raises."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeGuard

from green_callbacks.carbon.base import MAX_G_PER_KWH

_NOTHING: Final[Mapping[str, object]] = {}
_LONGEST_STEP_SECONDS: Final = 86_400.0
"""No service tells a value for longer than a day, in s."""
_LONGEST_TEXT: Final = 200
_LAST_SECONDS: Final = 4_102_444_800.0  # the year 2100


def mapping(value: object) -> Mapping[str, object]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else _NOTHING


def sequence(value: object) -> Sequence[object]:
    """Return a JSON array; one of a single element for an object, an empty one for anything else."""
    if isinstance(value, dict):
        return (value,)
    return value if isinstance(value, list) else ()


def number(value: object) -> float | None:
    """Return a finite JSON number; None for anything else, true and false included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e15 else None  # noqa: PLR2004  larger than any time or quantity, and no NaN


def g_per_kwh(value: object) -> float | None:
    """Return a carbon intensity in gCO2e/kWh; None where it is none that a grid could have."""
    found = number(value)
    return found if found is not None and 0 <= found < MAX_G_PER_KWH else None


def posix_seconds(value: object) -> float | None:
    """Return a time written as ISO 8601 with a time zone, in POSIX seconds; None for anything else.

    Times before 1970 and after 2100 are mistakes.
    """
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return timely(when.timestamp()) if when is not None and when.tzinfo else None


def timely(value: object) -> float | None:
    """Return POSIX seconds from 1970 to 2100; None for anything else."""
    found = number(value)
    return found if found is not None and 0 <= found <= _LAST_SECONDS else None


def lasts_sensibly(start: float, end: float) -> bool:
    """Return whether a value holds for some time, and no longer than a day.

    Args:
        start: Beginning in POSIX seconds.
        end: End in POSIX seconds.
    """
    return 0 < end - start <= _LONGEST_STEP_SECONDS


def is_short_text(value: object) -> TypeGuard[str]:
    """Return whether a value is a text that may stand in a record or a log: short, and without control characters."""
    return isinstance(value, str) and len(value) <= _LONGEST_TEXT and value.isprintable()
