"""The state of a history for a checkpoint, in which a long history is thinned.

Up to 10,000 epochs everything is exact. Beyond, only the rows that built-in rules and summaries read stay exact. These
are all values of metrics in the last doubling of the energy, and earlier values that were the best so far. They are
also the last 510 epochs, the first rows of fits, and the drops of the learning rate. Their epochs, metrics, running
energy, emissions and time are exact.

Other rows are merged into the next exact row. Energy by device and by phase is kept for blocks of rows, and exact for
the last blocks. A row of an older block takes a share of the block by its energy. Sums, numbers of epochs and energy
outside epochs stay exact.

In a run of more than about 100,000 epochs, an even share of the values of the last doubling stays exact.
"""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import isnan
from typing import Any, Final

from green_callbacks.records.effort import Effort, decode_effort, encode_effort
from green_callbacks.records.history.columns import NONE, Sparse
from green_callbacks.records.history.devices.effort_rows import total_effort
from green_callbacks.records.history.rows import Rows, until
from green_callbacks.records.history.state import state_checks as checks
from green_callbacks.records.history.state.expanded_rows import Interpolation, expanded, mixed
from green_callbacks.records.history.state.kept_rows import Kept, what_is_kept
from green_callbacks.records.history.state.merged_rows import Block, block, merged
from green_callbacks.records.history.state.packed_columns import DamagedError, Unpacker, pack
from green_callbacks.records.history.state.rows_codec import Decoder, encode_rows, encode_sparse

MOST_EPOCHS: Final = 10_000
"""Number of epochs, or parts of epochs, up to which a state holds every record. By the size of a state."""

MOST_NUMBERS: Final = 600_000
"""Number of numbers of all rows up to which a state holds every record, about 4.5 MB. By the size of a state."""

BLOCK_NUMBERS: Final = 200_000
"""Number of numbers of all blocks of a thinned state, about 1.6 MB. By the size of a state."""

TAIL_ROWS: Final = 1_500
"""Number of last rows that each form a block of their own. By the size of a state."""

_OTHER_NUMBERS: Final = 12
"""Numbers of a block besides the numbers of its devices and phases."""


def encode(rows: Rows) -> dict[str, Any]:
    """Return rows as plain JSON types, thinned if there are many.

    Args:
        rows: The rows of a history.
    """
    if not _is_long(rows):
        return {**encode_rows(rows), "fine": None}
    blocks = _blocks(rows)
    ends = [each.end for each in blocks]
    kept, coarse = what_is_kept(rows, ends), merged(rows, blocks)
    coarse.unseen = rows.unseen + rows.length - len(kept.rows)
    effort = encode_effort(total_effort(rows))  # of all rows, because a block mixes training with other work
    return {**encode_rows(coarse), "fine": {**_encode_fine(rows, kept, ends, coarse), "effort": effort}}


def decode(state: object) -> Rows:
    """Read the result of :func:`encode`, and check all of it.

    Args:
        state: The mapping of columns, of any type.

    Raises:
        DamagedError: This package cannot have written the state.
    """
    unpacker = Unpacker()
    decoder = Decoder(state, unpacker)
    rows, fine = decoder.rows(), checks.mapping(state, "its columns").get("fine")
    if fine is None:
        return rows
    columns = checks.mapping(fine, "its fine columns")
    made = expanded(rows, columns, unpacker)
    if columns.get("effort") is not None:  # of no earlier version
        made.effort_before = _effort(columns["effort"]), made.length
    return made


def _effort(said: object) -> Effort:
    try:
        return decode_effort(said)
    except ValueError as reason:
        msg = "its effort is no list of counts"
        raise DamagedError(msg) from reason


def _is_long(rows: Rows) -> bool:
    return (
        len(until(rows.closed_rows, rows.length)) > MOST_EPOCHS
        or rows.length > 2 * MOST_EPOCHS
        or _numbers(rows) + sum(len(column.rows) for column in list(rows.metrics.values())) > MOST_NUMBERS
    )


def _numbers(rows: Rows) -> int:
    """Return the number of numbers that blocks of single rows would have."""
    return rows.length * _OTHER_NUMBERS + rows.device_end(rows.length) + rows.phase_end(rows.length)


