"""The savings and losses of a rule on a finished run."""

from bisect import bisect_right
from dataclasses import dataclass, replace

from green_callbacks.analysis.ledger_run import LedgerRun, best_value
from green_callbacks.analysis.replays.landings import ReplayedLanding
from green_callbacks.analysis.replays.rule_text import Rule
from green_callbacks.metrics import Metric
from green_callbacks.policies import CarbonBudget, MarginalGain, watched_metric
from green_callbacks.policies.replay import Replay, replay_landing
from green_callbacks.records import EpochRecord, History, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a rule on a run.

    Attributes:
        run: The run.
        rule: The rule, as on the command line.
        price: The rule in words.
        reason: Why the rule would have stopped, or why not.
        epochs: Number of epochs before the stop. None if the rule would not have stopped.
        spent_kg: Emissions of the run until the stop, in kgCO2e.
        saved_kwh: Saved energy of the facility, in kWh.
        saved_kg: Saved emissions, in kgCO2e.
        saved_seconds: Saved time, in s.
        metric: Metric that measures quality. None if there is none.
        reached: Best value of the metric before the stop. With a landing, the best value before the landing.
        best: Best value of the metric in the whole run.
        landing: The landing before the stop. None for a stop without a landing.
        is_refused: Whether the rule lands, and the loop of the run could not.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from green_callbacks.ledger import Head, Lines, read_ledger
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "digits.jsonl")
        ...     _ = path.write_bytes(Lines().head(Head(run_id="digits", version="0.1.0")))
        ...     run = LedgerRun(path, read_ledger(path))
        >>> outcome = Outcome(
        ...     run=run, rule="budget=22 g", price="", reason="", epochs=3, metric=None, reached=0.8, best=0.9
        ... )
        >>> round(outcome.lost, 3)
        0.1
    """

    run: LedgerRun
    rule: str
    price: str
    reason: str
    epochs: int | None
    spent_kg: float = 0.0
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

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from green_callbacks import EpochRecord
        >>> from green_callbacks.ledger import Head, Lines, read_ledger
        >>> lines = Lines()
        >>> rows = [lines.record(EpochRecord.scripted(epoch=epoch, emissions_kg=0.1)) for epoch in range(5)]
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "digits.jsonl")
        ...     _ = path.write_bytes(b"".join([lines.head(Head(run_id="digits", version="0.1.0")), *rows]))
        ...     run = LedgerRun(path, read_ledger(path))
        >>> outcome = replayed(run, Rule.parse("budget=250 g"), Plan(), metric=None)
        >>> outcome.epochs, round(outcome.saved_kg, 3)
        (2, 0.3)
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
        spent_kg=trained.cumulative_kg[row] if trained else 0.0,
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
