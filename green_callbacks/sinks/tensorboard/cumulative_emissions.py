"""What a run has emitted so far, with its bounds."""

from dataclasses import dataclass
from typing import Self

from green_callbacks.records import EpochRecord, History


@dataclass(slots=True)
class Spent:
    """Emissions of a run so far, in kgCO2e, rows outside epochs included; None while nothing was measured.

    Attributes:
        kg: The emissions.
        low_kg: What they are at least.
        high_kg: What they are at most.
    """

    kg: float | None = None
    low_kg: float | None = None
    high_kg: float | None = None

    @classmethod
    def of(cls, history: History) -> Self:
        """Return what the records of a history have emitted."""
        if history.energy_joules is None:
            return cls()
        return cls(history.emissions_kg, history.emissions_low_kg, history.emissions_high_kg)

    def add(self, record: EpochRecord) -> None:
        """Add a record; one of which nothing was measured adds nothing."""
        if record.emissions_kg is not None:
            self.kg = (self.kg or 0.0) + record.emissions_kg
            self.low_kg = (self.low_kg or 0.0) + (record.emissions_low_kg or 0.0)
            self.high_kg = (self.high_kg or 0.0) + (record.emissions_high_kg or 0.0)
