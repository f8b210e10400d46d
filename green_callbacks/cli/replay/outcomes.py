"""The savings and losses of a rule on a finished run, in words and as a table."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from green_callbacks.cli.replay.landings import AT_LEAST, REFUSED, ReplayedLanding, notes
from green_callbacks.cli.replay.rule_text import Rule
from green_callbacks.cli.runs import LedgerRun, best_value, written_value
from green_callbacks.cli.summary.sums import left_out, spent
from green_callbacks.metrics import Metric
from green_callbacks.policies import CarbonBudget, MarginalGain, watched_metric
from green_callbacks.policies.replay import Replay, replay_landing
from green_callbacks.records import EpochRecord, History, Plan
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a rule on a run.

    Attributes:
        run: The run.
        rule: The rule, as on the command line.
        price: The rule in words.
        reason: Why the rule would have stopped, or why not.
        epochs: Number of epochs before the stop. None if the rule would not have stopped.
        saved_kwh: Saved energy of the facility, in kWh.
        saved_kg: Saved emissions, in kgCO2e.
        saved_seconds: Saved time, in s.
        metric: Metric that measures quality. None if there is none.
        reached: Best value of the metric before the stop. With a landing, the best value before the landing.
        best: Best value of the metric in the whole run.
        landing: The landing before the stop. None for a stop without a landing.
        is_refused: Whether the rule lands, and the loop of the run could not.
    """

    run: LedgerRun
    rule: str
    price: str
    reason: str
    epochs: int | None
    saved_kwh: float = 0.0
    saved_kg: float = 0.0
    saved_seconds: float = 0.0
    metric: Metric | None
    reached: float | None
    best: float | None
    landing: ReplayedLanding | None = None
    is_refused: bool = False

    @property
    def is_unknown(self) -> bool:
        """Whether the model at the stop is not known, because the recorded run did not land there."""
        return self.landing is not None and not self.landing.is_recorded

    @property
    def lost(self) -> float | None:
        """Difference between the best value of the whole run and the best value before the stop, at least 0.

        None if a value is missing, or if the model at the stop is not known.
        """
        return None if self.is_unknown or self.best is None or self.reached is None else abs(self.best - self.reached)


def replayed(run: LedgerRun, rule: Rule, plan: Plan, metric: Metric | None) -> Outcome:
    """Replay a rule on a run.

    Args:
        run: The run.
        rule: The rule.
        plan: Planned length of the run.
        metric: Metric that measures quality, unless the rule watches a metric itself. None if there is none.

    Returns:
        The result.

    Raises:
        ConfigurationError: The rule needs a metric, and there is none.
    """
    policy, trained = rule.on(run, metric), _trained(run.history)
    metric = watched_metric(policy) or metric
    found = replay_landing(trained, policy, plan)
    row = len(trained) - 1 if found is None else _row_of(found.record, trained)
    landing = None if found is None or plan.landing_refused else _landing(found, policy, run, trained, row)
    columns = (trained.cumulative_kg, trained.cumulative_kwh, trained.cumulative_seconds)
    saved_kg, saved_kwh, saved_seconds = (column[-1] - column[row] if trained else 0.0 for column in columns)
    rows = row + 1 if landing is None or landing.is_recorded else landing.rows
    has_stopped = found is not None and found.verdict.stop
    return Outcome(
        run=run,
        rule=rule.describe(policy),
        price=policy.describe(),
        reason=_reason(found, policy, landing) or policy.decide(trained, replace(plan, landing=None)).reason,
        epochs=bisect_right(trained.epoch_rows, row) if has_stopped else None,
        saved_kg=saved_kg,
        saved_kwh=saved_kwh,
        saved_seconds=saved_seconds,
        metric=metric,
        reached=best_value(trained, metric, rows) if metric else None,
        best=best_value(trained, metric) if metric else None,
        landing=landing,
        is_refused=plan.landing_refused and policy.landing > 0,
    )


def _landing(
    found: Replay, policy: CarbonBudget | MarginalGain, run: LedgerRun, trained: History, row: int
) -> ReplayedLanding | None:
    begin = row if found.begins is None else _row_of(found.begins, trained)
    return ReplayedLanding.of(found, policy, run, trained, (begin, row))


def _reason(found: Replay | None, policy: CarbonBudget | MarginalGain, landing: ReplayedLanding | None) -> str | None:
    """Return why a rule stops. None if it does not.

    A budget lands inside an epoch, where the rest of the budget is not known.
    """
    if landing is not None and isinstance(policy, CarbonBudget):
        return f"{policy.name[:1].upper()}{policy.name[1:]} would end the run."
    return found.verdict.reason if found else None


def _row_of(record: EpochRecord, history: History) -> int:
    """Return the row of a record by its time, because a record with a NaN as a metric does not equal itself."""
    key = (record.started_at, record.epoch, record.step, record.duration_seconds)
    places = enumerate((each.started_at, each.epoch, each.step, each.duration_seconds) for each in history)
    return next(row for row, place in places if place == key)


def _trained(history: History) -> History:
    """Return the records up to the end of the last epoch, because nothing can be stopped after it."""
    end = max((row + 1 for row in range(len(history)) if history.epoch_at(row) is not None), default=0)
    return History(history[:end])


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
    remarks = [*notes([outcome.landing for outcome in outcomes]), *_refused(outcomes)]
    return "\n".join([table, "", *left_out(outcome.run for outcome in outcomes), _NOTE, *remarks])


def _refused(outcomes: Sequence[Outcome]) -> list[str]:
    """Name the runs that could not have landed."""
    runs = dict.fromkeys(outcome.run.run_id for outcome in outcomes if outcome.is_refused)
    return [f"{for_terminal(run_id)}: {REFUSED}" for run_id in runs]


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
    total_kg = sum(outcome.run.history.emissions_kg for outcome in outcomes)
    head = [f"{len(outcomes)} runs", outcomes[0].rule, f"{stopped} stopped"]
    return [*head, *_savings(outcomes, total_kg), "", ""]


def _savings(outcomes: Sequence[Outcome], total_kg: float) -> list[str]:
    saved_kg = sum(outcome.saved_kg for outcome in outcomes)
    return [
        *spent(sum(outcome.saved_kwh for outcome in outcomes), saved_kg),
        duration(sum(outcome.saved_seconds for outcome in outcomes)),
        percent(saved_kg / total_kg) if total_kg > 0 else UNKNOWN,
    ]
