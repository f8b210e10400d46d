"""Checks of the contents of a checkpoint, by type and range."""

from collections.abc import Iterable
from math import isfinite, isinf
from typing import Any, Final, TypeGuard

from green_callbacks.records.history.state.packed_columns import DamagedError

LONGEST_NAME: Final = 4_096
"""Longest name or other short text, in characters. By convention."""

MOST_NAMES: Final = 100_000
"""Most entries of a list or mapping of names. By convention."""


def mapping(value: object, what: str) -> dict[str, Any]:
    """Return a mapping with short names.

    Raises:
        DamagedError: The value is not such a mapping.
    """
    if not isinstance(value, dict) or len(value) > MOST_NAMES or not all(map(_is_name, value)):
        msg = f"{what} are no mapping of names"
        raise DamagedError(msg)
    return value


def listed(value: object, what: str, length: int | None = None) -> list[Any]:
    """Return a list, of a given length if there is one.

    Raises:
        DamagedError: The value is not a list, or has another length.
    """
    if not isinstance(value, list | tuple) or len(value) > MOST_NAMES or length not in (None, len(value)):
        msg = f"{what} are no such list"
        raise DamagedError(msg)
    return list(value)


def names(value: object, what: str, length: int | None = None) -> tuple[str, ...]:
    """Return a list of short texts, like :func:`listed`."""
    texts = listed(value, what, length)
    if not all(map(_is_name, texts)):
        msg = f"{what} are no names"
        raise DamagedError(msg)
    return tuple(texts)


def optional_name(value: object, what: str) -> str | None:
    """Return a short text, or None.

    Raises:
        DamagedError: The value is neither.
    """
    if value is None or _is_name(value):
        return value
    msg = f"{what} is no name"
    raise DamagedError(msg)


def whole(value: object, what: str, most: int, least: int = 0) -> int:
    """Return a whole number. True and False are refused.

    Args:
        value: The value.
        what: Name of the value, for the message.
        most: Largest possible value.
        least: Smallest possible value. Defaults to 0.

    Raises:
        DamagedError: The value is not a whole number, or out of range.
    """
    if type(value) is not int or not least <= value <= most:
        msg = f"{what} is no whole number from {least} to {most}"
        raise DamagedError(msg)
    return value


def finite(value: object, what: str) -> float:
    """Return a finite number. True and False are refused.

    Raises:
        DamagedError: The value is not a finite number.
    """
    if type(value) in (int, float):
        try:
            number = float(value)  # type: ignore[arg-type]  # it is one of the two
        except OverflowError:
            number = float("inf")
        if isfinite(number):
            return number
    msg = f"{what} is no finite number"
    raise DamagedError(msg)


def boolean(value: object, what: str) -> bool:
    """Return True or False.

    Raises:
        DamagedError: The value is neither.
    """
    if isinstance(value, bool):
        return value
    msg = f"{what} is neither true nor false"
    raise DamagedError(msg)


def within(values: Iterable[float], what: str, least: float, most: float) -> None:
    """Refuse numbers out of range, and ``NaN``.

    Raises:
        DamagedError: A number is out of range.
    """
    if not all(least <= value <= most for value in values):
        msg = f"{what} are out of range"
        raise DamagedError(msg)


def all_finite(values: Iterable[float], what: str, *, or_nan: bool = False) -> None:
    """Refuse infinities, and ``NaN`` unless it is allowed.

    Raises:
        DamagedError: A number is not finite.
    """
    if any(map(isinf, values)) if or_nan else not all(map(isfinite, values)):
        msg = f"{what} are not finite"
        raise DamagedError(msg)


def rising(rows: Iterable[int], length: int, what: str) -> None:
    """Refuse positions that are not in ascending order, or are below 0 or beyond a length.

    Raises:
        DamagedError: A position is out of order or out of range.
    """
    before = -1
    for row in rows:
        if row <= before:
            msg = f"the rows of {what} do not rise"
            raise DamagedError(msg)
        before = row
    if before >= length:
        msg = f"the rows of {what} are out of range"
        raise DamagedError(msg)


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= LONGEST_NAME
