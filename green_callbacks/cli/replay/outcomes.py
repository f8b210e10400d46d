"""The savings and losses of a rule on a finished run, in words and as a table."""

from collections.abc import Sequence
from typing import Final

from green_callbacks.analysis.replays import Outcome
from green_callbacks.cli.replay.landings import AT_LEAST, REFUSED, notes
from green_callbacks.cli.runs import written_value
from green_callbacks.cli.summary.sums import left_out, spent
from green_callbacks.ledger import counted
from green_callbacks.ledger.overlaps.candidates import seeming_sharers
from green_callbacks.metrics import Metric
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.text.layout import UNKNOWN, aligned, labeled
from green_callbacks.text.wording import duration, percent, significant

_HEAD: Final = ("run", "rule", "stops after", "kWh", "g CO2e", "time", "share", "reached", "lost")
_LEFT: Final = (0, 1, 7)
"""Indices of the columns that align left, which are run, rule and reached."""

_NOTE: Final = (
    "kWh (with PUE), g CO2e and time are savings. share is the saved share of the emissions. lost is the difference to "
    "the metric's best value."
)
_LABEL_WIDTH: Final = 11
"""Width of the column of labels, in characters."""

_METRIC_DIGITS: Final = 4
"""Significant digits of a metric."""


def in_words(outcome: Outcome) -> str:
    """Write the result of one rule on one run.

    Args:
        outcome: The result.

    Returns:
        Lines of plain text.
    """
    history, of_epochs = outcome.run.history, outcome.run.history.finished_epochs
    landing = outcome.landing
    lines = {"Run": outcome.run.run_id, "Rule": f"{outcome.rule}. {outcome.price}"}
    if outcome.is_refused:
        lines["Note"] = REFUSED
    if outcome.epochs is None:
        but = "" if landing is None else ", but a landing would begin"
        lines["Stop"] = f"None in {of_epochs} epochs{but}. {outcome.reason}"
    else:
        place = f"After {outcome.epochs} of {of_epochs} epochs." if landing is None else landing.stop
        lines["Stop"] = f"{place} {outcome.reason}"
    if landing is not None:
        lines["Landing"] = landing.words
    if outcome.epochs is None:
        return _labeled(lines)
    share = percent(outcome.saved_kg / history.emissions_kg) if history.emissions_kg > 0 else "an unknown share"
    at_least = AT_LEAST if landing is not None and outcome.is_unknown and landing.ends_inside else ""
    lines |= {
        "Saved": f"{at_least}{format_energy(outcome.saved_kwh)}, {format_mass(outcome.saved_kg)} CO2e and "
        f"{duration(outcome.saved_seconds)}, {share} of the emissions",
        "Lost": _lost(outcome),
    }
    return _labeled(lines)


def _labeled(lines: dict[str, str]) -> str:
    return "\n".join(labeled(label, text, label_width=_LABEL_WIDTH) for label, text in lines.items())


def _lost(outcome: Outcome) -> str:
    if outcome.metric is not None and outcome.best is not None and outcome.is_unknown:
        return _not_landed(outcome.metric, outcome.reached, outcome.best)
    if outcome.metric is None or outcome.best is None or outcome.lost is None:
        return "not known, because the run has no metric of quality. Name a metric with --monitor"
    if not outcome.lost:
        return f"nothing, because the best value, {written_value(outcome.metric, outcome.best)}, had been reached"
    best = significant(outcome.best, _METRIC_DIGITS)
    return f"{outcome.lost:.3g}, {written_value(outcome.metric, outcome.reached)} instead of {best}"


def _not_landed(metric: Metric, reached: float | None, best: float) -> str:
    """Write what is known of a model that the recorded run never made."""
    whole = f"The best value of the whole run is {written_value(metric, best)}"
    before = "" if reached is None else f"The best value before the landing is {written_value(metric, reached)}. "
    return f"not known, because the recorded run did not land there. {before}{whole}"


def side_by_side(outcomes: Sequence[Outcome]) -> str:
    """Write the results of several rules or runs as a table, with a sum for each rule.

    Args:
        outcomes: The results.

    Returns:
        Lines of plain text.
    """
    rules = list(dict.fromkeys(outcome.rule for outcome in outcomes))
    by_rule = [[outcome for outcome in outcomes if outcome.rule == rule] for rule in rules]
    sums = [_sum_row(group) for group in by_rule if len(group) > 1]
    table = aligned([_HEAD, *map(_row, outcomes), *sums], left=_LEFT)
    remarks = [*notes([outcome.landing for outcome in outcomes]), *_refused(outcomes), *_shared(outcomes)]
    return "\n".join([table, "", *left_out(outcome.run for outcome in outcomes), _NOTE, *remarks])


def _refused(outcomes: Sequence[Outcome]) -> list[str]:
    """Name the runs that could not have landed."""
    runs = dict.fromkeys(outcome.run.run_id for outcome in outcomes if outcome.is_refused)
    return [f"{for_terminal(run_id)}: {REFUSED}" for run_id in runs]


def _shared(outcomes: Sequence[Outcome]) -> list[str]:
    """Say that sums count devices several times which several processes measured at the same time."""
    runs = list({outcome.run.path: outcome.run for outcome in outcomes}.values())
    counts = counted([run.nested for run in runs])
    sharers = seeming_sharers([run.measured for run, is_in in zip(runs, counts, strict=True) if is_in])
    if not sharers:
        return []
    together = f"{sharers:,} runs measured a device that another process measured at the same time."
    return [f"{together} The sums count it for each of them."]


def _row(outcome: Outcome) -> list[str]:
    total_kg = outcome.run.history.emissions_kg
    return [
        outcome.run.run_id,
        outcome.rule,
        _stops_after(outcome),
        *_savings([outcome], total_kg),
        written_value(outcome.metric, outcome.reached) if outcome.metric else UNKNOWN,
        UNKNOWN if outcome.lost is None else f"{outcome.lost:.3g}",
    ]


def _stops_after(outcome: Outcome) -> str:
    of_epochs = outcome.run.history.finished_epochs
    stop = f"no stop in {of_epochs}" if outcome.epochs is None else f"{outcome.epochs} of {of_epochs}"
    return stop if outcome.landing is None else f"{stop}, lands {outcome.landing.begins_after}"


def _sum_row(outcomes: Sequence[Outcome]) -> list[str]:
    stopped = sum(outcome.epochs is not None for outcome in outcomes)
    counts = counted([outcome.run.nested for outcome in outcomes])
    total_kg = sum(each.run.history.emissions_kg for each, is_in in zip(outcomes, counts, strict=True) if is_in)
    head = [f"{len(outcomes)} runs", outcomes[0].rule, f"{stopped} stopped"]
    return [*head, *_savings(outcomes, total_kg), "", ""]


def _savings(outcomes: Sequence[Outcome], total_kg: float) -> list[str]:
    saved_kg = sum(outcome.saved_kg for outcome in outcomes)
    return [
        *spent(sum(outcome.saved_kwh for outcome in outcomes), saved_kg),
        duration(sum(outcome.saved_seconds for outcome in outcomes)),
        percent(saved_kg / total_kg) if total_kg > 0 else UNKNOWN,
    ]
