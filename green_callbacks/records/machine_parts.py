"""Names of devices that stand for a part of a machine, such as the processors to which a process is bound.

Two names are the same device of a machine if they are equal. A name tells its processors, so that it also shows which
devices overlap.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

_MODEL: Final = "cpu:model"
"""Name of the modelled processors of a whole machine, and beginning of the names of their parts."""
_COUNTER: Final = "cpu:package-"
"""Beginning of the names of counters, each of which measures a whole package."""
_MARK: Final = "@"
_RANGES: Final = re.compile(
    r"[0-9]{1,6}(?:-[0-9]{1,6}(?::[0-9]{1,4})?)?(?:,[0-9]{1,6}(?:-[0-9]{1,6}(?::[0-9]{1,4})?)?)*"
)
_OWN: Final = re.compile(r"(?:group|process|job)-[0-9]{1,20}|[0-9]{1,6}-of-[0-9a-f]{8}")
_LONGEST_TEXT: Final = 60
"""Longest list of processors in a name, in characters, so that names fit into tables."""
_MOST_PROCESSORS: Final = 65_536
"""Number of processors that no machine has. A name with more is forged."""


class Overlap(NamedTuple):
    """Devices of one machine that count some processors twice.

    Attributes:
        covered: Names of the devices whose processors other devices count already.
        twice: Pairs of names that count some processors twice, and some not.
    """

    covered: frozenset[str]
    twice: tuple[tuple[str, str], ...]


def bound_name(name: str, processors: Iterable[int]) -> str:
    """Return the name of a device that stands for some processors of a machine.

    Args:
        name: Name of the device of the whole machine.
        processors: Numbers of the processors.

    >>> bound_name("cpu:model", [0, 1, 2, 3, 8])
    'cpu:model@0-3,8'
    >>> bound_name("cpu:model", range(0, 64, 2))
    'cpu:model@0-62:2'
    """
    numbers = sorted(set(processors))
    text = ",".join(_runs(numbers))
    if len(text) > _LONGEST_TEXT:
        text = f"{len(numbers)}-of-{hash_of(numbers)}"
    return f"{name}{_MARK}{text}"


def hash_of(numbers: Sequence[int]) -> str:
    """Return a short text that differs from list to list.

    Args:
        numbers: The list.
    """
    import hashlib  # imported late, because few machines need it

    return hashlib.sha256(repr(list(numbers)).encode()).hexdigest()[:8]


def _runs(numbers: Sequence[int]) -> Iterator[str]:
    """Yield sorted numbers as ranges, with a step where it is not 1."""
    at = 0
    while at < len(numbers):
        step = numbers[at + 1] - numbers[at] if at + 1 < len(numbers) else 1
        last = at
        while last + 1 < len(numbers) and numbers[last + 1] - numbers[last] == step:
            last += 1
        if last - at < 2 and step != 1:  # noqa: PLR2004  two numbers are no pattern
            last = at
        first_number, last_number = numbers[at], numbers[last]
        yield (f"{first_number}" if last == at else f"{first_number}-{last_number}" + (f":{step}" if step != 1 else ""))
        at = last + 1


def is_part(name: str) -> bool:
    """Return whether a device stands for a part of a machine, which belongs to one or some of its processes.

    Args:
        name: Name of the device.

    >>> is_part("cpu:model@0-3"), is_part("cpu:package-0@group-71"), is_part("cpu:model")
    (True, True, False)
    """
    text = name.rpartition(_MARK)[2] if _MARK in name else ""
    return bool(_RANGES.fullmatch(text) or _OWN.fullmatch(text))


def whole_of(name: str) -> str:
    """Return the name of the device of which a device is a part.

    Args:
        name: Name of the part.

    >>> whole_of("cpu:package-0@group-71")
    'cpu:package-0'
    """
    return name.rpartition(_MARK)[0]


def processors_of(name: str) -> frozenset[int] | None:
    """Return the processors that a device stands for. None if its name tells none.

    Args:
        name: Name of the device.

    >>> sorted(processors_of("node01/cpu:model@0-4:2,7"))
    [0, 2, 4, 7]
    """
    text = name.rpartition(_MARK)[2] if _MARK in name else ""
    if not _RANGES.fullmatch(text):
        return None
    found: set[int] = set()
    for each in text.split(","):
        span, _, step = each.partition(":")
        first, _, last = span.partition("-")
        numbers = range(int(first), int(last or first) + 1, int(step or 1) or 1)
        if len(numbers) > _MOST_PROCESSORS:
            return None
        found.update(numbers)
    return frozenset(found)


def overlap_of(names: Iterable[str]) -> Overlap:
    """Return which devices of one machine count processors that other devices count.

    Counters of packages, and a model of the whole machine, cover every modelled part. Parts that together hold all
    processors of another part cover it.

    Args:
        names: Names of all devices of the machine, each once, without the name of the machine.

    >>> overlap_of(["cpu:model", "cpu:model@0-3"]).covered
    frozenset({'cpu:model@0-3'})
    >>> overlap_of(["cpu:model@0-3", "cpu:model@2-5"]).twice
    (('cpu:model@0-3', 'cpu:model@2-5'),)
    """
    every = list(names)
    models = [name for name in every if name == _MODEL or name.startswith(_MODEL + _MARK)]
    if any(name.startswith(_COUNTER) and not is_part(name) for name in every):
        return Overlap(frozenset(models), ())
    if _MODEL in models:
        return Overlap(frozenset(models) - {_MODEL}, ())
    parts = {name: processors for name in models if (processors := processors_of(name)) is not None}
    kept = dict(parts)
    for name, processors in sorted(parts.items(), key=lambda part: len(part[1])):
        others = frozenset[int]().union(*(other for at, other in kept.items() if at != name))
        if processors <= others:
            del kept[name]
    return Overlap(frozenset(parts) - frozenset(kept), tuple(_pairs(kept)))


def _pairs(parts: Mapping[str, frozenset[int]]) -> Iterator[tuple[str, str]]:
    names = list(parts)
    for at, name in enumerate(names):
        for other in names[at + 1 :]:
            if parts[name] & parts[other]:
                yield name, other
