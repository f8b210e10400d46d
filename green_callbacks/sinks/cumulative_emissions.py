"""The emissions of a run so far, with their bounds, and the effort of its last record."""

from dataclasses import dataclass, field
from typing import Self

from green_callbacks.records import Effort, EpochRecord, History
from green_callbacks.records.effort import NO_EFFORT, EffortSum


@dataclass(slots=True)
class CumulativeEmissions:
    """Emissions of a run so far, rows outside epochs included. All values are None while nothing was measured.

    Attributes:
        kg: Emissions, in kgCO2e.
        low_kg: Lower bound, in kgCO2e.
        high_kg: Upper bound, in kgCO2e.
        effort: What the last record took per step, sample, token and operation, with earlier parts of its epoch.
    """

    kg: float | None = None
    low_kg: float | None = None
    high_kg: float | None = None
    effort: Effort = NO_EFFORT
    _sum: EffortSum = field(default_factory=EffortSum)

    @classmethod
    def of(cls, history: History) -> Self:
        """Return the emissions of all records of a history.

        Args:
            history: The records.
        """
        if history.energy_joules is None:
            return cls()
        return cls(history.emissions_kg, history.emissions_low_kg, history.emissions_high_kg)

    def add(self, record: EpochRecord) -> None:
        """Add a record. A record without measured energy adds nothing.

        Args:
            record: The record.
        """
        self.effort = self._sum.add(record)
        if record.emissions_kg is not None:
            self.kg = (self.kg or 0.0) + record.emissions_kg
            self.low_kg = (self.low_kg or 0.0) + (record.emissions_low_kg or 0.0)
            self.high_kg = (self.high_kg or 0.0) + (record.emissions_high_kg or 0.0)
