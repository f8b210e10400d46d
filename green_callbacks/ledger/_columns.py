"""Columns of numbers, device by device, which are short also for the thousands of devices of a large run.

A column of few devices is a plain list. A column of many devices is a list of runs of equal numbers, or a text that
holds the numbers as base64. Both read back exactly.
"""

import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from math import isnan, nan
from typing import Any, Final, TypeVar

from green_callbacks.records.checked import MAX_JOULES, count, mapping, optional_amount, sequence, wrong

PLAIN_DEVICES: Final = 64
"""Largest number of devices whose columns are plain lists, which people and other programs read most easily."""
_RUNS: Final = "runs"
_RUN_FIELDS: Final = 2
"""Number of fields of a run (length and value)."""
_NUMBERS_A_RUN: Final = 4
"""Numbers of a column for each of its runs, from which on runs take less room than a text."""
_NUMBER_BYTES: Final = 8
"""Bytes of a number in float64."""
_BYTES_A_GROUP, _SIGNS_A_GROUP = 3, 4
"""Bytes of a group of base64, and the signs that they take."""
_IS_BIG: Final = sys.byteorder == "big"

Value = TypeVar("Value")


def runs_of(values: Sequence[Value]) -> dict[str, list[list[Any]]]:
    """Return runs of equal values, for a column that often repeats a value.

    Args:
        values: The values.

    >>> runs_of([1.0, 1.0, None])
    {'runs': [[2, 1.0], [1, None]]}
    """
    return {_RUNS: [[len(list(same)), value] for value, same in groupby(values)]}


def values_of_runs(said: object, size: int, value: Callable[[Any], Value]) -> list[Value]:
    """Return the values of runs.

    Args:
        said: What :func:`runs_of` has returned.
        size: Number of values.
        value: Checks one value.

    Raises:
        ValueError: These are no runs of so many values.

    >>> values_of_runs({"runs": [[2, 1.0], [1, 3.0]]}, 3, float)
    [1.0, 1.0, 3.0]
    """
    found: list[Value] = []
    for run in sequence(mapping(said, 1).get(_RUNS), size):
        fields = sequence(run, _RUN_FIELDS)
        if len(fields) < _RUN_FIELDS:
            raise wrong(run, "length and value of a run")
        found += [value(fields[1])] * count(fields[0], size - len(found))
    if len(found) != size:
        raise wrong(said, f"runs of {size} values")
    return found


def column_text(values: Sequence[float | None], most: float) -> str | None:
    """Return a column of many devices as JSON. None if nothing in it is known.

    A number outside its bounds becomes unknown, because readers would refuse it.

    Args:
        values: The numbers.
        most: Largest number.

    >>> column_text([1.5] * 100, 1e6)
    '{"runs":[[100,1.5]]}'
    """
    numbers = [number if number is not None and 0.0 <= number <= most else None for number in values]
    if numbers.count(None) == len(numbers):
        return None
    runs = _few_runs(numbers)
    if runs is not None:
        return f'{{"{_RUNS}":[{",".join(runs)}]}}'
    packed = array("d", [nan if number is None else number for number in numbers])
    if _IS_BIG:
        packed.byteswap()
    return f'"{b64encode(packed).decode()}"'


def _few_runs(numbers: Sequence[float | None]) -> list[str] | None:
    """Return the runs of numbers, or None if there are so many that a text is shorter."""
    runs: list[str] = []
    most = len(numbers) // _NUMBERS_A_RUN
    for number, same in groupby(numbers):
        if len(runs) == most:
            return None
        length = sum(1 for _ in same)
        runs.append(f"[{length},{'null' if number is None else repr(float(number))}]")
    return runs


def column_of(said: object, size: int) -> list[float | None]:
    """Return the numbers of a column in any of its forms, from 0 to the largest energy.

    Args:
        said: A list, runs or a text. None where nothing is known.
        size: Number of devices.

    Raises:
        ValueError: It is no column of so many devices.

    >>> column_of('AAAAAAAA+D8AAAAAAAD4fw==', 2)
    [1.5, None]
    """
    if said is None:
        return [None] * size
    if type(said) is str:
        return list(_unpacked(said, size))
    if type(said) is dict:
        return values_of_runs(said, size, _joules)
    numbers = sequence(said, size)
    if len(numbers) != size:
        raise wrong(said, f"list of {size}")
    return [_joules(number) for number in numbers]


def _joules(said: object) -> float | None:
    return optional_amount(said, MAX_JOULES)


def _unpacked(said: str, size: int) -> Iterator[float | None]:
    groups = -(-_NUMBER_BYTES * size // _BYTES_A_GROUP)
    if len(said) != _SIGNS_A_GROUP * groups or not said.isascii():
        raise wrong(said, f"text of {size} numbers")
    packed = array("d", b64decode(said, validate=True))
    if _IS_BIG:
        packed.byteswap()
    if len(packed) != size:
        raise wrong(said, f"text of {size} numbers")
    for number in packed:
        yield None if isnan(number) else _joules(number)
