"""All records of a run, in order. Policies decide from nothing else."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, overload

from green_callbacks.errors import ConfigurationError
from green_callbacks.records.effort import Effort
from green_callbacks.records.epoch import EpochRecord
from green_callbacks.records.history.columns import Column
from green_callbacks.records.history.devices.effort_rows import effort_at, total_effort
from green_callbacks.records.history.present_fit import PresentFit
from green_callbacks.records.history.record_checks import what_cannot_be_kept
from green_callbacks.records.history.row_reading import lost_rows, record_at
from green_callbacks.records.history.row_writing import add_records
from green_callbacks.records.history.state.packed_columns import DamagedError
from green_callbacks.records.history.state.thinning import decode, encode
from green_callbacks.records.notebook_view import NotebookView

__all__ = ["Column", "History"]


class History(NotebookView, PresentFit, Sequence[EpochRecord]):
    """All records in order, rows outside epochs included, kept in columns with running sums.

    A history reads as a sequence of records, which are made on demand. It does not keep their verdicts. Verdicts follow
    from the history, and travel with the record to sinks and ledger.

    A record is added whole or not at all. An exception within :meth:`append`, :meth:`extend` or :meth:`rewind`, such as
    a KeyboardInterrupt, leaves the history as it was before or as it is after. A signal handler may read the history,
    and add to it, at any moment.

    Args:
        records: Records to begin with. Defaults to none.

    Example:
        >>> history = History([EpochRecord.scripted(epoch=epoch, emissions_kg=0.2) for epoch in range(3)])
        >>> len(history), history.finished_epochs, round(history.emissions_kg, 3)
        (3, 3, 0.6)
    """

    def __init__(self, records: Iterable[EpochRecord] = ()) -> None:
        super().__init__()
        self.extend(records)

    def append(self, record: EpochRecord) -> None:
        """Add a record at the end.

        Args:
            record: The record. Its verdicts are not kept.

        Raises:
            ConfigurationError: The record holds an impossible value, such as a duration that is not finite.
        """
        self.extend((record,))

    def extend(self, records: Iterable[EpochRecord]) -> None:
        """Add records at the end, all at once. No reader sees some of them without the others.

        Args:
            records: The records. Their verdicts are not kept.

        Raises:
            ConfigurationError: A record holds an impossible value. No record is added.
        """
        records, is_added = tuple(records), False
        while not is_added:
            rows = self._rows
            if rows.length != rows.intended:  # an addition was interrupted, maybe by the signal handler that calls this
                rows = self._rows = rows.copy()
            try:
                add_records(rows, records)
            except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as reason:
                message = next(filter(None, map(what_cannot_be_kept, records)), None)
                if message is None:  # the records are valid, so a signal handler raised the exception
                    raise
                raise ConfigurationError(message) from reason
            is_added = self._rows is rows  # if not, a signal handler has added records to a copy meanwhile

    @overload
    def __getitem__(self, row: int) -> EpochRecord: ...

    @overload
    def __getitem__(self, row: slice) -> list[EpochRecord]: ...

    def __getitem__(self, row: int | slice) -> EpochRecord | list[EpochRecord]:
        """Return one record, or a list of records for a slice."""
        rows, length = self._rows, len(self)
        if isinstance(row, slice):
            return [record_at(rows, at) for at in range(*row.indices(length))]
        position = row + length if row < 0 else row
        if not 0 <= position < length:
            msg = f"The history holds {length} records, and none at {row}."
            raise IndexError(msg)
        return record_at(rows, position)

    def __len__(self) -> int:
        """Return the number of records."""
        return self._rows.length

    def __iter__(self) -> Iterator[EpochRecord]:
        """Make the records one by one."""
        rows = self._rows
        return (record_at(rows, row) for row in range(rows.length))

    @property
    def effort(self) -> Effort:
        """What the training of all records took per step, sample, token and operation."""
        return total_effort(self._rows)

    def effort_at(self, row: int) -> Effort:
        """Return the effort that a record completes.

        The last part of an epoch may tell the counts of the whole epoch. Then it has the energy of all parts.

        Args:
            row: Position of the record, from 0.
        """
        return effort_at(self._rows, row)

    @property
    def last_effort(self) -> Effort | None:
        """What the last record completes, like :meth:`effort_at`. None without a record."""
        rows = self._rows
        return effort_at(rows, rows.length - 1) if rows.length else None

    @property
    def samples_joules(self) -> float | None:
        """Energy of the training in which the samples were counted, without validation, in J. None if unknown."""
        samples = self.effort.samples
        return samples and samples.amount

    def copy(self) -> Self:
        """Return an independent history of the same records."""
        copied = type(self)()
        copied._rows = self._rows.copy()  # noqa: SLF001  of its own kind
        return copied

    def rewind(self, epoch: int, step: int | None = None) -> None:
        """Move the records of an epoch that will be repeated, and of all later epochs, outside epochs.

        Their energy stays, because it was used. Their metrics go, because the model that had them is gone.

        Args:
            epoch: The first epoch that is repeated.
            step: Optimizer steps at which the repetition begins, as in :meth:`lost_rows`. Defaults to None.
        """
        while True:
            rows = self._rows
            lost = lost_rows(rows, epoch, step)
            if not lost:
                return
            changed = rows.rewound(lost)
            if self._rows is rows and rows.length == changed.length:  # if not, a signal handler has added records
                self._rows = changed
                return

    def to_columns(self) -> dict[str, Any]:
        """Return the history as plain JSON types, for a checkpoint.

        Old rows of a long history are merged, as :mod:`green_callbacks.records.history.state.thinning` explains.
        """
        return encode(self._rows)

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_columns` wrote.

        Args:
            columns: The columns.

        Returns:
            A history equal to the written history, except for verdicts and merged rows.

        Raises:
            ConfigurationError: The columns are damaged.
        """
        history = cls()
        try:
            history._rows = decode(columns)
        except DamagedError as reason:
            msg = f"The account in the checkpoint is damaged: {reason}. Resume without it, or from another checkpoint."
            raise ConfigurationError(msg) from reason
        return history
