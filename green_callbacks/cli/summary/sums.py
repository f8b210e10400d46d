"""The totals of a run in words, or of several runs as a table."""

from collections.abc import Iterable, Sequence
from typing import Final

from green_callbacks.analysis.ledger_run import LedgerRun, best_value
from green_callbacks.cli.runs import written_value
from green_callbacks.ledger import counted_in
from green_callbacks.metrics import Metric
from green_callbacks.records import History
from green_callbacks.records.coverage import what_counts
from green_callbacks.records.reference import AT_THE_WORLDS
from green_callbacks.sinks import RunContext
from green_callbacks.summary import summarise
from green_callbacks.text import for_terminal
from green_callbacks.text.layout import UNKNOWN, aligned
from green_callbacks.text.wording import duration, place, significant
from green_callbacks.units import kg_to_grams

_HEAD: Final = ("run", "epochs", "time", "kWh", "g CO2e", "at world's", "place", "best")
_LEFT: Final = (0, 6, 7)
"""Indices of the columns that align left, which are run, place and best."""

_NOTE: Final = (
    "kWh include the PUE. Energy that was not measured is in no sum.\n"
    f"at world's is the g CO2e of the same energy {AT_THE_WORLDS}."
)


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
    )
    parent = run.contents.head.parent
    state = "" if run.contents.is_closed else " (killed or still running)"
    inside = "" if parent in (None, run.run_id) else f", inside run {for_terminal(parent)}"
    return f"Run {for_terminal(run.run_id)}{inside}{state}\n\n{summarise(run.totals, context)}"


def side_by_side(runs: Sequence[tuple[LedgerRun, Metric | None]]) -> str:
    """Write several runs as a table, with their sum.

    Args:
        runs: The runs, each with the metric that measures its quality.

    Returns:
        Lines of plain text. The sum leaves out a run inside another run, and a line names both.
    """
    rows = [_row(run, metric) for run, metric in runs]
    summed, said = once([run for run, _ in runs])
    epochs = sum(run.totals.epochs for run, _ in runs)  # a run that holds another has none of its epochs
    table = aligned([_HEAD, *rows, _sum_row(summed, epochs)], left=_LEFT)
    return "\n".join([table, "", *said, *left_out(run for run, _ in runs), _NOTE])


def once(runs: Sequence[LedgerRun]) -> tuple[list[LedgerRun], list[str]]:
    """Return the runs that a sum counts, and a line for each run whose energy is in another of these runs.

    Args:
        runs: The runs.
    """
    held = counted_in([run.nested for run in runs])
    said = [_inside(run, runs[found[0]]) for run, found in zip(runs, held, strict=True) if found]
    return [run for run, found in zip(runs, held, strict=True) if not found], said


def _inside(run: LedgerRun, other: LedgerRun) -> str:
    name, holder = for_terminal(run.run_id), for_terminal(other.run_id)
    if other.nested.run_id in {each for session in run.nested.sessions for each in session}:
        return f"{name} is inside run {holder}, so the sum counts it there."
    return f"{name} did not end, and {holder} inside it holds more, so the sum counts it there."


def left_out(runs: Iterable[LedgerRun]) -> list[str]:
    """Report the runs that lack the energy of a GPU, with one line for each.

    Args:
        runs: The runs. A repeated run is reported once.
    """
    said = {run.run_id: what_counts(run.totals.devices) for run in runs}
    return [f"{for_terminal(run_id)}: {text}" for run_id, text in said.items() if text is not None]


def _row(run: LedgerRun, metric: Metric | None) -> list[str]:
    totals = run.totals
    return [
        run.run_id,
        str(totals.epochs),
        duration(totals.duration_seconds),
        *spent(totals.facility_kwh, totals.emissions_kg),
        _grams(totals.reference_kg),
        place(totals.intensity) if totals.intensity else UNKNOWN,
        written_value(metric, best_value(run.history, metric)) if metric else UNKNOWN,
    ]


def _sum_row(runs: Sequence[LedgerRun], epochs: int) -> list[str]:
    totals = [run.totals for run in runs]
    return [
        f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}",
        str(epochs),
        duration(sum(each.duration_seconds for each in totals)),
        *spent(_sum(each.facility_kwh for each in totals), _sum(each.emissions_kg for each in totals)),
        _grams(_sum(each.reference_kg for each in totals)),
        "",
        "",
    ]


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
        _grams(emissions_kg),
    ]


def _grams(kg: float | None) -> str:
    return UNKNOWN if kg is None else significant(kg_to_grams(kg))


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
