"""The totals of a run, summed from its records."""

from pathlib import Path

from green_callbacks.analysis import effective_intensity, effective_pue
from green_callbacks.records import History, RunRecord
from green_callbacks.units import joules_to_kwh


def totals(
    history: History, run_id: str, ledger: Path | None, stop_reason: str | None, notices: tuple[str, ...] = ()
) -> RunRecord:
    """Sum a history up.

    Args:
        history: All records of the run.
        run_id: Name of the run.
        ledger: The file that holds them; None if there is none.
        stop_reason: Why a policy ended the run; None if none did.
        notices: What could not act. Defaults to none.

    Returns:
        The totals.
    """
    joules = history.energy_joules
    return RunRecord(
        run_id=run_id,
        ledger=ledger,
        epochs=history.finished_epochs,
        duration_seconds=history.duration_seconds,
        energy_joules=joules,
        energy_kwh=None if joules is None else joules_to_kwh(joules),
        facility_kwh=None if joules is None else history.facility_kwh,
        emissions_kg=None if joules is None else history.emissions_kg,
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
        stop_reason=stop_reason,
        notices=notices,
    )
