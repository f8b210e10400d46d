"""Running sums over the rows of a history."""

from array import array
from math import nan

from green_callbacks.records.epoch import EpochRecord, energy_to_kg, facility_kwh, total_energy


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
            low_kg = energy_to_kg(low_joules, pue, intensity.lowest_g_per_kwh)
            high_kg = energy_to_kg(high_joules, pue, intensity.highest_g_per_kwh)
            self.kwh += facility_kwh(joules, pue)
            self.kg += energy_to_kg(joules, pue, intensity.g_per_kwh)
            self.low_kg, self.high_kg = (self.low_kg or 0.0) + low_kg, (self.high_kg or 0.0) + high_kg
        self.seconds += record.duration_seconds
        self.joules.append(joules)
        self.cumulative_kg.append(self.kg)
        self.cumulative_kwh.append(self.kwh)
        self.cumulative_seconds.append(self.seconds)
