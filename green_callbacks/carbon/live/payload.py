"""Safe reading of JSON from services. Invalid parts are dropped, and nothing raises."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeGuard

from green_callbacks.carbon.base import MAX_G_PER_KWH

_NOTHING: Final[Mapping[str, object]] = {}
_LONGEST_STEP_SECONDS: Final = 86_400.0
"""Longest step of a value, in s. No service has steps of more than a day."""
_LONGEST_TEXT: Final = 200
"""Longest text that is kept, in characters."""

_LAST_SECONDS: Final = 4_102_444_800.0
"""Latest time that is believed, in s since 1970. It is the beginning of 2100."""


def mapping(value: object) -> Mapping[str, object]:
    """Return a JSON object. Anything else becomes an empty object.

    Args:
        value: Any JSON value.
    """
    return value if isinstance(value, dict) else _NOTHING


def sequence(value: object) -> Sequence[object]:
    """Return a JSON array. A single object becomes an array of one, and anything else an empty array.

    Args:
        value: Any JSON value.
    """
    if isinstance(value, dict):
        return (value,)
    return value if isinstance(value, list) else ()


def number(value: object) -> float | None:
    """Return a finite JSON number. Anything else becomes None, including true and false.

    Args:
        value: Any JSON value.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e15 else None  # noqa: PLR2004  no quantity is larger, and NaN fails the test


def g_per_kwh(value: object) -> float | None:
    """Return a carbon intensity in gCO2e/kWh. None if no grid could have it.

    Args:
        value: Any JSON value.
    """
    found = number(value)
    return found if found is not None and 0 <= found < MAX_G_PER_KWH else None


def posix_seconds(value: object) -> float | None:
    """Return a time in s since 1970 from ISO 8601 with a time zone. None for anything else, and after 2100.

    Args:
        value: Any JSON value.
    """
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return timely(when.timestamp()) if when is not None and when.tzinfo else None


def timely(value: object) -> float | None:
    """Return a time from 1970 to 2100, in s since 1970. Anything else becomes None.

    Args:
        value: Any JSON value.
    """
    found = number(value)
    return found if found is not None and 0 <= found <= _LAST_SECONDS else None


def lasts_sensibly(start: float, end: float) -> bool:
    """Return whether an interval is longer than 0 and at most a day.

    Args:
        start: Beginning, in s since 1970.
        end: End, in s since 1970.
    """
    return 0 < end - start <= _LONGEST_STEP_SECONDS


def is_short_text(value: object) -> TypeGuard[str]:
    """Return whether a value is a text for a record or a log, which is short and has no control characters.

    Args:
        value: Any JSON value.
    """
    return isinstance(value, str) and len(value) <= _LONGEST_TEXT and value.isprintable()
