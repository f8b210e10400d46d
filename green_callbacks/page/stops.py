"""Where a rule would have stopped a run, with what that would have saved and lost, as ``green-callbacks replay`` says.

Masses are in g of CO2e and energies in kWh. Unknown values are None.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from green_callbacks.analysis.ledger_run import LedgerRun
from green_callbacks.analysis.replays import Outcome, Rule, replayed
from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger import LedgerContents
from green_callbacks.metrics import Metric
from green_callbacks.page.thinning import few_digits
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_mass
from green_callbacks.text.wording import percent, significant
from green_callbacks.units import GRAMS_PER_KG

_LONGEST_RULE: Final = 300
"""Longest text of a rule, in characters. All options of a rule together are shorter."""


def stop_of(contents: LedgerContents, key: str, rule_text: str) -> dict[str, Any]:
    """Replay a rule on a run.

    Args:
        contents: The ledger of the run.
        key: Key by which the page asked for the run.
        rule_text: The rule as on the command line, such as ``marginal-gain,landing=0.2`` or ``budget=500 g``.

    Returns:
        Plain JSON types. ``is_recorded`` says whether the values at the stop are values of the recorded run, which they
        are not where the run would have landed and did not.

    Raises:
        ConfigurationError: The rule cannot be read, or needs a metric that the run does not have.
        UnitError: The amount of a budget cannot be read.

    Example:
        >>> from green_callbacks import EpochRecord, History
        >>> from green_callbacks.records import Plan
        >>> history = History([EpochRecord.scripted(epoch=epoch, emissions_kg=0.1) for epoch in range(5)])
        >>> contents = LedgerContents("digits", history, None, True, Plan(), None, "max", "given", {})
        >>> stop = stop_of(contents, "a1", "budget=250 g")
        >>> stop["epoch"], stop["saved_g"], stop["saved_share"]
        (2, 300.0, 0.6)
    """
    rule, run = _parsed(rule_text), LedgerRun(Path(contents.run_id or key), contents)
    metric = run.metric()
    if metric is None and not rule.subject:
        seen = ", ".join(run.history.metric_names[:10]) or "no metric at all"
        msg = f"The run {run.run_id} has {seen}. Name its metric, as in {rule.kind}:METRIC."
        raise ConfigurationError(for_terminal(msg))
    plan = replace(contents.plan, spent_before_kg=0.0, spent_before_kwh=0.0)
    return {"key": key, **_told(replayed(run, rule, plan, metric))}


def _parsed(text: str) -> Rule:
    if len(text) > _LONGEST_RULE:
        msg = f"The rule has {len(text):,} characters, more than {_LONGEST_RULE}. Write a rule such as marginal-gain."
        raise ConfigurationError(msg)
    return Rule.parse(text)


def _told(outcome: Outcome) -> dict[str, Any]:
    history, landing, stops = outcome.run.history, outcome.landing, outcome.epochs is not None
    is_measured = history.energy_joules is not None
    total_kg = history.emissions_kg
    return {
        "rule": for_terminal(outcome.rule),
        "stops": stops,
        "is_recorded": not outcome.is_unknown,
        "epoch": outcome.epochs,
        "of": history.finished_epochs,
        "at_g": few_digits(outcome.spent_kg * GRAMS_PER_KG) if stops and is_measured else None,
        "q": few_digits(outcome.reached),
        "best": few_digits(outcome.best),
        "lost": few_digits(outcome.lost),
        "saved_g": few_digits(outcome.saved_kg * GRAMS_PER_KG if stops else 0.0) if is_measured else None,
        "saved_share": few_digits(outcome.saved_kg / total_kg if stops else 0.0) if total_kg > 0 else None,
        "saved_kwh": few_digits(outcome.saved_kwh if stops else 0.0) if is_measured else None,
        "lands": None if landing is None else {"epoch": landing.begins_after},
        "text": for_terminal(f"{_sentence(outcome, total_kg)} {outcome.reason}"),
    }


def _sentence(outcome: Outcome, total_kg: float) -> str:
    of = outcome.run.history.finished_epochs
    if outcome.epochs is None:
        but = "" if outcome.landing is None else ", but it would begin to land"
        return f"The rule would not have stopped this run of {of} epochs{but}."
    if outcome.landing is None and outcome.epochs == of:
        return f"The rule would stop this run after its last epoch, {of} of {of}, and save nothing."
    place = f"after {outcome.epochs} of {of} epochs" if outcome.landing is None else outcome.landing.stop[:-1].lower()
    share = f" ({percent(outcome.saved_kg / total_kg)})" if total_kg > 0 else ""
    saved = f"save {format_mass(outcome.saved_kg)} CO2e{share}"
    return f"The rule would stop {place}, {saved} and {_lost(outcome, outcome.metric)}."


def _lost(outcome: Outcome, metric: Metric | None) -> str:
    if outcome.is_unknown:
        return "lose an unknown amount, because this run did not land"
    if metric is None or outcome.lost is None:
        return "lose an unknown amount of quality"
    return f"lose {significant(outcome.lost)} of {metric.name}" if outcome.lost else f"lose nothing of {metric.name}"
