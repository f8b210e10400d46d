"""Every record of a run, in order: the only state that decisions are made from."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self, overload

from green_callbacks.records._columns import (
    Packed,
    Shared,
    Sparse,
    known,
    pack,
    total,
    unpack,
)
from green_callbacks.records._places import Places
from green_callbacks.records._sums import Sums
from green_callbacks.records._tables import DeviceTable, PhaseTable
from green_callbacks.records.codec import decode_intensity, encode_intensity
from green_callbacks.records.device import DeviceEnergy
from green_callbacks.records.epoch import EpochRecord
from green_callbacks.records.intensity import Intensity


class Column(NamedTuple):
    """The rows that have a value, and their values, both in order.

    Attributes:
        rows: Positions in the history.
        values: As many values.
    """

    rows: Sequence[int]
    values: Sequence[float]


class History(Sequence[EpochRecord]):
    """Every record in order, outside rows included, kept in columns with running sums.

    Reads as a sequence of records, made on demand. Their verdicts are not kept: they are functions of the history,
    and travel with the record to sinks and ledger.

    Args:
        records: Records to begin with.
    """

    def __init__(self, records: Iterable[EpochRecord] = ()) -> None:
        self._places = Places()
        self._sums = Sums()
        self._started = array("d")
        self._duration = array("d")
        self._pue: Shared[float] = Shared()
        self._intensity: Shared[Intensity] = Shared()
        self._devices = DeviceTable()
        self._phases = PhaseTable()
        self._metrics: dict[str, Sparse] = {}
        self._learning_rate = Sparse()
        self._samples = Sparse()
        for record in records:
            self.append(record)

    def append(self, record: EpochRecord) -> None:
        """Add a record at the end.

        Args:
            record: The record; its verdicts are not kept.
        """
        row = len(self._duration)
        for name, value in record.metrics.items():
            self._metrics.setdefault(name, Sparse()).put(row, value)
        if record.learning_rate is not None:
            self._learning_rate.put(row, record.learning_rate)
        if record.samples is not None:
            self._samples.put(row, record.samples)
        self._devices.append(record.devices)
        self._phases.append(record.phases)
        self._started.append(record.started_at.timestamp())
        self._duration.append(record.duration_seconds)
        self._pue.append(record.pue)
        self._intensity.append(record.intensity)
        self._places.append(record)
        self._sums.append(record)

    @overload
    def __getitem__(self, row: int) -> EpochRecord: ...

    @overload
    def __getitem__(self, row: slice) -> list[EpochRecord]: ...

    def __getitem__(self, row: int | slice) -> EpochRecord | list[EpochRecord]:
        """Return one record, or a list of them for a slice."""
        if isinstance(row, slice):
            return [self._record(i) for i in range(*row.indices(len(self)))]
        position = row + len(self) if row < 0 else row
        if not 0 <= position < len(self):
            msg = f"The history holds {len(self)} records; there is none at {row}."
            raise IndexError(msg)
        return self._record(position)

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._duration)

    def __iter__(self) -> Iterator[EpochRecord]:
        """Make the records one by one."""
        return (self._record(row) for row in range(len(self)))

    def _record(self, row: int) -> EpochRecord:
        duration = self._duration[row]
        metrics = {name: column.get(row) for name, column in self._metrics.items()}
        samples = self._samples.get(row)
        return EpochRecord(
            epoch=self._places.epoch_at(row),
            step=self._places.step_at(row),
            closes_epoch=bool(self._places.closes[row]),
            complete=bool(self._places.complete[row]),
            started_at=datetime.fromtimestamp(self._started[row], UTC),
            duration_seconds=duration,
            devices=self._devices.get(row, duration),
            phases=self._phases.get(row),
            intensity=self._intensity.get(row),
            pue=self._pue.get(row),
            metrics={name: value for name, value in metrics.items() if value is not None},
            learning_rate=self._learning_rate.get(row),
            samples=None if samples is None else int(samples),
        )

    @property
    def emissions_kg(self) -> float:
        """Emissions of all records together, in kgCO2e; what was not measured is not in it."""
        return self._sums.kg

    @property
    def facility_kwh(self) -> float:
        """Facility energy of all records together, in kWh."""
        return self._sums.kwh

    @property
    def duration_seconds(self) -> float:
        """Accounted time of all records together, in s."""
        return self._sums.seconds

    @property
    def cumulative_kg(self) -> Sequence[float]:
        """Emissions up to and with each record, in kgCO2e; not to be changed."""
        return self._sums.cumulative_kg

    @property
    def cumulative_kwh(self) -> Sequence[float]:
        """Facility energy up to and with each record, in kWh; not to be changed."""
        return self._sums.cumulative_kwh

    @property
    def cumulative_seconds(self) -> Sequence[float]:
        """Accounted time up to and with each record, in s; not to be changed."""
        return self._sums.cumulative_seconds

    @property
    def epoch_rows(self) -> Sequence[int]:
        """Rows at which a whole epoch was closed; not to be changed."""
        return self._places.closed_rows

    @property
    def part_rows(self) -> Sequence[int]:
        """Rows of parts of an epoch that did not close it; not to be changed."""
        return self._places.part_rows

    def energy_joules_at(self, row: int) -> float | None:
        """Return the energy of a record in J without making it; None if nothing was measured."""
        return known(self._sums.joules[row])

    def phase_share(self, row: int, phase: str) -> float:
        """Return which share of the energy of a record one phase took, 0 to 1; 0 where that is not known.

        Args:
            row: Position of the record.
            phase: The phase, e.g. ``validation``.
        """
        joules, phases = self.energy_joules_at(row), self._phases.get(row)
        taken = phases[phase].joules if phase in phases else None
        return min(taken / joules, 1.0) if taken and joules else 0.0

    def dearest_phase_joules(self, phase: str) -> float:
        """Return the most energy that one phase took in any record, in J; 0 if it took none.

        Args:
            phase: The phase, e.g. ``validation``.
        """
        return self._phases.most_joules.get(phase, 0.0)

    @property
    def fit_row(self) -> int:
        """First row of the present fit: where the index of the epoch fell back without a rewind; 0 if it never did.

        A fit that begins again trains another model: what is learned and planned counts from here. What is spent does
        not.
        """
        return self._places.fit_row

    @property
    def finished_epochs(self) -> int:
        """Number of epochs that ran to their end."""
        return len(self._places.closed_rows)

    @property
    def last_epoch(self) -> int | None:
        """Index of the last epoch that ran to its end; None before the first."""
        return self._places.epoch[self._places.closed_rows[-1]] if self._places.closed_rows else None

    def lost_rows(self, epoch: int, step: int | None = None) -> set[int]:
        """Return the rows that are worth nothing where an epoch and all later ones are done again.

        Args:
            epoch: The first epoch that is done again.
            step: Optimiser steps that were done before: what an epoch that goes on within took until then is not lost.
                None where that is not known.
        """
        return self._places.lost_rows(epoch, step)

    def rewind(self, epoch: int, step: int | None = None) -> None:
        """Make rows outside epochs of what was recorded of an epoch, and of all later ones, that are done again.

        Their energy was used all the same; their metrics are gone with the model that had them.

        Args:
            epoch: The first epoch that is done again.
            step: Optimiser steps that were done before; see :meth:`lost_rows`.
        """
        lost = self.lost_rows(epoch, step)
        self._places.put_outside(lost)
        for column in (*self._metrics.values(), self._learning_rate):
            column.drop(lost)

    def epoch_at(self, row: int) -> int | None:
        """Return the epoch of a record without making it; None outside epochs."""
        return self._places.epoch_at(row)

    def rows_until_spend(self, kg: float) -> int:
        """Return how many of the first records had been written when at most this much was spent.

        Args:
            kg: Emissions in kgCO2e.
        """
        return bisect_right(self._sums.cumulative_kg, kg)

    def metric(self, name: str) -> Column:
        """Return the fresh values of a metric.

        Args:
            name: Its key, e.g. ``val_acc``.

        Returns:
            The rows where it was fresh and its values; empty if it never was.
        """
        column = self._metrics.get(name, Sparse())
        return Column(column.rows, column.values)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Keys of all metrics seen."""
        return tuple(self._metrics)

    @property
    def learning_rates(self) -> Column:
        """The learning rates known."""
        return Column(self._learning_rate.rows, self._learning_rate.values)

    @property
    def samples(self) -> int | None:
        """Training samples seen in all records together; None if unknown."""
        return int(sum(self._samples.values)) if self._samples.values else None

    @property
    def steps(self) -> int | None:
        """Optimiser steps at the last record of the present fit that knows them."""
        return self.steps_at(len(self) - 1)

    def steps_at(self, row: int) -> int | None:
        """Return the optimiser steps at a record of the present fit, or at the last before it that knows them.

        Args:
            row: Position of the record.
        """
        return self._places.last_step(row)

    @property
    def energy_joules(self) -> float | None:
        """Energy of all records together, in J; None if nothing was measured."""
        return total(self._sums.joules)

    @property
    def epochs_joules(self) -> float | None:
        """Energy of the records inside epochs, in J."""
        return total(self._places.inside(self._sums.joules))

    @property
    def outside_joules(self) -> float | None:
        """Energy of the records outside epochs, in J."""
        return total(self._places.outside(self._sums.joules))

    @property
    def emissions_low_kg(self) -> float | None:
        """Lower bound of the emissions in kgCO2e, summed from the records'."""
        return self._sums.low_kg

    @property
    def emissions_high_kg(self) -> float | None:
        """Upper bound of the emissions in kgCO2e, summed from the records'."""
        return self._sums.high_kg

    def facility_kwh_by_intensity(self) -> dict[Intensity, float]:
        """Return the facility energy in kWh that was used at each carbon intensity, in order of their first use."""
        energies = dict.fromkeys(self._intensity.distinct, 0.0)
        before_kwh = 0.0
        for row, kwh in enumerate(self._sums.cumulative_kwh):
            energies[self._intensity.get(row)] += kwh - before_kwh
            before_kwh = kwh
        return energies

    def device_totals(self) -> dict[str, DeviceEnergy]:
        """Return the energy of every device over the whole run, labelled with its least direct method."""
        return self._devices.totals(self.duration_seconds)

    @property
    def measured_share(self) -> float | None:
        """Share of the energy that came from a counter or from sampled power, 0 to 1."""
        joules = self.energy_joules
        if not joules:
            return None
        return self._devices.measured_joules() / joules

    def to_columns(self) -> dict[str, Any]:
        """Return the whole history as columns of plain JSON types, for a checkpoint."""
        return {
            **self._places.pack(),
            "started_at": pack(self._started),
            "duration_seconds": pack(self._duration),
            "pues": self._pue.distinct,
            "pue": pack(self._pue.index),
            "intensities": [encode_intensity(intensity) for intensity in self._intensity.distinct],
            "intensity": pack(self._intensity.index),
            "devices": self._devices.pack(),
            "phases": self._phases.pack(),
            "metrics": {name: column.pack() for name, column in self._metrics.items()},
            "learning_rate": self._learning_rate.pack(),
            "samples": self._samples.pack(),
        }

    @classmethod
    def from_columns(cls, columns: Mapping[str, Packed]) -> Self:
        """Read what :meth:`to_columns` wrote.

        Args:
            columns: The columns.

        Returns:
            A history equal to the one that was written, but for verdicts.
        """
        history = cls()
        history._places = Places.unpack(columns)
        history._started = array("d", unpack(columns["started_at"]))
        history._duration = array("d", unpack(columns["duration_seconds"]))
        for at in unpack(columns["pue"]):
            history._pue.append(columns["pues"][at])
        intensities = [decode_intensity(fields) for fields in columns["intensities"]]
        for at in unpack(columns["intensity"]):
            history._intensity.append(intensities[at])
        history._devices.fill(columns["devices"])
        history._phases.fill(columns["phases"])
        history._metrics = {name: Sparse.unpack(packed) for name, packed in columns["metrics"].items()}
        history._learning_rate = Sparse.unpack(columns["learning_rate"])
        history._samples = Sparse.unpack(columns["samples"])
        for record in history:
            history._sums.append(record)
        return history
