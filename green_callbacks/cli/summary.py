"""``green-callbacks summary``: what runs came to."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from green_callbacks.cli._runs import LedgerRun

_DESCRIPTION = """\
Of one ledger, writes the summary of its run: why it ended, what it came to, a table of its epochs, and what would have
made it cheaper. Of several, writes them side by side. A run that was killed, or still goes on, is summed up to its last
record."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to the command's parser.

    Args:
        subparsers: Where sub-commands are added.
    """
    parser = subparsers.add_parser(
        "summary",
        help="what a run came to, or several side by side",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ledgers", nargs="+", type=Path, metavar="LEDGER", help="a run's ledger, or a folder of them")
    parser.add_argument("--monitor", metavar="METRIC", help="the metric that stands for quality, e.g. val_acc")
    parser.add_argument("--mode", choices=("max", "min"), help="which way it improves, if its name does not tell")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Sum up the runs of ledgers.

    Args:
        arguments: ``ledgers``, ``monitor`` and ``mode``.

    Returns:
        0.

    Raises:
        LedgerError: A ledger cannot be read.
        ConfigurationError: The metric's name does not tell which way it improves.
    """
    from green_callbacks.cli._runs import read_runs

    runs = read_runs(arguments.ledgers)
    alone = runs[0] if len(runs) == 1 else None
    print(
        _summary(alone, arguments.monitor, arguments.mode)
        if alone
        else _side_by_side(runs, arguments.monitor, arguments.mode)
    )
    return 0


def _summary(run: "LedgerRun", monitor: str | None, mode: Literal["max", "min"] | None) -> str:
    from green_callbacks.records import History
    from green_callbacks.sinks import RunContext
    from green_callbacks.summary import summarise

    metric = run.metric(monitor, mode)
    context = RunContext(
        run_id=run.run_id,
        folder=run.path.parent,
        before=History(),
        history=run.history,
        monitor=metric.name if metric else None,
        mode=metric.mode if metric else "max",
        pue_source="as recorded",
    )
    return f"Run {run.run_id}\n\n{summarise(run.totals, context)}"


def _side_by_side(runs: Sequence["LedgerRun"], monitor: str | None, mode: Literal["max", "min"] | None) -> str:
    from green_callbacks.cli._text import aligned

    head = ["run", "epochs", "time", "kWh", "g CO2e", "place", "best"]
    rows = [_row(run, monitor, mode) for run in runs]
    note = "kWh are the facility's, PUE included. Runs of which nothing was measured are not in the sum."
    return f"{aligned([head, *rows, _sum_row(runs)], left=(0, 5, 6))}\n\n{note}"


def _row(run: "LedgerRun", monitor: str | None, mode: Literal["max", "min"] | None) -> list[str]:
    from green_callbacks.sinks._wording import duration, place

    totals, metric = run.totals, run.metric(monitor, mode)
    return [
        run.run_id,
        str(totals.epochs),
        duration(totals.duration_seconds),
        *_spent(totals.facility_kwh, totals.emissions_kg),
        place(totals.intensity) if totals.intensity else "-",
        metric.format(metric.best(run.history)) if metric else "-",
    ]


def _sum_row(runs: Sequence["LedgerRun"]) -> list[str]:
    from green_callbacks.sinks._wording import duration

    totals = [run.totals for run in runs]
    return [
        f"{len(runs)} runs",
        str(sum(each.epochs for each in totals)),
        duration(sum(each.duration_seconds for each in totals)),
        *_spent(_sum(each.facility_kwh for each in totals), _sum(each.emissions_kg for each in totals)),
        "",
        "",
    ]


def _spent(facility_kwh: float | None, emissions_kg: float | None) -> list[str]:
    from green_callbacks.sinks._wording import significant
    from green_callbacks.units import kg_to_grams

    return [
        "-" if facility_kwh is None else significant(facility_kwh),
        "-" if emissions_kg is None else significant(kg_to_grams(emissions_kg)),
    ]


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
