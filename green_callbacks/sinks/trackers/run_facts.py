"""The facts and totals of a run that experiment trackers show beside the curves."""

from math import isfinite
from typing import Final

from green_callbacks._version import __version__
from green_callbacks.records import Intensity, RunRecord
from green_callbacks.records.coverage import what_counts, who_else
from green_callbacks.sinks.base import RunContext
from green_callbacks.sinks.trackers.tracker_run import Fact
from green_callbacks.text import for_terminal
from green_callbacks.text.wording import place
from green_callbacks.units import kg_to_grams

RUN_ID: Final = "green/run_id"
"""Key of the id of a run, which joins the tracker's run and the ledger."""


def origin(context: RunContext, intensity: Intensity | None, pue: float) -> dict[str, Fact]:
    """Return the identity of a run, and the origin of its numbers. Unknown facts are left out.

    Args:
        context: The run.
        intensity: The carbon intensity. None if nothing was recorded.
        pue: The PUE.
    """
    facts: dict[str, Fact | None] = {
        RUN_ID: context.run_id,
        "green/ledger": None if context.ledger is None else str(context.ledger),
        "green/version": __version__,
        "green/pue": pue,
        "green/pue_source": context.pue_source,
    }
    if intensity is not None:
        facts |= {
            "green/intensity_g_per_kwh": intensity.g_per_kwh,
            "green/intensity_source": intensity.source,
            "green/place": place(intensity),
            "green/place_found_by": intensity.found_by,
            "green/zone": intensity.zone,
        }
    return _known(facts)


def totals(run: RunRecord) -> dict[str, Fact]:
    """Return the totals of a run. What was not measured is left out, and said in words.

    Args:
        run: Totals of the run.
    """
    share = run.measured_share
    return _known(
        {
            "green/emissions_total_g": _thousand(run.emissions_kg),
            "green_detail/emissions_total_low_g": _thousand(run.emissions_low_kg),
            "green_detail/emissions_total_high_g": _thousand(run.emissions_high_kg),
            "green/energy_total_wh": _thousand(run.energy_kwh),
            "green/facility_energy_total_wh": _thousand(run.facility_kwh),
            "green/measured_total_percent": None if share is None else 100.0 * share,
            **{f"green/{name}_total": ratio.value for name, ratio in run.effort.ratios().items()},
            "green/duration_total_s": run.duration_seconds,
            "green/epochs_total": float(run.epochs),
            "green/stop_reason": run.stop_reason,
            "green/not_counted": what_counts(run.devices),
            "green/shared_devices": who_else(run.devices),
            "green/notices": " ".join(run.notices),
        }
    )


def _thousand(value: float | None) -> float | None:
    """Return kg as g, and kWh as Wh."""
    return None if value is None else kg_to_grams(value)


def _known(facts: dict[str, Fact | None]) -> dict[str, Fact]:
    """Return the facts that are known. Texts come from anybody, and web pages show them."""
    return {
        key: for_terminal(value) if isinstance(value, str) else value
        for key, value in facts.items()
        if value is not None and value != "" and (isinstance(value, str) or isfinite(value))
    }
