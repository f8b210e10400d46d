"""The facts about a run by which people judge its numbers, as plain labels and values."""

from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Final

from green_callbacks.analysis.findings import findings
from green_callbacks.ledger import LedgerContents, RunBudget
from green_callbacks.metrics import Metric
from green_callbacks.records import Checkpoints, DeviceInfo, History, RunRecord
from green_callbacks.records.coverage import what_counts
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.text.facts import ORIGIN, TOTALS, device_rows, origin_facts, total_facts
from green_callbacks.text.wording import percent, significant

Fact = tuple[str, str]

_MOST: Final = 50
"""Largest number of facts under one title. A page with more is no longer read."""

_METRIC_DIGITS: Final = 4
"""Significant digits of a metric."""


def facts_of(contents: LedgerContents, run: RunRecord, metric: Metric | None) -> list[list[object]]:
    """Return the facts about a run by title. Titles without facts are left out.

    Args:
        contents: The ledger of the run.
        run: Totals of the run.
        metric: Metric of quality. None if there is none.

    Returns:
        Titles, each with its pairs of label and value. Invisible characters are shown as escapes.
    """
    groups: dict[str, Iterable[Fact]] = {
        TOTALS: _totals(run),
        ORIGIN: _origin(contents, run, metric),
        "Findings": (("finding", each.text) for each in findings(contents.history, contents.devices)),
        "Devices": _devices(contents, run),
        "Budgets": _budgets(contents, run),
        "Checkpoints": _checkpoints(contents),
        "Notices": (("note", text) for text in run.notices),
        "Labels": contents.labels.items(),
        "Versions": _versions(contents),
    }
    found = {title: [list(map(for_terminal, fact)) for fact in facts] for title, facts in groups.items()}
    return [[title, _shortened(facts)] for title, facts in found.items() if facts]


def _shortened(facts: list[list[str]]) -> list[list[str]]:
    if len(facts) <= _MOST:
        return facts
    return [*facts[:_MOST], ["more", f"{len(facts) - _MOST} more are in the ledger"]]


def _totals(run: RunRecord) -> Iterator[Fact]:
    text = what_counts(run.devices)
    if text is not None:
        yield "note", text
    yield from total_facts(run).items()


def _origin(contents: LedgerContents, run: RunRecord, metric: Metric | None) -> Iterator[Fact]:
    if run.intensity is not None:
        yield from origin_facts(run.intensity, run.pue, contents.pue_source).items()
    if metric is not None:
        yield "quality on the charts", f"{metric.name}, {'more' if metric.rises else 'less'} is better"
    texts = {"run": contents.run_id, "inside run": contents.head.parent, "machine": contents.host}
    yield from ((label, text) for label, text in texts.items() if text)


def _devices(contents: LedgerContents, run: RunRecord) -> Iterator[Fact]:
    for name, component, method, tolerance, notes in device_rows(run.devices):
        product = contents.devices.get(name, DeviceInfo()).product
        accuracy = tolerance if tolerance.startswith("±") else f"tolerance {tolerance}"
        yield name, ", ".join(filter(None, (product, component, method, accuracy, notes)))


def _budgets(contents: LedgerContents, run: RunRecord) -> Iterator[Fact]:
    for budget in contents.head.budgets:
        label = "of this run" if budget.project is None else f"of all runs of {budget.project}"
        yield label, _budget(budget, run)


def _budget(budget: RunBudget, run: RunRecord) -> str:
    limit = budget.limit
    counts_mass = limit.quantity == "emissions_kg"
    write = format_mass if counts_mass else format_energy
    spent = run.emissions_kg if counts_mass else run.facility_kwh
    if spent is None:
        return f"{write(limit.value)}. The spending of this run is not known"
    share = f", {percent(spent / limit.value)}" if limit.value > 0 else ""
    return f"{write(limit.value)}. This run spent {write(spent)}{share}"


def _checkpoints(contents: LedgerContents) -> Iterator[Fact]:
    for metric, kept in contents.checkpoints.items():
        values = dict(zip(*contents.history.metric(metric), strict=True))
        yield from _files(contents.history, metric, kept, values)


def _files(history: History, metric: str, kept: Checkpoints, values: dict[int, float]) -> Iterator[Fact]:
    """Yield the files with what was spent until then. Their folders are left out, because a report leaves this disk."""
    for path, row in kept.rows.items():
        epoch, value = history.epoch_at(row), values.get(row)
        known = (
            None if epoch is None else f"epoch {epoch}",
            None if value is None else f"{metric} {significant(value, _METRIC_DIGITS)}",
            f"{format_mass(history.cumulative_kg[row])} CO2e",
        )
        yield PurePath(path).name, ", ".join(filter(None, known))


def _versions(contents: LedgerContents) -> Iterator[Fact]:
    if contents.version:
        yield "green_callbacks", contents.version
    yield from contents.versions.items()
