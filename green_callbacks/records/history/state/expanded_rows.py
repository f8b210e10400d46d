"""The rows of a thinned history, made from its exact rows and from the blocks that contain them."""

from array import array
from collections.abc import Mapping, Sequence
from itertools import pairwise
from operator import xor
from typing import Any, Final

from green_callbacks.records.history.columns import CLOSES, COMPLETE, DENSE, SPARSE, Numbers, Shared, Sparse
from green_callbacks.records.history.devices.activity_columns import spread_activity
from green_callbacks.records.history.rows import Rows, put
from green_callbacks.records.history.state import state_checks as checks
from green_callbacks.records.history.state.packed_columns import DamagedError, Unpacker
from green_callbacks.records.history.state.rows_codec import MOST_ROWS, check_finite, check_merged, read_sparse

_MOST_NUMBERS: Final = 40_000_000
"""Largest number of numbers of devices and phases, three times the number for 64 devices."""


class Interpolation:
    """The shares of rows in their block, by energy, or by time in blocks without energy.

    Args:
        ends: The row after each block.
        kwh: Facility energy up to and including each row, in kWh.
        seconds: Time up to and including each row, in s.
    """

    def __init__(self, ends: Numbers, kwh: Numbers, seconds: Numbers) -> None:
        self.blocks = list(pairwise([0, *ends]))
        self.shares = array("d")
        """The share of its block's energy that each row has."""
        self.reached = array("d")
        """The share that the rows of its block have up to and with each."""
        for begin, end in self.blocks:
            self._add(kwh if kwh[end - 1] > (kwh[begin - 1] if begin else 0.0) else seconds, begin, end)

    def _add(self, weights: Numbers, begin: int, end: int) -> None:
        start = weights[begin - 1] if begin else 0.0
        whole = weights[end - 1] - start
        before = 0.0
        for at in range(begin, end - 1):
            reached = min(max((weights[at] - start) / whole, before), 1.0) if whole > 0 else before
            self.reached.append(reached)
            self.shares.append(reached - before)
            before = reached
        self.reached.append(1.0)
        self.shares.append(1.0 - before)

    def of(self, sums: Numbers) -> "array[float]":
        """Return running sums at each row.

        Args:
            sums: The sum at the end of each block.
        """
        found = array("d")
        for (begin, end), (before, after) in zip(self.blocks, pairwise([0.0, *sums]), strict=True):
            found.extend([before + (after - before) * reached for reached in self.reached[begin : end - 1]])
            found.append(after)
        return found

    def spread(self, values: Numbers) -> "array[float]":
        """Return the share of each row in a value of its block."""
        found = array("d")
        for (begin, end), value in zip(self.blocks, values, strict=True):
            found.extend([value * share for share in self.shares[begin:end]])
        return found


def mixed(numbers: "array[float]", likely: "array[float]") -> "array[int]":
    """Return the bits in which numbers differ from predicted numbers. Only a few differ.

    Args:
        numbers: The numbers.
        likely: As many predicted numbers.
    """
    ones, others = array("q", numbers.tobytes()), array("q", likely.tobytes())
    return array("q", map(xor, ones, others))


def unmixed(bits: "array[int]", likely: "array[float]") -> "array[float]":
    """Undo :func:`mixed`.

    Args:
        bits: The result of :func:`mixed`.
        likely: The same predicted numbers.
    """
    return array("d", array("q", map(xor, bits, array("q", likely.tobytes()))).tobytes())


def expanded(coarse: Rows, fine: Mapping[str, Any], unpacker: Unpacker) -> Rows:
    """Return the rows of a thinned history.

    Args:
        coarse: A row for each block.
        fine: The columns of the exact rows.
        unpacker: Unpacks the columns.

    Raises:
        DamagedError: This package cannot have written the columns.
    """
    rows = Rows()
    rows.length = rows.intended = checks.whole(fine.get("rows"), "its number of rows", MOST_ROWS, coarse.length)
    rows.unseen = coarse.unseen
    ends = unpacker.exactly(fine.get("ends"), "i", coarse.length, "ends of its blocks")
    checks.rising([end - 1 for end in ends], rows.length, "its blocks")
    if rows.length != (ends[-1] if ends else 0):
        msg = "its blocks do not end with its rows"
        raise DamagedError(msg)
    _read(rows, fine, unpacker)
    by = Interpolation(ends, rows.kwh, rows.seconds)
    rows.kg = unmixed(unpacker.exactly(fine.get("kg"), "q", rows.length, "its kg"), by.of(coarse.kg))
    checks.all_finite(rows.kg, "its kg")
    _spread(rows, coarse, by)
    _spread_tables(rows, coarse, by)
    rows.find_closed()
    return rows


