"""Vectors as short texts, because a store compares and sets texts."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from struct import pack, unpack
from typing import Final

_BYTES: Final = 8
"""Bytes of a number in float64."""


def dense(vector: Sequence[float]) -> str:
    """Return a vector as a text.

    Args:
        vector: The numbers.
    """
    return b64encode(pack(f"<{len(vector)}d", *vector)).decode()


def numbers_in(text: str) -> list[float]:
    """Return the numbers of a text that :func:`dense` has made.

    Args:
        text: The text.

    >>> numbers_in(dense([1.0, 0.1]))
    [1.0, 0.1]
    """
    packed = b64decode(text)
    return list(unpack(f"<{len(packed) // _BYTES}d", packed))


def sparse(vector: Sequence[float]) -> str:
    """Return the numbers of a vector that are not 0, with their positions. A rank fills only its own slots.

    Args:
        vector: The numbers.
    """
    places = [at for at, number in enumerate(vector) if number]
    return dense([*places, *(vector[at] for at in places)])


def added(parts: Sequence[str], length: int) -> list[float]:
    """Return the sum of vectors.

    Args:
        parts: The vectors, as texts of :func:`sparse`.
        length: Length of each.

    >>> added([sparse([0.0, 1.0]), sparse([2.0, 0.5])], 2)
    [2.0, 1.5]
    """
    total = [0.0] * length
    for part in parts:
        numbers = numbers_in(part)
        half = len(numbers) // 2
        for at, number in zip(numbers[:half], numbers[half:], strict=True):
            total[int(at)] += number
    return total
