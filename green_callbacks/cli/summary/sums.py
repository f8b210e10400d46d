"""The totals of a run in words, and cells of tables."""

from collections.abc import Iterable

from green_callbacks.analysis.ledger_run import LedgerRun
from green_callbacks.metrics import Metric
from green_callbacks.records import History
from green_callbacks.records.coverage import what_counts
from green_callbacks.sinks import RunContext
from green_callbacks.summary import summarise
from green_callbacks.text import for_terminal
from green_callbacks.text.layout import UNKNOWN
from green_callbacks.text.wording import significant
from green_callbacks.units import kg_to_grams


def alone(run: LedgerRun, metric: Metric | None) -> str:
    """Write the summary of one run.

    Args:
        run: The run.
        metric: Metric that measures quality. None if there is none.

    Returns:
        Lines of plain text, as at the end of a run.
    """
    context = RunContext(
        run_id=run.run_id,
        folder=run.path.parent,
        before=History(),
        history=run.history,
        plan=run.contents.plan,
        monitor=metric.name if metric else None,
        mode=metric.mode if metric else "max",
        pue_source=run.contents.pue_source,
        checkpoints=run.contents.checkpoints,
        devices=run.contents.devices,
    )
    parent = run.contents.head.parent
    state = "" if run.contents.is_closed else " (killed or still running)"
    inside = "" if parent in (None, run.run_id) else f", inside run {for_terminal(parent)}"
    return f"Run {for_terminal(run.run_id)}{inside}{state}\n\n{summarise(run.totals, context)}"


def left_out(runs: Iterable[LedgerRun]) -> list[str]:
    """Report the runs that lack the energy of a GPU, with one line for each.

    Args:
        runs: The runs. A repeated run is reported once.
    """
    said = {run.run_id: what_counts(run.totals.devices) for run in runs}
    return [f"{for_terminal(run_id)}: {text}" for run_id, text in said.items() if text is not None]


def spent(facility_kwh: float | None, emissions_kg: float | None) -> list[str]:
    """Write energy and emissions as two cells.

    Args:
        facility_kwh: Energy of the facility, in kWh. None if it is not known.
        emissions_kg: Emissions, in kgCO2e. None if they are not known.

    Returns:
        kWh and gCO2e, always in these units, so that runs compare easily.
    """
    return [
        UNKNOWN if facility_kwh is None else significant(facility_kwh),
        grams(emissions_kg),
    ]


def grams(kg: float | None) -> str:
    """Write emissions as a cell, in gCO2e.

    Args:
        kg: Emissions, in kgCO2e. None if they are not known.
    """
    return UNKNOWN if kg is None else significant(kg_to_grams(kg))
