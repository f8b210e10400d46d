"""The policy that joins a run to its trial. It tells the trial what the run spends, and asks the study's pruner."""

from collections.abc import Callable
from math import isfinite, nan
from pickle import PicklingError, dumps
from time import monotonic
from typing import Any, Final
from weakref import ref

from green_callbacks._frameworks.optuna.halving_pruner import KilogramHalvingPruner
from green_callbacks._frameworks.optuna.live_spending import tell
from green_callbacks._frameworks.optuna.trial_attributes import RUN, RunSpending, own_spending
from green_callbacks.accountant import EnergyAccountant
from green_callbacks.metrics import Metric
from green_callbacks.records import History, Plan, Verdict
from green_callbacks.text.log import get_logger
from green_callbacks.text.wording import significant

logger = get_logger(__name__)

_WRITE_SECONDS: Final = 10.0
"""Shortest time between two writes of an unfinished run's spending, in s. By experiment, SQLite takes up to 28 ms."""


def nobody() -> None:
    """Return no accountant, for a rule that has joined none."""


class TrialRule:
    """Joins a run to a trial. It is asked after each record, like any policy, so the ledger holds what it decides.

    Args:
        trial: The trial. None on a rank other than 0, and in a copy that cannot reach the storage.
        study: The study of the trial. None for a trial without one.
    """

    title = "Optuna's pruner"
    never_stops = True
    goes_on = "The trial is told what it spends."

    def __init__(self, trial: Any | None, study: Any | None) -> None:
        self.trial = trial
        self.study = study
        self._accountant: Callable[[], EnergyAccountant | None] = nobody
        self.pruned_because: str | None = None
        """Why the trial is pruned, as a sentence. None while it is not."""
        self._first_kg: float | None = None
        self._earlier_kg: float | None = None
        self._written = -_WRITE_SECONDS

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy for another process, which reaches the trial only through its storage."""
        state = {**self.__dict__, "_accountant": nobody}
        try:
            dumps(self.trial)
        except (PicklingError, TypeError, AttributeError):
            state.update(trial=None, study=None)
        return state

    def join(self, accountant: EnergyAccountant) -> None:
        """Join the run of an accountant.

        Args:
            accountant: The accountant that holds this policy.
        """
        self._accountant = ref(accountant)

    def decide(self, history: History, plan: Plan) -> Verdict:
        """Tell the trial what the run has spent, and ask the pruner of the study.

        Args:
            history: All records so far.
            plan: The plan of the run.
        """
        if self.pruned_because is None and self.trial is not None and len(history):
            self._tell(history)
            self.pruned_because = self._pruned(history)
        if self.pruned_because is not None:
            return Verdict(stop=True, code="stopping", reason=self.pruned_because)
        return Verdict(stop=False, code="active", reason=self.goes_on)

    def _tell(self, history: History) -> None:
        """Tell the trial what its run has spent, if it was not told a moment ago."""
        accountant = self._accountant()
        self.write(history, accountant.run_id if accountant is not None else "", at_once=False)

    def write(self, history: History, run_id: str, *, at_once: bool = True) -> None:
        """Write what a run has spent to the trial.

        Args:
            history: All records so far.
            run_id: Name of the run.
            at_once: Whether to write even if that was done a moment ago. Defaults to True.
        """
        if self.trial is None or not run_id or not len(history):
            return
        is_measured = history.energy_joules is not None
        if self._first_kg is None and is_measured and history.finished_epochs:
            self._first_kg, self._written = history.emissions_kg, -_WRITE_SECONDS
        if is_measured and self.study is not None:
            tell(self.study.study_name, self.trial.number, self._earlier(run_id) + history.emissions_kg)
        if at_once or monotonic() - self._written >= _WRITE_SECONDS:
            kg, kwh = (history.emissions_kg, history.facility_kwh) if is_measured else (None, None)
            found = RunSpending(self.trial.number, kg, kwh, self._first_kg)
            self.trial.set_user_attr(f"{RUN}{run_id}", found.encoded())
            self._written = monotonic()

    def _earlier(self, run_id: str) -> float:
        """Return what earlier runs of the trial have spent, in kgCO2e."""
        if self._earlier_kg is None:
            spent = own_spending(self.trial, but=run_id)
            self._earlier_kg = 0.0 if spent is None else spent.kg or 0.0
        return self._earlier_kg

    def _pruned(self, _history: History) -> str | None:
        """Return why the trial is pruned. Without a metric, nothing is reported to Optuna."""
        return None


class WatchingRule(TrialRule):
    """Also reports a metric to the trial after each epoch, and asks the pruner of the study.

    Args:
        trial: The trial, or None.
        study: The study, or None.
        metric: The metric that the pruner compares, with its direction.
    """

    never_stops = False
    goes_on = "The pruner of the study lets the trial go on."

    def __init__(self, trial: Any | None, study: Any | None, metric: Metric) -> None:
        super().__init__(trial, study)
        self.monitor = metric.name
        self.mode = metric.mode
        self._metric = metric
        self._is_single = study is None or len(study.directions) == 1

    def _pruned(self, history: History) -> str | None:
        if self.study is None or self.trial is None:
            return None
        record = history[-1]
        value = record.metrics.get(self.monitor)
        if value is None or record.epoch is None:
            return None
        if self._is_single and record.closes_epoch:
            self.trial.report(value, record.epoch)
        pruner = self.study.pruner
        if isinstance(pruner, KilogramHalvingPruner):
            judged = self._metric.best(history.metric(self.monitor).values) if isfinite(value) else nan
            answer = pruner.judge(self.study, self.trial, nan if judged is None else judged, rises=self._metric.rises)
            return answer.reason if answer.prunes else None
        if self._is_single and record.closes_epoch and self.trial.should_prune():
            name, shown = type(pruner).__name__, significant(value, 4)
            return (
                f"Trial {self.trial.number} is pruned by {name} after epoch {record.epoch}, at {self.monitor} {shown}."
            )
        return None