def _read(rows: Rows, fine: Mapping[str, Any], unpacker: Unpacker) -> None:
    for name in ("epoch", "marks", "kwh", "seconds"):
        setattr(rows, name, unpacker.exactly(fine.get(name), DENSE[name], rows.length, f"its {name}"))
    checks.within(rows.marks, "the marks of its rows", 0, CLOSES | COMPLETE)
    for name in ("kwh", "seconds"):
        checks.all_finite(rows.dense(name), f"its {name}")
    for name in ("rates", "fits", "merged_epochs", "merged_parts", "merged_outside"):
        setattr(rows, name, read_sparse(fine.get(name), SPARSE[name], f"its {name}", rows.length, unpacker))
    check_merged(rows)
    metrics = checks.mapping(fine.get("metrics"), "its metrics")
    rows.metrics = {
        name: read_sparse(each, "d", "its metrics", rows.length, unpacker) for name, each in metrics.items()
    }


def _spread(rows: Rows, coarse: Rows, by: Interpolation) -> None:
    """Give every row its share of the running sums, the energy and the time of its block."""
    rows.low_kg, rows.high_kg = by.of(coarse.low_kg), by.of(coarse.high_kg)
    rows.joules = by.spread(coarse.joules)
    for at, (begin, end) in enumerate(by.blocks):
        start = rows.seconds[begin - 1] if begin else 0.0
        until = [start, *rows.seconds[begin:end]]
        rows.started.extend([coarse.started[at] + max(before - start, 0.0) for before in until[:-1]])
        single = end - begin == 1
        rows.duration.extend([coarse.duration[at]] if single else [after - before for before, after in pairwise(until)])
        rows.pue.extend([coarse.pue[at]] * (end - begin))
    last = [end - 1 for _, end in by.blocks]
    for name in ("steps", "samples", "tokens", "flops", "waits", "steps_done"):
        setattr(rows, name, _at_ends(getattr(coarse, name), last))
    rows.most_joules = {name: _at_ends(column, last) for name, column in coarse.most_joules.items()}
    for name, column in coarse.gaps.items():
        for at, gap_seconds in zip(column.rows, column.values, strict=True):
            for row in range(*by.blocks[at]):
                put(rows.gaps, name, row, gap_seconds * by.shares[row])
    rows.activity = spread_activity(coarse.activity, by.blocks, by.shares)
    check_finite(rows)


def _at_ends(column: Sparse, last: Sequence[int]) -> Sparse:
    """Return a column of blocks as a column of the last row of each block."""
    made = Sparse(column.values.typecode)
    made.rows, made.values = array("i", (last[at] for at in column.rows)), column.values
    return made


def _spread_tables(rows: Rows, coarse: Rows, by: Interpolation) -> None:
    """Give every row its share of the energy of its block's devices and phases."""
    spans = [end - begin for begin, end in by.blocks]
    for name in ("devices", "phases", "intensity"):
        column: Shared[Any] = getattr(coarse, name)
        spread: Shared[Any] = Shared()
        for value, span in zip(map(column.get, range(coarse.length)), spans, strict=True):
            for _ in range(span):
                spread.append(value)
        setattr(rows, name, spread)
    devices, phases = coarse.device_ends(), coarse.phase_ends()
    rows.device_begins, rows.device_numbers = _numbers(coarse.device_numbers, devices, by)
    rows.phase_begins, rows.phase_numbers = _numbers(coarse.phase_numbers, phases, by)


def _numbers(numbers: Numbers, ends: Sequence[int], by: Interpolation) -> "tuple[array[int], array[float]]":
    """Return the place where the numbers of each row begin, and the numbers."""
    blocks = list(zip(by.blocks, pairwise([0, *ends]), strict=True))
    count = sum((end - begin) * (last - first) for (begin, end), (first, last) in blocks)
    if count > _MOST_NUMBERS:
        msg = "its devices and phases have more numbers than there can be"
        raise DamagedError(msg)
    begins, made = array("i"), array("d")
    for (begin, end), (first, last) in blocks:
        block = numbers[first:last]
        for share in by.shares[begin:end]:
            begins.append(len(made))
            made.extend([number * share for number in block])
    return begins, made
