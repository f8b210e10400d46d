"""What a whole run came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from green_callbacks.records.device import DeviceEnergy
from green_callbacks.records.intensity import Intensity
from green_callbacks.records.reference import reference_kg


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Totals of a run: the sum of its records, epochs and what lies outside them.

    Attributes:
        run_id: Name of the run.
        ledger: The file that holds its records; None if there is none.
        epochs: Number of finished epochs.
        duration_seconds: Accounted time in s.
        energy_joules: Energy at the IT equipment in J; None if nothing was measured.
        energy_kwh: The same in kWh.
        facility_kwh: Energy of the facility, in kWh.
        emissions_kg: Emissions in kgCO2e.
        emissions_low_kg: Lower bound of the emissions in kgCO2e.
        emissions_high_kg: Upper bound of the emissions in kgCO2e.
        epochs_joules: Part of the energy that was used inside epochs, in J.
        outside_joules: Part that was used outside epochs, in J.
        measured_share: Share of the energy that was measured, 0 to 1; the rest is modelled. None if nothing was
            measured, or if a GPU that was used is missing.
        devices: Energy by device.
        intensity: The carbon intensity, its mean by energy if it changed; None if nothing was recorded.
        pue: The PUE, its mean by energy if it changed.
        samples: Training samples seen; None if unknown.
        tokens: Training tokens seen; None if unknown.
        flops: Floating-point operations done in training; None if unknown.
        stop_reason: Why a policy ended the run; None if none did.
        notices: What could not act, be measured or be kept, as sentences with the remedy. Defaults to none.
    """

    run_id: str
    ledger: Path | None
    epochs: int
    duration_seconds: float
    energy_joules: float | None
    energy_kwh: float | None
    facility_kwh: float | None
    emissions_kg: float | None
    emissions_low_kg: float | None
    emissions_high_kg: float | None
    epochs_joules: float | None
    outside_joules: float | None
    measured_share: float | None
    devices: Mapping[str, DeviceEnergy]
    intensity: Intensity | None
    pue: float
    samples: int | None
    tokens: int | None
    flops: float | None
    stop_reason: str | None
    notices: tuple[str, ...] = ()

    @property
    def reference_kg(self) -> float | None:
        """What the facility's energy would have emitted at the world's average of 2025 (458.3 g/kWh), in kgCO2e."""
        return None if self.facility_kwh is None else reference_kg(self.facility_kwh)
