"""Scales numbers of any size, so that their squares are finite."""

from collections.abc import Iterable
from math import copysign, frexp, inf, ldexp
from typing import Final

_HEADROOM: Final = 8
"""Powers of two by which scaled numbers stay below 1, so that the sum of 256 of them stays below 1."""


def power_of(numbers: Iterable[float]) -> int:
    """Return the power of two by which to divide numbers so that all of them, and their sum, are below 1.

    Args:
        numbers: Up to 256 finite numbers, not all 0.
    """
    return frexp(max(map(abs, numbers)))[1] + _HEADROOM


def times_two_to(power: int, number: float) -> float:
    """Multiply a number by a power of two, without losing a digit. The result is infinite if it is too large.

    Args:
        power: The power.
        number: The number.
    """
    try:
        return ldexp(number, power)
    except OverflowError:
        return copysign(inf, number)
