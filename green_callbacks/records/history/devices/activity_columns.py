"""What devices did in the rows of a history, one column for each device."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from math import isnan, nan
from typing import Final, Self

from green_callbacks.records.activity import DeviceActivity, mean_activity
from green_callbacks.records.history.columns import NONE, Numbers

ACTIVITY_NUMBERS: Final = len(DeviceActivity._fields)
"""Numbers of a device in a row, which are the fields of its activity. ``NaN`` stands for None."""


class ActivityColumn:
    """The activity of one device. It holds the rows that have it, in order, and all fields of each."""

    __slots__ = ("rows", "values")

    def __init__(self) -> None:
        self.rows = array("i")
        self.values = array("d")

    def put(self, row: int, activity: Sequence[float | None]) -> None:
        """Add the activity of a row after the last one.

        Raises:
            ValueError: It has another number of fields.
        """
        numbers = [nan if value is None else value for value in activity]
        if len(numbers) != ACTIVITY_NUMBERS:
            msg = f"an activity has {ACTIVITY_NUMBERS} fields, not {len(numbers)}"
            raise ValueError(msg)
        self.values.fromlist(numbers)
        self.rows.append(row)

    def get(self, row: int) -> DeviceActivity | None:
        """Return the activity of a row. None if it has none."""
        at = bisect_left(self.rows, row)
        return self._at(at) if at < len(self.rows) and self.rows[at] == row else None

    def between(self, first: int, end: int) -> Iterator[tuple[int, DeviceActivity]]:
        """Yield the rows with activity from one row up to another, which is excluded, each with its activity."""
        for at in range(bisect_left(self.rows, first), bisect_left(self.rows, end)):
            yield self.rows[at], self._at(at)

    def count(self, length: int) -> int:
        """Return how many of the first rows have activity."""
        return bisect_left(self.rows, length)

    def copy(self, length: int) -> Self:
        """Return a copy of the entries of the first rows."""
        copied, count = type(self)(), self.count(length)
        copied.rows, copied.values = self.rows[:count], self.values[: ACTIVITY_NUMBERS * count]
        return copied

    def _at(self, at: int) -> DeviceActivity:
        numbers = self.values[ACTIVITY_NUMBERS * at : ACTIVITY_NUMBERS * (at + 1)]
        return DeviceActivity._make([None if isnan(number) else number for number in numbers])


ActivityColumns = dict[str, ActivityColumn]
"""The columns of all devices that were observed, by device."""


def put_activity(columns: ActivityColumns, row: int, activities: Mapping[str, DeviceActivity]) -> None:
    """Add what devices did in a row.

    Args:
        columns: The columns.
        row: Position of the row.
        activities: The activity by device.
    """
    for name, activity in activities.items():
        if name not in columns:
            columns[name] = ActivityColumn()
        columns[name].put(row, activity)


def activity_of(columns: ActivityColumns, row: int) -> dict[str, DeviceActivity]:
    """Return what devices did in a row, by device."""
    found = ((name, column.get(row)) for name, column in list(columns.items()))
    return {name: activity for name, activity in found if activity is not None}


def activity_where(
    columns: ActivityColumns, epochs: Numbers, length: int, *, outside: bool
) -> dict[str, DeviceActivity]:
    """Return what devices did in all rows outside epochs, or in all rows inside.

    Args:
        columns: The columns.
        epochs: Index of the epoch of every row.
        length: Number of rows that count.
        outside: True for the rows outside epochs, False for the rows inside.
    """
    found = {}
    for name, column in list(columns.items()):
        parts = (seen for row, seen in column.between(0, length) if (epochs[row] == NONE) is outside)
        if (whole := mean_activity(parts)) is not None:
            found[name] = whole
    return found


def merged_activity(columns: ActivityColumns, ends: Sequence[int]) -> ActivityColumns:
    """Return the activity of blocks of rows, with means weighted by the observed time.

    Args:
        columns: The columns.
        ends: The row after each block.
    """
    made: ActivityColumns = {}
    for name, column in list(columns.items()):
        merged, first = ActivityColumn(), 0
        for at, end in enumerate(ends):
            whole = mean_activity(seen for _, seen in column.between(first, end))
            if whole is not None:
                merged.put(at, whole)
            first = end
        if merged.rows:
            made[name] = merged
    return made


def spread_activity(
    columns: ActivityColumns, blocks: Sequence[tuple[int, int]], shares: Sequence[float]
) -> ActivityColumns:
    """Return the activity of rows, each with its share of the observed time of its block.

    Args:
        columns: The columns of the blocks.
        blocks: First row and end of each block.
        shares: The share of its block that each row has.
    """
    made: ActivityColumns = {}
    for name, column in columns.items():
        spread = made[name] = ActivityColumn()
        for at, seen in column.between(0, len(blocks)):
            for row in range(*blocks[at]):
                seconds = seen.observed_seconds * shares[row]
                if seconds > 0:
                    spread.put(row, seen._replace(observed_seconds=seconds))
    return made
