"""Running sums over the rows of a history."""

from array import array
from math import nan

from green_callbacks.records.epoch import EpochRecord, emissions_kg, facility_kwh, total_energy


class Sums:
    """The energy of every row, ``NaN`` where nothing was measured, and what has run up to each."""

    def __init__(self) -> None:
        self.joules = array("d")
        self.cumulative_kg = array("d")
        self.cumulative_kwh = array("d")
        self.cumulative_seconds = array("d")
        self.kg = self.kwh = self.seconds = 0.0
        self.low_kg: float | None = None
        self.high_kg: float | None = None

    def append(self, record: EpochRecord) -> None:
        energy, joules = total_energy(record.devices), nan
        if energy is not None:
            joules, low_joules, high_joules = energy
            pue, intensity = record.pue, record.intensity
            kwh = facility_kwh(joules, pue)
            low_kg = emissions_kg(facility_kwh(low_joules, pue), intensity.lowest_g_per_kwh)
            high_kg = emissions_kg(facility_kwh(high_joules, pue), intensity.highest_g_per_kwh)
            self.kwh += kwh
            self.kg += emissions_kg(kwh, intensity.g_per_kwh)
            self.low_kg, self.high_kg = (self.low_kg or 0.0) + low_kg, (self.high_kg or 0.0) + high_kg
        self.seconds += record.duration_seconds
        self.joules.append(joules)
        self.cumulative_kg.append(self.kg)
        self.cumulative_kwh.append(self.kwh)
        self.cumulative_seconds.append(self.seconds)
