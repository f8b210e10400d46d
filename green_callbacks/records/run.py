"""The totals of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from green_callbacks.records.activity import DeviceActivity
from green_callbacks.records.device import DeviceEnergy
from green_callbacks.records.effort import NO_EFFORT, Effort
from green_callbacks.records.intensity import Intensity
from green_callbacks.records.landing import Landing
from green_callbacks.records.notebook_view import NotebookView
from green_callbacks.records.reference import reference_kg


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingTotals:
    """Totals of the part of a run in which its learning rate went to 0.

    Attributes:
        landing: The landing.
        epochs: Number of epochs from its beginning to the last record. None if it does not begin and end with epochs.
        steps: Number of optimizer steps from its beginning to the last record.
        facility_kwh: Energy of the facility in these steps, repeated epochs included, in kWh. The energy of an epoch in
            which a landing begins is divided by steps. None if nothing was measured.
        emissions_kg: Emissions in these steps, in kgCO2e. None if nothing was measured.
        is_over: Whether the landing has come to its end.

    Example:
        >>> landing = Landing(first_step=90, steps=10, epoch=8, last_epoch=9, reason="Training no longer pays.")
        >>> LandingTotals(landing=landing, epochs=1, steps=10, facility_kwh=0.2, emissions_kg=0.1, is_over=True).epochs
        1
    """

    landing: Landing
    epochs: int | None
    steps: int
    facility_kwh: float | None
    emissions_kg: float | None
    is_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord(NotebookView):
    """Totals of a run, which are the sums of its records inside and outside epochs.

    Attributes:
        run_id: Name of the run.
        ledger: The file with its records. None if there is no ledger.
        epochs: Number of finished epochs.
        duration_seconds: Accounted time, in s.
        energy_joules: Energy at the IT equipment, in J. None if nothing was measured.
        energy_kwh: Energy at the IT equipment, in kWh. None if nothing was measured.
        facility_kwh: Energy of the facility, in kWh. None if nothing was measured.
        emissions_kg: Emissions, in kgCO2e. None if nothing was measured.
        emissions_low_kg: Lower bound of the emissions, in kgCO2e. None if nothing was measured.
        emissions_high_kg: Upper bound of the emissions, in kgCO2e. None if nothing was measured.
        epochs_joules: Energy inside epochs, in J. None if nothing was measured.
        outside_joules: Energy outside epochs, in J. None if nothing was measured.
        measured_share: Share of the energy that was measured, 0 to 1. The rest is modelled. None if nothing was
            measured, or if a GPU was used and not measured.
        devices: Energy by device.
        intensity: Carbon intensity, its mean by energy if it changed. None if nothing was recorded.
        pue: PUE, its mean by energy if it changed.
        samples: Training samples. None if unknown.
        tokens: Training tokens. None if unknown.
        flops: Floating-point operations of the training. None if unknown.
        stop_reason: Why a policy ended the run. None if no policy ended it.
        notices: Facts that kept something from working, as sentences with the remedy. Defaults to none.
        landing: The part of the run in which its learning rate went to 0. Defaults to None, for no landing.
        activity: What devices did in the epochs besides using energy, by device. Defaults to nothing.
        outside_activity: What they did outside epochs, by device. Defaults to nothing.
        effort: What the training took per step, sample, token and operation. Defaults to nothing, if nothing was
            counted.

    Example:
        >>> from green_callbacks.analysis import totals
        >>> from green_callbacks.records import EpochRecord, History
        >>> run = totals(History([EpochRecord.scripted(epoch=0, emissions_kg=0.2)]), "a-run", None, None)
        >>> isinstance(run, RunRecord), run.emissions_kg
        (True, 0.2)
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
    landing: LandingTotals | None = None
    activity: Mapping[str, DeviceActivity] = field(default_factory=dict)
    outside_activity: Mapping[str, DeviceActivity] = field(default_factory=dict)
    effort: Effort = NO_EFFORT

    @property
    def reference_kg(self) -> float | None:
        """Emissions of the facility energy at the world average of 2025 (458.3 g/kWh), in kgCO2e."""
        return None if self.facility_kwh is None else reference_kg(self.facility_kwh)
