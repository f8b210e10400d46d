"""The methods by which joules are obtained, and their words.

Example:
    >>> method: Method = METHODS[0]
    >>> METHOD_WORDS[method]
    'energy counter'
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

Method = Literal["counter", "sampled", "modelled"]
"""``counter`` for an energy counter of the hardware, ``sampled`` for integrated samples of power, and ``modelled`` for
a model of the power."""

METHODS: Final[tuple[Method, ...]] = get_args(Method)
"""All methods, from the most direct to the least direct."""

METHOD_WORDS: Final[Mapping[Method, str]] = {
    "counter": "energy counter",
    "sampled": "sampled power",
    "modelled": "model",
}
"""Each method as texts call it."""


def least_direct(methods: Iterable[Method]) -> Method:
    """Return the least direct of some methods.

    Args:
        methods: One method or more.

    Example:
        >>> least_direct(["modelled", "counter"])
        'modelled'
    """
    return max(methods, key=METHODS.index)