def _blocks(rows: Rows) -> list[Block]:
    """Merge rows into blocks of equal length, a power of two. Each of the last rows is its own block."""
    length = rows.length
    most = max(BLOCK_NUMBERS * length // _numbers(rows), 2)
    tail = length - min(TAIL_ROWS, most // 2)
    size = 1
    while tail // size > most // 2:
        size *= 2
    made: list[Block] = rows.memos.setdefault((__name__, size), [])  # a growing history makes only new blocks
    known = list(made)
    known += [block(rows, first, first + size) for first in range(len(known) * size, tail - size + 1, size)]
    rows.memos[__name__, size] = known
    whole = tail // size
    rest = [block(rows, whole * size, tail)] if whole * size < tail else []
    return [*known[:whole], *rest, *(block(rows, row, row + 1) for row in range(tail, length))]


def _encode_fine(rows: Rows, chosen: Kept, ends: Sequence[int], coarse: Rows) -> dict[str, Any]:
    kept, length = chosen.rows, rows.length
    places = {row: at for at, row in enumerate(kept)}
    metrics = {name: {row: places[row] for row in own} for name, own in chosen.values.items()}
    ends_kept = array("i", (places[end - 1] + 1 for end in ends))
    kwh = array("d", map(rows.kwh.__getitem__, kept))
    kg = array("d", map(rows.kg.__getitem__, kept))
    seconds = array("d", map(rows.seconds.__getitem__, kept))
    return {
        "rows": len(kept),
        "ends": pack(ends_kept),
        "epoch": pack(array("q", map(rows.epoch.__getitem__, kept))),
        "marks": pack(array("b", map(rows.marks.__getitem__, kept))),
        "kwh": pack(kwh),
        "kg": pack(mixed(kg, Interpolation(ends_kept, kwh, seconds).of(coarse.kg))),
        "seconds": pack(seconds),
        "metrics": {name: _picked(rows.metrics[name], own, length) for name, own in metrics.items()},
        "rates": _picked(rows.rates, places, length),
        "fits": _picked(rows.fits, places, length),
        **_encode_merged(rows, kept),
    }


def _picked(column: Sparse, places: dict[int, int], length: int) -> list[str]:
    """Return the entries of a column at the rows that stay exact."""
    rows, values = column.until(length)
    picked = Sparse(column.values.typecode)
    picked.rows = array("i", [places[row] for row in rows if row in places])
    picked.values = array(
        picked.values.typecode, [value for row, value in zip(rows, values, strict=True) if row in places]
    )
    return [pack(picked.rows), pack(picked.values)]


def _encode_merged(rows: Rows, kept: Sequence[int]) -> dict[str, Any]:
    """Return the amounts of other rows that each exact row contains."""
    columns = {
        "merged_epochs": _counts(rows.closed_rows, rows.merged_epochs, kept),
        "merged_parts": _counts(rows.part_rows, rows.merged_parts, kept),
        "merged_outside": _outside(rows, kept),
    }
    return {name: encode_sparse(column, len(kept)) for name, column in columns.items()}


def _counts(of_kind: "array[int]", merged_before: Sparse, kept: Sequence[int]) -> Sparse:
    """Count the rows of a kind, and the rows merged before, that go into each exact row."""
    column = Sparse("q")
    for at, (before, row) in enumerate(pairwise([-1, *kept])):
        first, last = bisect_right(of_kind, before), bisect_right(of_kind, row)
        count = last - first - (last > first and of_kind[last - 1] == row)
        if merged_before.rows:
            count += int(sum(merged_before.between(before + 1, row + 1)))
        if count:
            column.put(at, count)
    return column


def _outside(rows: Rows, kept: Sequence[int]) -> Sparse:
    """Sum the energy outside epochs that goes into rows inside them, minus the opposite."""
    column, has_merged = Sparse(), bool(rows.merged_outside.rows)
    epochs, all_joules = rows.epoch, rows.joules
    for at, (before, row) in enumerate(pairwise([-1, *kept])):
        moved, is_inside = 0.0, epochs[row] != NONE
        for other in range(before + 1, row):
            joules = all_joules[other]
            if (epochs[other] != NONE) != is_inside and not isnan(joules):
                moved += joules if is_inside else -joules
        if has_merged:
            moved += sum(rows.merged_outside.between(before + 1, row + 1))
        if moved:
            column.put(at, moved)
    return column
