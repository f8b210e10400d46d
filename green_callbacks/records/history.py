"""Every record of a run, in order: the only state that decisions are made from."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self, overload

from green_callbacks.records._columns import (
    DeviceColumns,
    Numbers,
    Packed,
    PhaseColumns,
    Shared,
    Sparse,
    pack,
    unpack,
)
from green_callbacks.records.codec import decode_intensity, encode_intensity
from green_callbacks.records.device import DeviceEnergy
from green_callbacks.records.epoch import EpochRecord, emissions_kg, facility_kwh
from green_callbacks.records.intensity import Intensity

_NONE = -1


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
        self._epoch = array("q")
        self._step = array("q")
        self._closes = array("b")
        self._complete = array("b")
        self._started = array("d")
        self._duration = array("d")
        self._pue: Shared[float] = Shared()
        self._intensity: Shared[Intensity] = Shared()
        self._devices: dict[str, DeviceColumns] = {}
        self._phases: dict[str, PhaseColumns] = {}
        self._metrics: dict[str, Sparse] = {}
        self._learning_rate = Sparse()
        self._samples = Sparse()
        self._closed_rows = array("q")
        self._part_rows = array("q")
        self._fit_row, self._latest_epoch = 0, _NONE
        self._cumulative_kg = array("d")
        self._cumulative_kwh = array("d")
        self._cumulative_seconds = array("d")
        self._low_kg = Numbers()
        self._high_kg = Numbers()
        self._joules = Numbers()
        for record in records:
            self.append(record)

    def append(self, record: EpochRecord) -> None:
        """Add a record at the end.

        Args:
            record: The record; its verdicts are not kept.
        """
        row = len(self)
        for name in record.devices:
            if name not in self._devices:
                self._devices[name] = DeviceColumns(row)
        for name in record.phases:
            if name not in self._phases:
                self._phases[name] = PhaseColumns(row)
        for name, device in self._devices.items():
            device.append(record.devices.get(name))
        for name, phase in self._phases.items():
            phase.append(record.phases.get(name))
        for name, value in record.metrics.items():
            self._metrics.setdefault(name, Sparse()).put(row, value)
        self._learning_rate.put(row, record.learning_rate)
        self._samples.put(row, record.samples)
        self._epoch.append(_NONE if record.epoch is None else record.epoch)
        self._step.append(_NONE if record.step is None else record.step)
        self._closes.append(record.closes_epoch)
        self._complete.append(record.complete)
        self._started.append(record.started_at.timestamp())
        self._duration.append(record.duration_seconds)
        self._pue.append(record.pue)
        self._intensity.append(record.intensity)
        self._add_to_sums(record)

    def _add_to_sums(self, record: EpochRecord) -> None:
        row = len(self._cumulative_kg)
        if record.epoch is not None:
            self._follow_fits(row)
            if not record.closes_epoch:
                self._part_rows.append(row)
            elif record.complete:
                self._closed_rows.append(row)
        joules = record.energy_joules
        kwh = 0.0 if joules is None else facility_kwh(joules, record.pue)
        self._joules.append(joules)
        self._low_kg.append(record.emissions_low_kg)
        self._high_kg.append(record.emissions_high_kg)
        self._cumulative_kg.append(self.emissions_kg + emissions_kg(kwh, record.intensity.g_per_kwh))
        self._cumulative_kwh.append(self.facility_kwh + kwh)
        self._cumulative_seconds.append(self.duration_seconds + record.duration_seconds)

    def _follow_fits(self, row: int) -> None:
        epoch = self._epoch[row]
        if epoch != _NONE:
            if epoch < self._latest_epoch:
                self._fit_row = row
            self._latest_epoch = epoch

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
        return len(self._epoch)

    def __iter__(self) -> Iterator[EpochRecord]:
        """Make the records one by one."""
        return (self._record(row) for row in range(len(self)))

    def _record(self, row: int) -> EpochRecord:
        duration = self._duration[row]
        devices = {name: columns.get(row, duration) for name, columns in self._devices.items()}
        phases = {name: columns.get(row) for name, columns in self._phases.items()}
        metrics = {name: column.get(row) for name, column in self._metrics.items()}
        samples = self._samples.get(row)
        return EpochRecord(
            epoch=_optional(self._epoch[row]),
            step=_optional(self._step[row]),
            closes_epoch=bool(self._closes[row]),
            complete=bool(self._complete[row]),
            started_at=datetime.fromtimestamp(self._started[row], UTC),
            duration_seconds=duration,
            devices={name: device for name, device in devices.items() if device},
            phases={name: phase for name, phase in phases.items() if phase},
            intensity=self._intensity.get(row),
            pue=self._pue.get(row),
            metrics={name: value for name, value in metrics.items() if value is not None},
            learning_rate=self._learning_rate.get(row),
            samples=None if samples is None else int(samples),
        )

    @property
    def emissions_kg(self) -> float:
        """Emissions of all records together, in kgCO2e; what was not measured is not in it."""
        return self._cumulative_kg[-1] if self._cumulative_kg else 0.0

    @property
    def facility_kwh(self) -> float:
        """Facility energy of all records together, in kWh."""
        return self._cumulative_kwh[-1] if self._cumulative_kwh else 0.0

    @property
    def duration_seconds(self) -> float:
        """Accounted time of all records together, in s."""
        return self._cumulative_seconds[-1] if self._cumulative_seconds else 0.0

    @property
    def cumulative_kg(self) -> Sequence[float]:
        """Emissions up to and with each record, in kgCO2e; not to be changed."""
        return self._cumulative_kg

    @property
    def cumulative_kwh(self) -> Sequence[float]:
        """Facility energy up to and with each record, in kWh; not to be changed."""
        return self._cumulative_kwh

    @property
    def cumulative_seconds(self) -> Sequence[float]:
        """Accounted time up to and with each record, in s; not to be changed."""
        return self._cumulative_seconds

    @property
    def epoch_rows(self) -> Sequence[int]:
        """Rows at which a whole epoch was closed; not to be changed."""
        return self._closed_rows

    @property
    def part_rows(self) -> Sequence[int]:
        """Rows of parts of an epoch that did not close it; not to be changed."""
        return self._part_rows

    def energy_joules_at(self, row: int) -> float | None:
        """Return the energy of a record in J without making it; None if nothing was measured."""
        return self._joules.get(row)

    def phase_share(self, row: int, phase: str) -> float:
        """Return which share of the energy of a record one phase took, 0 to 1; 0 where that is not known.

        Args:
            row: Position of the record.
            phase: The phase, e.g. ``validation``.
        """
        joules, columns = self._joules.get(row), self._phases.get(phase)
        taken = columns.joules.get(row) if columns else None
        return min(taken / joules, 1.0) if taken and joules else 0.0

    def dearest_phase_joules(self, phase: str) -> float:
        """Return the most energy that one phase took in any record, in J; 0 if it took none.

        Args:
            phase: The phase, e.g. ``validation``.
        """
        return self._phases[phase].most_joules if phase in self._phases else 0.0

    @property
    def fit_row(self) -> int:
        """First row of the present fit: where the index of the epoch fell back without a rewind; 0 if it never did.

        A fit that begins again trains another model: what is learned and planned counts from here. What is spent does
        not.
        """
        return self._fit_row

    @property
    def finished_epochs(self) -> int:
        """Number of epochs that ran to their end."""
        return len(self._closed_rows)

    @property
    def last_epoch(self) -> int | None:
        """Index of the last epoch that ran to its end; None before the first."""
        return self._epoch[self._closed_rows[-1]] if self._closed_rows else None

    def lost_rows(self, epoch: int, step: int | None = None) -> set[int]:
        """Return the rows that are worth nothing where an epoch and all later ones are done again.

        Args:
            epoch: The first epoch that is done again.
            step: Optimiser steps that were done before: what an epoch that goes on within took until then is not lost.
                None where that is not known.
        """
        rows = {row for row in range(self._fit_row, len(self)) if self._epoch[row] >= epoch}
        if step is None:
            return rows
        kept = {row for row in rows if self._epoch[row] == epoch and _NONE != self._step[row] <= step}
        return rows if kept.intersection(self._closed_rows) else rows - kept  # one that was whole begins again

    def rewind(self, epoch: int, step: int | None = None) -> None:
        """Make rows outside epochs of what was recorded of an epoch, and of all later ones, that are done again.

        Their energy was used all the same; their metrics are gone with the model that had them.

        Args:
            epoch: The first epoch that is done again.
            step: Optimiser steps that were done before; see :meth:`lost_rows`.
        """
        lost = self.lost_rows(epoch, step)
        for row in lost:
            self._epoch[row] = _NONE
            self._complete[row] = False
        for column in (*self._metrics.values(), self._learning_rate):
            column.drop(lost)
        self._closed_rows = array("q", (row for row in self._closed_rows if row not in lost))
        self._part_rows = array("q", (row for row in self._part_rows if row not in lost))
        self._fit_row, self._latest_epoch = 0, _NONE
        for row in range(len(self)):
            self._follow_fits(row)

    def epoch_at(self, row: int) -> int | None:
        """Return the epoch of a record without making it; None outside epochs."""
        return _optional(self._epoch[row])

    def rows_until_spend(self, kg: float) -> int:
        """Return how many of the first records had been written when at most this much was spent.

        Args:
            kg: Emissions in kgCO2e.
        """
        return bisect_right(self._cumulative_kg, kg)

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
        rows = range(row, self._fit_row - 1, -1)
        return next((self._step[at] for at in rows if self._step[at] != _NONE), None)

    @property
    def energy_joules(self) -> float | None:
        """Energy of all records together, in J; None if nothing was measured."""
        return _sum(self._joules.values)

    @property
    def epochs_joules(self) -> float | None:
        """Energy of the records inside epochs, in J."""
        return _sum(j for j, epoch in zip(self._joules.values, self._epoch, strict=True) if epoch != _NONE)

    @property
    def outside_joules(self) -> float | None:
        """Energy of the records outside epochs, in J."""
        return _sum(j for j, epoch in zip(self._joules.values, self._epoch, strict=True) if epoch == _NONE)

    @property
    def emissions_low_kg(self) -> float | None:
        """Lower bound of the emissions in kgCO2e, summed from the records'."""
        return _sum(self._low_kg.values)

    @property
    def emissions_high_kg(self) -> float | None:
        """Upper bound of the emissions in kgCO2e, summed from the records'."""
        return _sum(self._high_kg.values)

    def facility_kwh_by_intensity(self) -> dict[Intensity, float]:
        """Return the facility energy in kWh that was used at each carbon intensity, in order of their first use."""
        energies = dict.fromkeys(self._intensity.distinct, 0.0)
        before_kwh = 0.0
        for row, kwh in enumerate(self._cumulative_kwh):
            energies[self._intensity.get(row)] += kwh - before_kwh
            before_kwh = kwh
        return energies

    def device_totals(self) -> dict[str, DeviceEnergy]:
        """Return the energy of every device over the whole run, labelled with its least direct method."""
        return {name: self._device_total(columns) for name, columns in self._devices.items()}

    def _device_total(self, columns: DeviceColumns) -> DeviceEnergy:
        kinds = [kind for kind in columns.kinds.distinct if kind is not None]
        component, method, tolerance, _ = max(kinds, key=lambda kind: _DIRECTNESS.index(kind[1]))
        return DeviceEnergy(
            joules=_sum(columns.joules.values),
            low_joules=_sum(columns.low.values),
            high_joules=_sum(columns.high.values),
            component=component,
            method=method,  # type: ignore[arg-type]  # what goes in comes out
            duration_seconds=sum(self._duration),
            gap_seconds=sum(columns.gaps.values),
            tolerance=tolerance,
            flags=tuple(sorted({flag for kind in kinds for flag in kind[3]})),
        )

    @property
    def measured_share(self) -> float | None:
        """Share of the energy that came from a counter or from sampled power, 0 to 1."""
        total = self.energy_joules
        if not total:
            return None
        return sum(self._measured_joules(columns) for columns in self._devices.values()) / total

    def _measured_joules(self, columns: DeviceColumns) -> float:
        measured = {at for at, kind in enumerate(columns.kinds.distinct) if kind and kind[1] != "modelled"}
        pairs = zip(columns.joules.values, columns.kinds.index, strict=True)
        return sum(joules for joules, kind in pairs if kind in measured and joules == joules)  # noqa: PLR0124  NaN

    def to_columns(self) -> dict[str, Any]:
        """Return the whole history as columns of plain JSON types, for a checkpoint."""
        return {
            "epoch": pack(list(self._epoch)),
            "step": pack(list(self._step)),
            "closes_epoch": pack(list(self._closes)),
            "complete": pack(list(self._complete)),
            "started_at": pack(list(self._started)),
            "duration_seconds": pack(list(self._duration)),
            "pues": self._pue.distinct,
            "pue": pack(list(self._pue.index)),
            "intensities": [encode_intensity(intensity) for intensity in self._intensity.distinct],
            "intensity": pack(list(self._intensity.index)),
            "devices": {name: columns.pack() for name, columns in self._devices.items()},
            "phases": {name: columns.pack() for name, columns in self._phases.items()},
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
        history._epoch = array("q", unpack(columns["epoch"]))
        history._step = array("q", unpack(columns["step"]))
        history._closes = array("b", unpack(columns["closes_epoch"]))
        history._complete = array("b", unpack(columns["complete"]))
        history._started = array("d", unpack(columns["started_at"]))
        history._duration = array("d", unpack(columns["duration_seconds"]))
        for at in unpack(columns["pue"]):
            history._pue.append(columns["pues"][at])
        intensities = [decode_intensity(fields) for fields in columns["intensities"]]
        for at in unpack(columns["intensity"]):
            history._intensity.append(intensities[at])
        history._devices = {name: DeviceColumns.unpack(packed) for name, packed in columns["devices"].items()}
        history._phases = {name: PhaseColumns.unpack(packed) for name, packed in columns["phases"].items()}
        history._metrics = {name: Sparse.unpack(packed) for name, packed in columns["metrics"].items()}
        history._learning_rate = Sparse.unpack(columns["learning_rate"])
        history._samples = Sparse.unpack(columns["samples"])
        for record in history:
            history._add_to_sums(record)
        return history


_DIRECTNESS = ("counter", "sampled", "modelled")


def _optional(value: int) -> int | None:
    return None if value == _NONE else value


def _sum(values: Iterable[float]) -> float | None:
    known = [value for value in values if value == value]  # noqa: PLR0124  NaN stands for None
    return sum(known) if known else None
