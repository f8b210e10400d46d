"""The totals of a run, summed over its records."""

from pathlib import Path
from typing import Any

from green_callbacks.analysis.landing_totals import landing_totals
from green_callbacks.records import History, Landing, RunRecord
from green_callbacks.records.means import effective_intensity, effective_pue
from green_callbacks.units import joules_to_kwh


def totals(
    history: History,
    run_id: str,
    ledger: Path | None,
    stop_reason: str | None,
    notices: tuple[str, ...] = (),
    landing: Landing | None = None,
) -> RunRecord:
    """Sum the records of a run.

    Args:
        history: All records of the run.
        run_id: Name of the run.
        ledger: Path of the file that holds the records. None without a ledger.
        stop_reason: Why a policy ended the run. None if no policy did.
        notices: Sentences about policies that could not act. Defaults to none.
        landing: The landing that has begun. Defaults to None, if none has begun.

    Returns:
        The totals.

    Example:
        >>> from green_callbacks import EpochRecord, History
        >>> history = History(EpochRecord.scripted(epoch=epoch, emissions_kg=0.25) for epoch in range(2))
        >>> run = totals(history, "my-run", ledger=None, stop_reason=None)
        >>> run.epochs, run.emissions_kg
        (2, 0.5)
    """
    return RunRecord(
        run_id=run_id,
        ledger=ledger,
        epochs=history.finished_epochs,
        duration_seconds=history.duration_seconds,
        **_measured(history),
        emissions_low_kg=history.emissions_low_kg,
        emissions_high_kg=history.emissions_high_kg,
        epochs_joules=history.epochs_joules,
        outside_joules=history.outside_joules,
        measured_share=history.measured_share,
        devices=history.device_totals(),
        intensity=effective_intensity(history),
        pue=effective_pue(history) or 1.0,
        samples=history.samples,
        tokens=history.tokens,
        flops=history.flops,
        effort=history.effort,
        stop_reason=stop_reason,
        notices=notices,
        landing=None if landing is None else landing_totals(history, landing),
    )


def _measured(history: History) -> dict[str, Any]:
    """Return energy, emissions and activity by their names in a run record. What was not measured is None or empty."""
    joules = history.energy_joules
    return {
        "energy_joules": joules,
        "energy_kwh": None if joules is None else joules_to_kwh(joules),
        "facility_kwh": None if joules is None else history.facility_kwh,
        "emissions_kg": None if joules is None else history.emissions_kg,
        "activity": history.activity(),
        "outside_activity": history.activity(outside=True),
    }
