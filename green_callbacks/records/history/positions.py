"""The place of records in a history, by epoch, fit, part and step."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from green_callbacks.records.history.columns import CLOSES, COMPLETE, NONE, Column, known
from green_callbacks.records.history.cumulative import Cumulative
from green_callbacks.records.history.row_reading import lost_rows, phases_of
from green_callbacks.records.history.rows import until

T = TypeVar("T")


class Positions(Cumulative):
    """Rows of a history by their place, read without making records.

    A *fit* begins where the index of the epoch falls back without a rewind. A fit that begins again trains another
    model. So learning and plans count from the present fit, and spending does not.
    """

    @property
    def is_thinned(self) -> bool:
        """Whether the history comes from a checkpoint with merged records. The ledger holds all records."""
        return self._rows.unseen > 0

    @property
    def recorded_rows(self) -> int:
        """Number of records that the history stands for, merged records included."""
        return self._rows.length + self._rows.unseen

    @property
    def epoch_rows(self) -> Sequence[int]:
        """Rows at which a whole epoch ended. Must not be changed."""
        rows = self._rows
        return until(rows.closed_rows, rows.length)

    @property
    def part_rows(self) -> Sequence[int]:
        """Rows of the parts of epochs, except the last part of each epoch. Must not be changed."""
        rows = self._rows
        return until(rows.part_rows, rows.length)

    @property
    def finished_parts(self) -> int:
        """Number of parts of epochs in the present fit, merged parts included, and the last part of each epoch not."""
        rows = self._rows
        parts, first = until(rows.part_rows, rows.length), rows.fit_row(rows.length)
        return len(parts) - bisect_left(parts, first) + rows.merged_since("merged_parts", first)

    @property
    def fit_row(self) -> int:
        """First row of the present fit. 0 in the first fit."""
        rows = self._rows
        return rows.fit_row(rows.length)

    @property
    def finished_epochs(self) -> int:
        """Number of epochs of all fits that ran to their end."""
        return len(self.epoch_rows) + self._rows.merged_since("merged_epochs", 0)

    @property
    def last_epoch(self) -> int | None:
        """Index of the last epoch that ran to its end. None before the first."""
        closed = self.epoch_rows
        return self._rows.epoch[closed[-1]] if closed else None

    def epoch_at(self, row: int) -> int | None:
        """Return the epoch of a record. None outside epochs."""
        epoch = self._rows.epoch[row]
        return None if epoch == NONE else epoch

    def step_at(self, row: int) -> int | None:
        """Return the optimizer steps of a record. None if the record has none."""
        step: int | None = self._rows.steps.get(row)
        return step

    @property
    def steps(self) -> int | None:
        """Optimizer steps at the last record of the present fit that has them. None if no record has them.

        The last records may belong to an epoch that is about to be repeated. Their steps do not count.
        """
        last = self._rows.length - 1
        while last > 0 and self.was_lost(last):
            last -= 1
        return self.steps_at(last)

    def steps_at(self, row: int) -> int | None:
        """Return the optimizer steps at a record, or at the last record of the same fit before it that has them.

        Args:
            row: Position of the record in the present fit.
        """
        rows = self._rows
        steps: int | None = rows.steps.latest(row, rows.fit_row(rows.length))
        return steps

    def is_whole(self, row: int) -> bool:
        """Return whether a record ends its epoch and was not cut short."""
        return self._rows.marks[row] & (CLOSES | COMPLETE) == CLOSES | COMPLETE

    def was_lost(self, row: int) -> bool:
        """Return whether a record belongs to an epoch that was repeated, or was cut short outside epochs.

        Args:
            row: Position of the record.
        """
        rows = self._rows
        return rows.epoch[row] == NONE and not rows.marks[row] & COMPLETE

    def lost_rows(self, epoch: int, step: int | None = None) -> set[int]:
        """Return the rows that become worthless if an epoch and all later ones are repeated.

        Args:
            epoch: The first epoch that is repeated.
            step: Optimizer steps at which the repetition begins. Rows of that epoch up to this step stay valid.
                Defaults to None, if the step is unknown.
        """
        return lost_rows(self._rows, epoch, step)

    def rows_until_spend(self, kg: float) -> int:
        """Return how many of the first records had been written when at most this much was spent.

        Args:
            kg: Emissions in kgCO2e.
        """
        rows = self._rows
        return bisect_right(rows.kg, kg, 0, rows.length)

    def energy_joules_at(self, row: int) -> float | None:
        """Return the energy of a record, in J. None if nothing was measured."""
        return known(self._rows.joules[row])

    def phase_share(self, row: int, phase: str) -> float:
        """Return the share of a record's energy that one phase took, 0 to 1. 0 if unknown.

        Args:
            row: Position of the record.
            phase: The phase, e.g. ``validation``.
        """
        joules, phases = self.energy_joules_at(row), phases_of(self._rows, row)
        taken = phases[phase].joules if phase in phases else None
        return min(taken / joules, 1.0) if taken and joules else 0.0

    def most_phase_joules(self, phase: str) -> float:
        """Return the most energy that one phase took in any record, in J. 0 if the phase never ran.

        Args:
            phase: The phase, e.g. ``validation``.
        """
        rows = self._rows
        return rows.most_joules[phase].latest(rows.length - 1) or 0.0 if phase in rows.most_joules else 0.0

    def metric(self, name: str) -> Column:
        """Return the fresh values of a metric, without a copy.

        Args:
            name: Key of the metric, e.g. ``val_acc``.

        Returns:
            The rows where the metric was fresh, and its values. Empty if it never was.
        """
        rows = self._rows
        return rows.metrics[name].until(rows.length) if name in rows.metrics else Column((), ())

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Keys of all metrics."""
        rows = self._rows
        return tuple(name for name, column in list(rows.metrics.items()) if column.until(rows.length).rows)

    @property
    def learning_rates(self) -> Column:
        """The known learning rates."""
        rows = self._rows
        return rows.rates.until(rows.length)

    def memo(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value that is kept under a key, and make it the first time.

        This is for values that follow from the history alone and are slow to compute again, such as running sums of a
        metric. They are in no state and no copy. A rewind drops them, and so may an addition after an interrupted one.
        Other additions keep them. So a value notes the row up to which it holds, and the next call continues there.

        Args:
            key: Name of the value. A tuple that begins with the name of the module avoids collisions.
            make: Makes the value.
        """
        memos = self._rows.memos
        if key not in memos:
            memos[key] = make()
        kept: T = memos[key]
        return kept
