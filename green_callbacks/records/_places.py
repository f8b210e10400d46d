"""Where in a training the rows of a history belong: epochs, parts of them, steps, and fits."""

from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Self

from green_callbacks.records._columns import Packed, pack, unpack
from green_callbacks.records.epoch import EpochRecord

_NONE = -1


class Places:
    """Epoch and step of every row, and which rows closed a whole epoch; -1 stands for None."""

    def __init__(self) -> None:
        self.epoch = array("q")
        self.step = array("q")
        self.closes = array("b")
        self.complete = array("b")
        self.closed_rows = array("q")
        """Rows at which a whole epoch was closed."""
        self.part_rows = array("q")
        """Rows of parts of an epoch that did not close it."""
        self.fit_row = 0
        """First row of the present fit."""
        self._latest_epoch = _NONE

    def __len__(self) -> int:
        return len(self.epoch)

    def append(self, record: EpochRecord) -> None:
        epoch, step = record.epoch, record.step
        if epoch is not None:
            self._follow(len(self.epoch), epoch, closes=record.closes_epoch, complete=record.complete)
        self.epoch.append(_NONE if epoch is None else epoch)
        self.step.append(_NONE if step is None else step)
        self.closes.append(record.closes_epoch)
        self.complete.append(record.complete)

    def _follow(self, row: int, epoch: int, *, closes: bool, complete: bool) -> None:
        if epoch < self._latest_epoch:
            self.fit_row = row
        self._latest_epoch = epoch
        if not closes:
            self.part_rows.append(row)
        elif complete:
            self.closed_rows.append(row)

    def _follow_all(self) -> None:
        self.closed_rows, self.part_rows = array("q"), array("q")
        self.fit_row, self._latest_epoch = 0, _NONE
        for row, epoch in enumerate(self.epoch):
            if epoch != _NONE:
                self._follow(row, epoch, closes=bool(self.closes[row]), complete=bool(self.complete[row]))

    def epoch_at(self, row: int) -> int | None:
        return _optional(self.epoch[row])

    def step_at(self, row: int) -> int | None:
        return _optional(self.step[row])

    def last_step(self, row: int) -> int | None:
        """Return the step at a row of the present fit, or at the last before it that knows it."""
        rows = range(row, self.fit_row - 1, -1)
        return next((self.step[at] for at in rows if self.step[at] != _NONE), None)

    def inside(self, values: Sequence[float]) -> list[float]:
        """Return those values of a column whose rows are inside epochs."""
        return [value for value, epoch in zip(values, self.epoch, strict=True) if epoch != _NONE]

    def outside(self, values: Sequence[float]) -> list[float]:
        """Return the others."""
        return [value for value, epoch in zip(values, self.epoch, strict=True) if epoch == _NONE]

    def lost_rows(self, epoch: int, step: int | None) -> set[int]:
        rows = {row for row in range(self.fit_row, len(self)) if self.epoch[row] >= epoch}
        if step is None:
            return rows
        kept = {row for row in rows if self.epoch[row] == epoch and _NONE != self.step[row] <= step}
        return rows if kept.intersection(self.closed_rows) else rows - kept  # one that was whole begins again

    def put_outside(self, rows: set[int]) -> None:
        """Make rows outside epochs of some."""
        for row in rows:
            self.epoch[row] = _NONE
            self.complete[row] = False
        self._follow_all()

    def pack(self) -> dict[str, Packed]:
        return {
            "epoch": pack(self.epoch),
            "step": pack(self.step),
            "closes_epoch": pack(self.closes),
            "complete": pack(self.complete),
        }

    @classmethod
    def unpack(cls, columns: Mapping[str, Any]) -> Self:
        places = cls()
        places.epoch = array("q", unpack(columns["epoch"]))
        places.step = array("q", unpack(columns["step"]))
        places.closes = array("b", unpack(columns["closes_epoch"]))
        places.complete = array("b", unpack(columns["complete"]))
        places._follow_all()
        return places


def _optional(value: int) -> int | None:
    return None if value == _NONE else value
