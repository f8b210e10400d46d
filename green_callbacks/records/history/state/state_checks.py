"""Checks of what a checkpoint says, by type and range."""

from collections.abc import Iterable
from math import isfinite, isinf
from typing import Any, Final, TypeGuard

from green_callbacks.records.history.state.packed_columns import DamagedError

LONGEST_NAME: Final = 4_096
"""Characters of a name or of another short text."""

MOST_NAMES: Final = 100_000
"""Entries of a list or mapping of names."""


def mapping(value: object, what: str) -> dict[str, Any]:
    """Return a mapping with short names.

    Raises:
        DamagedError: It is none.
    """
    if not isinstance(value, dict) or len(value) > MOST_NAMES or not all(map(_is_name, value)):
        msg = f"{what} are no mapping of names"
        raise DamagedError(msg)
    return value


def listed(value: object, what: str, length: int | None = None) -> list[Any]:
    """Return a list, of a length if one is given.

    Raises:
        DamagedError: It is none, or of another length.
    """
    if not isinstance(value, list | tuple) or len(value) > MOST_NAMES or length not in (None, len(value)):
        msg = f"{what} are no such list"
        raise DamagedError(msg)
    return list(value)


def names(value: object, what: str, length: int | None = None) -> tuple[str, ...]:
    """Return a list of short texts; see :func:`listed`."""
    texts = listed(value, what, length)
    if not all(map(_is_name, texts)):
        msg = f"{what} are no names"
        raise DamagedError(msg)
    return tuple(texts)


def optional_name(value: object, what: str) -> str | None:
    """Return a short text, or None.

    Raises:
        DamagedError: It is neither.
    """
    if value is None or _is_name(value):
        return value
    msg = f"{what} is no name"
    raise DamagedError(msg)


def whole(value: object, what: str, most: int, least: int = 0) -> int:
    """Return a whole number; True is none.

    Args:
        value: What is to be one.
        what: What it is, for the message.
        most: The largest that there can be.
        least: The smallest. Defaults to 0.

    Raises:
        DamagedError: It is none, or out of range.
    """
    if type(value) is not int or not least <= value <= most:
        msg = f"{what} is no whole number from {least} to {most}"
        raise DamagedError(msg)
    return value


def finite(value: object, what: str) -> float:
    """Return a finite number; True is none.

    Raises:
        DamagedError: It is none.
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
        DamagedError: It is neither.
    """
    if isinstance(value, bool):
        return value
    msg = f"{what} is neither true nor false"
    raise DamagedError(msg)


def within(values: Iterable[float], what: str, least: float, most: float) -> None:
    """Refuse numbers out of range, and ``NaN``.

    Raises:
        DamagedError: One is.
    """
    if not all(least <= value <= most for value in values):
        msg = f"{what} are out of range"
        raise DamagedError(msg)


def all_finite(values: Iterable[float], what: str, *, or_nan: bool = False) -> None:
    """Refuse infinities, and ``NaN`` unless it may be.

    Raises:
        DamagedError: One is there.
    """
    if any(map(isinf, values)) if or_nan else not all(map(isfinite, values)):
        msg = f"{what} are not finite"
        raise DamagedError(msg)


def rising(rows: Iterable[int], length: int, what: str) -> None:
    """Refuse positions that do not rise from 0 on, below a length.

    Raises:
        DamagedError: They do not.
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
