"""The rows of a history, in columns."""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Hashable
from typing import Any, Self

from green_callbacks.records.effort import NO_EFFORT
from green_callbacks.records.history.columns import (
    CLOSES,
    COMPLETE,
    DENSE,
    DEVICE_NUMBERS,
    NAMED,
    NONE,
    PHASE_NUMBERS,
    SPARSE,
    DeviceLabels,
    Numbers,
    Shared,
    Sparse,
)
from green_callbacks.records.history.devices.activity_columns import ActivityColumns
from green_callbacks.records.intensity import Intensity


class Rows:
    """All rows of a history, of which only the first ``length`` rows count.

    Rows are added column by column. They count when ``length`` includes them, which one assignment does for all. An
    interrupted addition leaves ``length`` below ``intended``, and values beyond it. The next addition then begins with
    a copy of the rows that count. Rows that count are never changed in place.
    """

    __slots__ = (
        *DENSE,
        *SPARSE,
        *NAMED,
        "activity",
        "closed_rows",
        "device_begins",
        "device_numbers",
        "devices",
        "effort_before",
        "gains",
        "intensity",
        "intended",
        "latest_epoch",
        "length",
        "memos",
        "part_rows",
        "phase_begins",
        "phase_numbers",
        "phases",
        "unseen",
    )

    epoch: "array[int]"
    marks: "array[int]"
    started: "array[float]"
    duration: "array[float]"
    pue: "array[float]"
    joules: "array[float]"
    kg: "array[float]"
    kwh: "array[float]"
    seconds: "array[float]"
    low_kg: "array[float]"
    high_kg: "array[float]"
    steps: Sparse
    rates: Sparse
    samples: Sparse
    tokens: Sparse
    flops: Sparse
    waits: Sparse
    steps_done: Sparse
    merged_epochs: Sparse
    merged_parts: Sparse
    merged_outside: Sparse
    fits: Sparse
    metrics: dict[str, Sparse]
    gaps: dict[str, Sparse]
    most_joules: dict[str, Sparse]

    def __init__(self) -> None:
        self.length = self.intended = 0
        self.unseen = 0
        self.memos: dict[Hashable, Any] = {}
        for name, code in DENSE.items():
            setattr(self, name, array(code))
        for name, code in SPARSE.items():
            setattr(self, name, Sparse(code))
        for name in NAMED:
            setattr(self, name, {})
        self.activity: ActivityColumns = {}
        self.intensity: Shared[Intensity] = Shared()
        self.devices: Shared[DeviceLabels] = Shared()
        self.phases: Shared[tuple[str, ...]] = Shared()
        self.device_begins, self.phase_begins = array("i"), array("i")
        self.device_numbers, self.phase_numbers = array("d"), array("d")
        self.closed_rows = array("i")
        self.part_rows = array("i")
        self.gains: list[tuple[tuple[float, ...], tuple[float, ...]]] = []
        self.latest_epoch = NONE
        self.effort_before = NO_EFFORT, 0
        """The effort of the first rows, and the number of these rows. They were thinned if it is not 0."""

    def follow(self, row: int, epoch: int, *, closes: bool, complete: bool) -> None:
        """Note whether a row begins a new fit, and whether it is a part or the end of an epoch.

        Args:
            row: Position of the row.
            epoch: Index of its epoch.
            closes: Whether the row ends its epoch.
            complete: Whether the row was not cut short.
        """
        if epoch < self.latest_epoch:
            self.fits.put(row, self.latest_epoch)
        self.latest_epoch = epoch
        if not closes:
            self.part_rows.append(row)
        elif complete:
            self.closed_rows.append(row)

    def copy(self) -> Self:
        """Return a copy of the rows that count, without memos."""
        copied, length = type(self)(), self.length
        for name in DENSE:
            setattr(copied, name, getattr(self, name)[:length])
        for name in SPARSE:
            setattr(copied, name, getattr(self, name).copy(length))
        for name in NAMED:
            columns = {key: column.copy(length) for key, column in list(getattr(self, name).items())}
            setattr(copied, name, {key: column for key, column in columns.items() if column.rows})
        watched = {name: column.copy(length) for name, column in list(self.activity.items())}
        copied.activity = {name: column for name, column in watched.items() if column.rows}
        copied.intensity = self.intensity.copy(length)
        copied.devices = self.devices.copy(length)
        copied.phases = self.phases.copy(length)
        copied.device_begins, copied.phase_begins = self.device_begins[:length], self.phase_begins[:length]
        copied.device_numbers = self.device_numbers[: self.device_end(length)]
        copied.phase_numbers = self.phase_numbers[: self.phase_end(length)]
        copied.closed_rows = array("i", until(self.closed_rows, length))
        copied.part_rows = array("i", until(self.part_rows, length))
        copied.latest_epoch = next((epoch for epoch in reversed(copied.epoch) if epoch != NONE), NONE)
        copied.unseen, copied.length, copied.intended = self.unseen, length, length
        copied.effort_before = self.effort_before
        return copied

    def rewound(self, lost: Collection[int]) -> Self:
        """Return a copy in which some rows of the present fit lie outside epochs, without metrics.

        Args:
            lost: Positions of these rows.
        """
        changed, first = self.copy(), self.fit_row(self.length)
        for row in lost:
            changed.epoch[row] = NONE
            changed.marks[row] &= ~COMPLETE
        for name in ("rates", "merged_epochs", "merged_parts", "merged_outside"):
            setattr(changed, name, getattr(changed, name).copy(self.length, lost))
        changed.metrics = {name: column.copy(self.length, lost) for name, column in changed.metrics.items()}
        changed._follow_again(first)  # noqa: SLF001  of its own kind
        return changed

    def _follow_again(self, first: int) -> None:
        """Find fits, closed epochs and parts again, from the first row of the last fit on."""
        latest = self.fits.get(first)
        self.fits = self.fits.copy(first)
        self.closed_rows = array("i", until(self.closed_rows, first))
        self.part_rows = array("i", until(self.part_rows, first))
        self.latest_epoch = NONE if latest is None else latest
        for row in range(first, self.length):
            if self.epoch[row] != NONE:
                mark = self.marks[row]
                self.follow(row, self.epoch[row], closes=bool(mark & CLOSES), complete=bool(mark & COMPLETE))

    def device_end(self, length: int) -> int:
        """Return the end of the device numbers of the first rows."""
        return self.device_slice(length - 1).stop if length else 0

    def phase_end(self, length: int) -> int:
        """Return the end of the phase numbers of the first rows."""
        return self.phase_slice(length - 1).stop if length else 0

    def device_ends(self) -> list[int]:
        """Return the end of the device numbers of each row."""
        return [*self.device_begins[1 : self.length], self.device_end(self.length)][: self.length]

    def phase_ends(self) -> list[int]:
        """Return the end of the phase numbers of each row."""
        return [*self.phase_begins[1 : self.length], self.phase_end(self.length)][: self.length]

    def find_closed(self) -> None:
        """Find closed epochs and parts from the marks of all rows."""
        marks = zip(self.epoch, self.marks, strict=True)
        inside = [(row, mark) for row, (epoch, mark) in enumerate(marks) if epoch != NONE]
        self.closed_rows = array("i", (row for row, mark in inside if mark == CLOSES | COMPLETE))
        self.part_rows = array("i", (row for row, mark in inside if not mark & CLOSES))
        self.latest_epoch = self.epoch[inside[-1][0]] if inside else NONE

    def device_slice(self, row: int) -> slice:
        """Return the place of the device numbers of a row."""
        begin = self.device_begins[row]
        return slice(begin, begin + DEVICE_NUMBERS * len(self.devices.get(row)[0]))

    def phase_slice(self, row: int) -> slice:
        """Return the place of the phase numbers of a row."""
        begin = self.phase_begins[row]
        return slice(begin, begin + PHASE_NUMBERS * len(self.phases.get(row)))

    def fit_row(self, length: int) -> int:
        """Return the first row of the last fit among the first rows."""
        rows, _ = self.fits.until(length)
        return rows[-1] if rows else 0

    def merged_since(self, name: str, first: int) -> int:
        """Return how many epochs or parts were merged into the rows from a row on.

        Args:
            name: ``merged_epochs`` or ``merged_parts``.
            first: The first row.
        """
        if not self.unseen:  # fast, because policies ask at every decision and most runs are not thinned
            return 0
        rows, values = getattr(self, name).until(self.length)
        return int(sum(values[bisect_left(rows, first) :]))

    def dense(self, name: str) -> Numbers:
        """Return a dense column of the rows that count, without a copy unless it holds more values."""
        return until_length(getattr(self, name), self.length)


def put(columns: dict[str, Sparse], name: str, row: int, value: float) -> None:
    """Add a value to a named column, and make the column the first time."""
    if name not in columns:
        columns[name] = Sparse()
    columns[name].put(row, value)


def until_length(column: Numbers, length: int) -> Numbers:
    """Return the first numbers of a column, without a copy if it has no more."""
    return column if len(column) == length else column[:length]


def until(rows: "array[int]", length: int) -> "array[int]":
    """Return the positions below a length, without a copy if all are below it.

    Args:
        rows: Positions of rows, in order.
        length: Number of rows that count.
    """
    return rows if not rows or rows[-1] < length else rows[: bisect_left(rows, length)]
