"""Vectors as short texts, because a store compares and sets texts."""

import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Sequence
from itertools import compress, count
from typing import Final

_IS_BIG: Final = sys.byteorder == "big"
_MARK: Final = ":"
"""Sign that ends the length of a vector whose text leaves out numbers."""
_PAIRS: Final = 3
"""Pairs of numbers whose 48 bytes fill whole groups of base64, so that texts of vectors can be joined."""


def packed(vector: Sequence[float]) -> str:
    """Return a vector as a text. Numbers that are 0 are left out where that is shorter.

    Args:
        vector: The numbers.

    >>> len(packed([0.0] * 1000)), len(packed([0.1] * 1000))
    (5, 10668)
    """
    pairs = sparse(vector)
    whole = _text(array("d", vector)) if len(pairs) > len(vector) else None
    return f"{len(vector)}{_MARK}{pairs}" if whole is None or len(pairs) < len(whole) else whole


def unpacked(text: str) -> list[float]:
    """Return the numbers of a text that :func:`packed` has made.

    Args:
        text: The text.

    >>> unpacked(packed([1.0, 0.1]))
    [1.0, 0.1]
    >>> unpacked(packed([0.0] * 8 + [2.0]))
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0]
    """
    length, mark, pairs = text.rpartition(_MARK)
    return added([pairs], int(length)) if mark else _numbers(pairs).tolist()


def sparse(vector: Sequence[float]) -> str:
    """Return the numbers of a vector that are not 0, with their positions. A rank fills only its own slots.

    Args:
        vector: The numbers.
    """
    pairs = array("d")
    for pair in zip(compress(count(), vector), compress(vector, vector), strict=True):
        pairs.extend(pair)
    pairs.extend([0.0, 0.0] * (-(len(pairs) // 2) % _PAIRS))  # which add nothing
    return _text(pairs)


def added(parts: Sequence[str], length: int) -> list[float]:
    """Return the sum of vectors.

    Args:
        parts: The vectors, as texts of :func:`sparse`.
        length: Length of each.

    >>> added([sparse([0.0, 1.0]), sparse([2.0, 0.5])], 2)
    [2.0, 1.5]
    """
    total = [0.0] * length
    pairs = _numbers("".join(parts))
    for at, number in zip(map(int, pairs[::2]), pairs[1::2], strict=True):
        total[at] += number
    return total


def _text(numbers: "array[float]") -> str:
    if _IS_BIG:
        numbers.byteswap()
    return b64encode(numbers).decode()


def _numbers(text: str) -> "array[float]":
    numbers = array("d", b64decode(text))
    if _IS_BIG:
        numbers.byteswap()
    return numbers
