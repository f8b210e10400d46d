"""Values from files, checked by type and range where they are read.

Each function returns the value, or raises a ``ValueError`` that names the fault. They raise nothing else, whatever they
are given. A file may hold texts in place of numbers, numbers of a thousand digits, and lists in place of names.
"""

from collections.abc import Collection, Mapping
from hashlib import blake2s
from typing import Any, Final

MAX_COUNT: Final = 2**53
"""Largest index or count (epochs, steps, samples, tokens). It is the largest that every JSON reader reads exactly."""

MAX_SECONDS: Final = 1e11
"""Longest time, in s. About 3,000 years, by convention."""

MAX_JOULES: Final = 1e21
"""Most energy of a record, in J. Mankind uses less in a year (6e20 J). Also the most kWh and kgCO2e of a run."""

MAX_FLOPS: Final = 1e40
"""Most floating-point operations of a record. The largest training runs of 2025 took about 5e26."""

MAX_ACTIVITY: Final = 1e11
"""Largest number of the activity of a device. The largest is a time, bounded like :data:`MAX_SECONDS`."""

MAX_WATTS: Final = 1e9
"""Highest power limit of a device, in W. About the power of a power station."""

MAX_PUE: Final = 100.0
"""Highest power usage effectiveness in files. No unit. Options allow 3."""

MAX_G_PER_KWH: Final = 1e5
"""Highest carbon intensity in files, in gCO2e/kWh. Options allow 1,500."""

MAX_TOLERANCE: Final = 1e3
"""Largest relative error of a device. No unit, by convention."""

MAX_YEAR: Final = 9999
"""Latest year of Python's ``datetime``."""

MAX_NAME: Final = 300
"""Longest name of a metric, device, component, place or flag, in characters. By convention."""

MAX_TEXT: Final = 1_000
"""Longest sentence, such as the reason of a stop, in characters. By convention."""

MAX_PATH: Final = 4_096
"""Longest path of a checkpoint file, in characters. ``PATH_MAX`` of Linux."""

MAX_FLAGS: Final = 32
"""Most flags of a device or an intensity. By convention."""

MAX_FILES: Final = 1_000
"""Most checkpoint files of one metric. By convention."""

_SHOWN: Final = 60
"""Characters of a wrong value that a message shows."""


def short(name: str) -> str:
    """Return a name that :func:`text` accepts.

    A name that is too long ends with a digest, so that different names stay different.

    Args:
        name: The name.
    """
    if len(name) <= MAX_NAME:
        return name
    digest = blake2s(name.encode(errors="surrogatepass"), digest_size=8).hexdigest()
    return f"{name[: MAX_NAME - len(digest) - 1]}~{digest}"


def wrong(value: object, what: str) -> ValueError:
    """Return the error for an impossible value.

    Args:
        value: The value, of any type and size.
        what: The expected value, in words.
    """
    if isinstance(value, dict | list):
        shown = f"a {type(value).__name__} of {len(value)}"
    elif type(value) is int and abs(value) > MAX_COUNT:
        shown = "an integer beyond 2**53"  # Python refuses to write 5,000 digits
    else:
        shown = ascii(value[:_SHOWN] if isinstance(value, str) else value)
    return ValueError(f"{what} expected, not {shown}")


def amount(value: object, most: float, least: float = 0.0) -> float:
    """Return a finite number within bounds.

    Args:
        value: The value.
        most: Largest possible value.
        least: Smallest possible value. Defaults to 0.
    """
    if (type(value) is float or type(value) is int) and least <= value <= most:
        return float(value)
    raise wrong(value, f"number from {least:g} to {most:g}")


def optional_amount(value: object, most: float) -> float | None:
    """Return a finite number from 0 to a bound, or None."""
    return None if value is None else amount(value, most)


def count(value: object, most: int = MAX_COUNT) -> int:
    """Return a whole number, 0 or more. Booleans are refused.

    Args:
        value: The value.
        most: Largest possible value. Defaults to 2**53.
    """
    if type(value) is int and 0 <= value <= most:
        return value
    raise wrong(value, "whole number from 0 on")


def optional_count(value: object, most: int = MAX_COUNT) -> int | None:
    """Return a whole number, 0 or more, or None."""
    return None if value is None else count(value, most)


def flag(value: object) -> bool:
    """Return a boolean."""
    if type(value) is bool:
        return value
    raise wrong(value, "true or false")


def text(value: object, most: int = MAX_NAME) -> str:
    """Return a text of bounded length.

    Args:
        value: The value.
        most: Largest number of characters. Defaults to 300.
    """
    if type(value) is str and len(value) <= most:
        return value
    raise wrong(value, f"text of at most {most} characters")


def optional_text(value: object, most: int = MAX_NAME) -> str | None:
    """Return a text of bounded length, or None."""
    return None if value is None else text(value, most)


def one_of(value: object, known: Collection[str]) -> str:
    """Return a text that is in a collection."""
    if type(value) is str and value in known:
        return value
    raise wrong(value, f"one of {', '.join(sorted(known))}")


def mapping(value: object, most: int) -> Mapping[str, Any]:
    """Return a JSON object with a bounded number of fields."""
    if type(value) is dict and len(value) <= most:
        return value
    raise wrong(value, f"object of at most {most} fields")


def sequence(value: object, most: int) -> list[Any]:
    """Return a JSON list of bounded length."""
    if type(value) is list and len(value) <= most:
        return value
    raise wrong(value, f"list of at most {most}")


def flags(value: object) -> tuple[str, ...]:
    """Return a short list of short words."""
    return tuple([text(each) for each in sequence(value, MAX_FLAGS)])
