"""Every record of a run, in order: the only state that decisions are made from."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from math import isnan, nan
from typing import Any, Self, TypeVar, overload

from green_callbacks.errors import ConfigurationError
from green_callbacks.records.coverage import is_missing, is_whole
from green_callbacks.records.device import DeviceEnergy
from green_callbacks.records.epoch import EpochRecord
from green_callbacks.records.history.columns import Column, known, total
from green_callbacks.records.history.device_totals import device_totals, measured_joules
from green_callbacks.records.history.record_checks import what_cannot_be_kept
from green_callbacks.records.history.row_reading import joules_where, lost_rows, phases_of, record_at
from green_callbacks.records.history.rows import CLOSES, COMPLETE, NONE, Rows, until
from green_callbacks.records.history.state.packed_columns import DamagedError
from green_callbacks.records.history.state.thinning import decode, encode
from green_callbacks.records.intensity import Intensity
from green_callbacks.records.reference import reference_kg

__all__ = ["Column", "History"]

T = TypeVar("T")


class History(Sequence[EpochRecord]):
    """Every record in order, outside rows included, kept in columns with running sums.

    Reads as a sequence of records, made on demand. Their verdicts are not kept: they are functions of the history,
    and travel with the record to sinks and ledger.

    A record is added whole or not at all. An exception within :meth:`append`, :meth:`extend` or :meth:`rewind`, such as
    a KeyboardInterrupt, leaves the history as it was before or as it is after. A signal handler may read it, and add to
    it, at any moment.

    Args:
        records: Records to begin with.
    """

    def __init__(self, records: Iterable[EpochRecord] = ()) -> None:
        self._rows = Rows()
        self.extend(records)

    def append(self, record: EpochRecord) -> None:
        """Add a record at the end.

        Args:
            record: The record; its verdicts are not kept.

        Raises:
            ConfigurationError: The record holds what no record can, such as a duration that is not finite.
        """
        self.extend((record,))

    def extend(self, records: Iterable[EpochRecord]) -> None:
        """Add records at the end, all at once: no reader sees some of them without the others.

        Args:
            records: The records; their verdicts are not kept.

        Raises:
            ConfigurationError: One of them holds what no record can; none of them is added.
        """
        records, is_added = tuple(records), False
        while not is_added:
            rows = self._rows
            if rows.length != rows.intended:  # an addition was interrupted, maybe by the signal handler that calls this
                rows = self._rows = rows.copy()
            try:
                rows.add(records)
            except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as reason:
                message = next(filter(None, map(what_cannot_be_kept, records)), None)
                if message is None:  # it is not of the records: a signal handler raised it
                    raise
                raise ConfigurationError(message) from reason
            is_added = self._rows is rows  # if not, a signal handler has added records to a copy meanwhile

    @overload
    def __getitem__(self, row: int) -> EpochRecord: ...

    @overload
    def __getitem__(self, row: slice) -> list[EpochRecord]: ...

    def __getitem__(self, row: int | slice) -> EpochRecord | list[EpochRecord]:
        """Return one record, or a list of them for a slice."""
        rows, length = self._rows, len(self)
        if isinstance(row, slice):
            return [record_at(rows, at) for at in range(*row.indices(length))]
        position = row + length if row < 0 else row
        if not 0 <= position < length:
            msg = f"The history holds {length} records; there is none at {row}."
            raise IndexError(msg)
        return record_at(rows, position)

    def __len__(self) -> int:
        """Return the number of records."""
        return self._rows.length

    def __iter__(self) -> Iterator[EpochRecord]:
        """Make the records one by one."""
        rows = self._rows
        return (record_at(rows, row) for row in range(rows.length))

    def copy(self) -> Self:
        """Return a history of the same records, which goes its own way from here."""
        copied = type(self)()
        copied._rows = self._rows.copy()  # noqa: SLF001  of its own kind
        return copied

    @property
    def is_thinned(self) -> bool:
        """Whether it was read from a checkpoint that held merged records; the ledger holds all of them."""
        return self._rows.unseen > 0

    @property
    def recorded_rows(self) -> int:
        """How many records it stands for: those that it holds, and those that were merged into them."""
        return self._rows.length + self._rows.unseen

    @property
    def emissions_kg(self) -> float:
        """Emissions of all records together, in kgCO2e; what was not measured is not in it."""
        return self._sum("kg")

    @property
    def facility_kwh(self) -> float:
        """Facility energy of all records together, in kWh."""
        return self._sum("kwh")

    @property
    def reference_kg(self) -> float:
        """What that energy would have emitted at the world's average of 2025 (458.3 g/kWh), in kgCO2e."""
        return reference_kg(self.facility_kwh)

    @property
    def duration_seconds(self) -> float:
        """Accounted time of all records together, in s."""
        return self._sum("seconds")

    def _sum(self, name: str) -> float:
        rows = self._rows
        last: float = getattr(rows, name)[rows.length - 1] if rows.length else 0.0
        return last

    @property
    def cumulative_kg(self) -> Sequence[float]:
        """Emissions up to and with each record, in kgCO2e; not to be changed."""
        return self._cumulative("kg")

    @property
    def cumulative_kwh(self) -> Sequence[float]:
        """Facility energy up to and with each record, in kWh; not to be changed."""
        return self._cumulative("kwh")

    @property
    def cumulative_seconds(self) -> Sequence[float]:
        """Accounted time up to and with each record, in s; not to be changed."""
        return self._cumulative("seconds")

    def _cumulative(self, name: str) -> Sequence[float]:
        sums: Sequence[float] = self._rows.dense(name)
        return sums

    @property
    def epoch_rows(self) -> Sequence[int]:
        """Rows at which a whole epoch was closed; not to be changed."""
        rows = self._rows
        return until(rows.closed_rows, rows.length)

    @property
    def part_rows(self) -> Sequence[int]:
        """Rows of parts of an epoch that did not close it; not to be changed."""
        rows = self._rows
        return until(rows.part_rows, rows.length)

    @property
    def finished_parts(self) -> int:
        """Number of parts of epochs in the present fit that did not close them, merged ones included."""
        rows = self._rows
        parts, first = until(rows.part_rows, rows.length), rows.fit_row(rows.length)
        return len(parts) - bisect_left(parts, first) + rows.merged_since("merged_parts", first)

    def energy_joules_at(self, row: int) -> float | None:
        """Return the energy of a record in J without making it; None if nothing was measured."""
        return known(self._rows.joules[row])

    def phase_share(self, row: int, phase: str) -> float:
        """Return which share of the energy of a record one phase took, 0 to 1; 0 where that is not known.

        Args:
            row: Position of the record.
            phase: The phase, e.g. ``validation``.
        """
        joules, phases = self.energy_joules_at(row), phases_of(self._rows, row)
        taken = phases[phase].joules if phase in phases else None
        return min(taken / joules, 1.0) if taken and joules else 0.0

    def dearest_phase_joules(self, phase: str) -> float:
        """Return the most energy that one phase took in any record, in J; 0 if it took none.

        Args:
            phase: The phase, e.g. ``validation``.
        """
        rows = self._rows
        return rows.most_joules[phase].latest(rows.length - 1) or 0.0 if phase in rows.most_joules else 0.0

    @property
    def fit_row(self) -> int:
        """First row of the present fit: where the index of the epoch fell back without a rewind; 0 if it never did.

        A fit that begins again trains another model: what is learned and planned counts from here. What is spent does
        not.
        """
        rows = self._rows
        return rows.fit_row(rows.length)

    @property
    def finished_epochs(self) -> int:
        """Number of epochs that ran to their end."""
        return len(self.epoch_rows) + self._rows.merged_since("merged_epochs", 0)

    @property
    def last_epoch(self) -> int | None:
        """Index of the last epoch that ran to its end; None before the first."""
        closed = self.epoch_rows
        return self._rows.epoch[closed[-1]] if closed else None

    def lost_rows(self, epoch: int, step: int | None = None) -> set[int]:
        """Return the rows that are worth nothing where an epoch and all later ones are done again.

        Args:
            epoch: The first epoch that is done again.
            step: Optimizer steps that were done before: what an epoch that goes on within took until then is not lost.
                None where that is not known.
        """
        return lost_rows(self._rows, epoch, step)

    def rewind(self, epoch: int, step: int | None = None) -> None:
        """Move what was recorded of an epoch that is done again, and of all later ones, outside epochs.

        Their energy was used all the same; their metrics are gone with the model that had them.

        Args:
            epoch: The first epoch that is done again.
            step: Optimizer steps that were done before; see :meth:`lost_rows`.
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

    def memo(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is kept under a key, made the first time.

        For what is derived from this history alone and takes long to derive anew, such as running sums of a metric. It
        is in no state and no copy. A :meth:`rewind` drops it, and so may an addition that follows an interrupted one.
        Other additions leave it: whoever keeps something here notes up to which row it holds, and goes on from there.

        Args:
            key: Names it; a tuple that begins with the name of the module keeps clear of others.
            make: Makes it where it is not there.
        """
        memos = self._rows.memos
        if key not in memos:
            memos[key] = make()
        kept: T = memos[key]
        return kept

    def epoch_at(self, row: int) -> int | None:
        """Return the epoch of a record without making it; None outside epochs."""
        epoch = self._rows.epoch[row]
        return None if epoch == NONE else epoch

    def step_at(self, row: int) -> int | None:
        """Return the optimizer steps that a record knows without making it; None where it knows none."""
        step: int | None = self._rows.steps.get(row)
        return step

    def is_whole(self, row: int) -> bool:
        """Tell whether a record closes its epoch and was not cut short, without making it."""
        return self._rows.marks[row] & (CLOSES | COMPLETE) == CLOSES | COMPLETE

    def was_lost(self, row: int) -> bool:
        """Tell whether a record was of an epoch that is done again, or of what was cut short outside epochs.

        Args:
            row: Position of the record.
        """
        rows = self._rows
        return rows.epoch[row] == NONE and not rows.marks[row] & COMPLETE

    def rows_until_spend(self, kg: float) -> int:
        """Return how many of the first records had been written when at most this much was spent.

        Args:
            kg: Emissions in kgCO2e.
        """
        rows = self._rows
        return bisect_right(rows.kg, kg, 0, rows.length)

    def metric(self, name: str) -> Column:
        """Return the fresh values of a metric, without a copy.

        Args:
            name: Its key, e.g. ``val_acc``.

        Returns:
            The rows where it was fresh and its values; empty if it never was.
        """
        rows = self._rows
        return rows.metrics[name].until(rows.length) if name in rows.metrics else Column((), ())

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Keys of all metrics seen."""
        rows = self._rows
        return tuple(name for name, column in list(rows.metrics.items()) if column.until(rows.length).rows)

    @property
    def learning_rates(self) -> Column:
        """The learning rates known."""
        rows = self._rows
        return rows.rates.until(rows.length)

    @property
    def samples(self) -> int | None:
        """Training samples seen in all records together; None if unknown."""
        return self._count("samples")

    @property
    def tokens(self) -> int | None:
        """Training tokens seen in all records together; None if unknown."""
        return self._count("tokens")

    def _count(self, name: str) -> int | None:
        rows = self._rows
        values = getattr(rows, name).until(rows.length).values
        return int(sum(values)) if values else None

    @property
    def flops(self) -> float | None:
        """Floating-point operations of all records together; None if unknown."""
        rows = self._rows
        values = rows.flops.until(rows.length).values
        return sum(values) if values else None

    @property
    def steps(self) -> int | None:
        """Optimizer steps at the last record of the present fit that knows them."""
        return self.steps_at(len(self) - 1)

    def steps_at(self, row: int) -> int | None:
        """Return the optimizer steps at a record of the present fit, or at the last before it that knows them.

        Args:
            row: Position of the record.
        """
        rows = self._rows
        steps: int | None = rows.steps.latest(row, rows.fit_row(rows.length))
        return steps

    @property
    def energy_joules(self) -> float | None:
        """Energy of all records together, in J; None if nothing was measured."""
        return total(self._rows.dense("joules"))

    @property
    def epochs_joules(self) -> float | None:
        """Energy of the records inside epochs, in J."""
        return joules_where(self._rows, outside=False)

    @property
    def samples_joules(self) -> float | None:
        """Energy of the records that see samples, in J: those inside epochs, and those of epochs done again."""
        rows, inside = self._rows, self.epochs_joules
        seen = rows.samples.until(rows.length).rows
        again = (rows.joules[row] for row in seen if rows.epoch[row] == NONE)
        return total((nan if inside is None else inside, *again))

    @property
    def outside_joules(self) -> float | None:
        """Energy of the records outside epochs, in J."""
        return joules_where(self._rows, outside=True)

    @property
    def emissions_low_kg(self) -> float | None:
        """Lower bound of the emissions in kgCO2e, summed from the records'."""
        return self._sum("low_kg") if self._has_energy else None

    @property
    def emissions_high_kg(self) -> float | None:
        """Upper bound of the emissions in kgCO2e, summed from the records'."""
        return self._sum("high_kg") if self._has_energy else None

    @property
    def _has_energy(self) -> bool:
        return any(not isnan(joules) for joules in self._rows.dense("joules"))

    def facility_kwh_by_intensity(self) -> dict[Intensity, float]:
        """Return the facility energy in kWh that was used at each carbon intensity, in order of their first use."""
        rows, before_kwh = self._rows, 0.0
        distinct = rows.intensity.used(rows.length)
        energies = [0.0] * len(distinct)
        for index, kwh in zip(rows.intensity.index, rows.dense("kwh"), strict=False):
            energies[index] += kwh - before_kwh
            before_kwh = kwh
        return dict(zip(distinct, energies, strict=True))

    def device_totals(self) -> dict[str, DeviceEnergy]:
        """Return the energy of every device over the whole run, labeled with its least direct method."""
        return device_totals(self._rows, self.duration_seconds)

    @property
    def measured_share(self) -> float | None:
        """Share of the energy that came from a counter or from sampled power, 0 to 1.

        None if there is no energy, or if a GPU that was used is missing from it: of what it used nothing is known.
        """
        joules = self.energy_joules
        return measured_joules(self._rows) / joules if joules and is_whole(self.device_totals()) else None

    @property
    def misses_gpu(self) -> bool:
        """Whether the last record has an accelerator of which nothing was measured; takes about 1 µs."""
        rows, last = self._rows, len(self) - 1
        if last < 0:
            return False
        _, components, _, _, flags = rows.devices.get(last)
        begin = rows.device_begins[last]
        joules = map(known, rows.device_numbers[begin : begin + len(components)])
        return any(map(is_missing, joules, components, flags))

    def to_columns(self) -> dict[str, Any]:
        """Return the history as plain JSON types, for a checkpoint.

        In a long one, old rows are merged, see :mod:`green_callbacks.records.history.state.thinning`.
        """
        return encode(self._rows)

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_columns` wrote.

        Args:
            columns: The columns.

        Returns:
            A history equal to the one that was written, but for verdicts and for what was merged.

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
