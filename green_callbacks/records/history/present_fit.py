"""The progress of the present fit."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from green_callbacks.records.history.positions import Positions


class PresentFit(Positions):
    """The epochs, steps and spending of the present fit, since the index of the epoch fell back."""

    def epochs_done(self, row: int | None = None) -> int:
        """Return the number of epochs that are done, the epochs before the first record of a resumed run included.

        Args:
            row: Last record that counts, in the present fit. Defaults to the last record.
        """
        last = self._rows.length - 1 if row is None else row
        part, closed = self.open_part(last), self.last_epochs(1, last)
        done = 0 if part is None else self._number(part) - 1
        return max(done, self._number(closed[-1]) if closed else 0, 0)

    @property
    def next_epoch(self) -> int:
        """Index of the first epoch that is not done, in the numbering of the run."""
        return self.epochs_done() + self._first_index

    def last_epochs(self, count: int, row: int | None = None) -> Sequence[int]:
        """Return the rows at which the last epochs ended.

        Args:
            count: Largest number of rows to return.
            row: Last record that counts. Defaults to the last record.
        """
        rows, fit_row = self.epoch_rows, self.fit_row
        end = len(rows) if row is None else bisect_right(rows, row)
        rows = rows[max(end - count, 0) : end]
        return rows[bisect_left(rows, fit_row) :] if fit_row else rows

    def open_part(self, row: int) -> int | None:
        """Return the last part of the epoch that is open at a row. None if no epoch is open, or if it has no part.

        Args:
            row: Last record that counts, in the present fit.
        """
        parts, closed = self.part_rows, self.epoch_rows
        before, ended = bisect_right(parts, row), bisect_right(closed, row)
        if not before or parts[before - 1] < self.fit_row or (ended and closed[ended - 1] > parts[before - 1]):
            return None
        return parts[before - 1]

    def is_first_epoch(self, row: int) -> bool:
        """Return whether a record is of the first epoch of a training, and not of the first epoch after a resume.

        Args:
            row: Position of the record in the present fit.
        """
        return self.epoch_at(row) == self._first_index

    def before_fit(self, cumulative: Sequence[float]) -> float:
        """Return the spending before the present fit.

        Args:
            cumulative: Spending up to and including each record, in any unit.
        """
        return cumulative[self.fit_row - 1] if self.fit_row else 0.0

    def since_fit(self, cumulative: Sequence[float], row: int) -> float:
        """Return the spending of the present fit.

        Args:
            cumulative: Spending up to and including each record, in any unit.
            row: Last record that counts.
        """
        return cumulative[row] - self.before_fit(cumulative) if row >= self.fit_row else 0.0

    def fit_seconds(self, epoch: int, unrecorded_seconds: float = 0.0) -> float:
        """Return the time in s that the fit of an epoch has taken. 0 if the epoch begins a new fit.

        Args:
            epoch: Index of the epoch, which has just begun.
            unrecorded_seconds: Time since the last record, which will be recorded with the epoch, in s. Defaults to 0.
        """
        epochs = (self.epoch_at(row) for row in range(self._rows.length - 1, -1, -1))
        latest = next((each for each in epochs if each is not None), epoch)
        if epoch < latest:
            return 0.0
        return self.duration_seconds - self.before_fit(self.cumulative_seconds) + unrecorded_seconds

    def _number(self, row: int) -> int:
        """Return the number of a record's epoch in its training, counted from 1."""
        return (self.epoch_at(row) or 0) + 1 - self._first_index

    @property
    def _first_index(self) -> int:
        """Index of the first epoch, 1 if the present fit begins with epoch 1, otherwise 0."""
        known: dict[int, int] = self.memo((__name__, "first index"), dict)
        both, fit_row = (self.epoch_rows, self.part_rows), self.fit_row
        if fit_row not in known:
            first = min((rows[at] for rows in both if (at := bisect_left(rows, fit_row)) < len(rows)), default=None)
            if first is None:
                return 0
            # A row of a thinned history may stand for several epochs.
            known[fit_row] = 0 if self.is_thinned else self._index_by(first)
        return known[fit_row]

    def _index_by(self, first: int) -> int:
        """Return 1 if a row is of epoch 1 and no epoch 0 was cut short before it, otherwise 0."""
        rows = range(self.fit_row, first)
        return int(self.epoch_at(first) == 1 and all(self.epoch_at(row) != 0 for row in rows))
