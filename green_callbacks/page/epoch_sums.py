"""The energy and emissions of each finished epoch, from the records of a run.

Parts of an epoch belong to their epoch. An epoch that was cut short is not finished, so its energy lies outside.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import nan
from typing import Final

from green_callbacks.records import History

COLUMNS: Final = ("kg", "low_kg", "high_kg", "facility_kwh", "joules", "measured")
"""Names of the sums of an epoch."""


@dataclass(frozen=True, slots=True)
class EpochSums:
    """The sums of each finished epoch, in order.

    Attributes:
        ends: Row of the record that ends each epoch.
        kg: Emissions of each epoch, in kgCO2e.
        low_kg: Lower bounds of these emissions, in kgCO2e.
        high_kg: Upper bounds of these emissions, in kgCO2e.
        facility_kwh: Facility energy of each epoch, in kWh.
        joules: Energy at the IT equipment of each epoch, in J.
        measured: Measured energy of each epoch, in J. NaN where a GPU was not measured.
        is_known: Whether any energy of each epoch is known.
    """

    ends: Sequence[int]
    kg: list[float] = field(default_factory=list)
    low_kg: list[float] = field(default_factory=list)
    high_kg: list[float] = field(default_factory=list)
    facility_kwh: list[float] = field(default_factory=list)
    joules: list[float] = field(default_factory=list)
    measured: list[float] = field(default_factory=list)
    is_known: list[bool] = field(default_factory=list)

    @classmethod
    def of(cls, history: History) -> "EpochSums":
        """Sum the records of each finished epoch.

        Args:
            history: All records.

        Example:
            >>> from green_callbacks import EpochRecord
            >>> records = [EpochRecord.scripted(epoch=epoch, emissions_kg=0.5) for epoch in (None, 0, 1)]
            >>> EpochSums.of(History(records)).kg
            [0.5, 0.5]
        """
        sums = cls(history.epoch_rows)
        columns = _columns(history)
        for rows in _rows_by_epoch(history):
            for name, column in zip(COLUMNS, columns, strict=True):
                getattr(sums, name).append(sum([column[row] for row in rows]))
            sums.is_known.append(any(history.energy_joules_at(row) is not None for row in rows))
        return sums

    def total(self, name: str, epochs: range) -> float:
        """Return a sum over some epochs.

        Args:
            name: One of :data:`COLUMNS`.
            epochs: Places of the epochs.
        """
        column: list[float] = getattr(self, name)
        return sum(column[epochs.start : epochs.stop])

    def mean(self, name: str, epochs: range) -> float | None:
        """Return the mean of a sum over the epochs whose energy is known. None if there is no such epoch.

        Args:
            name: One of :data:`COLUMNS`.
            epochs: Places of the epochs.
        """
        known = sum(self.is_known[epochs.start : epochs.stop])
        return self.total(name, epochs) / known if known else None


def _columns(history: History) -> list[Sequence[float]]:
    """Return what each record adds to each sum."""
    joules = [history.energy_joules_at(row) for row in range(len(history))]
    measured = (None if used is None else history.measured_joules_at(row) for row, used in enumerate(joules))
    cumulative = (
        history.cumulative_kg,
        history.cumulative_low_kg,
        history.cumulative_high_kg,
        history.cumulative_kwh,
    )
    return [
        *([after - before for before, after in pairwise((0.0, *column))] for column in cumulative),
        [used or 0.0 for used in joules],
        [0.0 if used is None else nan if each is None else each for used, each in zip(joules, measured, strict=True)],
    ]


def _rows_by_epoch(history: History) -> Iterator[list[int]]:
    """Yield the rows of each finished epoch."""
    begin = 0
    for end in history.epoch_rows:
        epoch = history.epoch_at(end)
        yield [row for row in range(begin, end + 1) if history.epoch_at(row) == epoch]
        begin = end + 1
