"""The run of one trial, from its beginning to its end."""

from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from optuna import TrialPruned

from green_callbacks._frameworks.optuna.live_spending import forget
from green_callbacks._frameworks.optuna.search_spending import Kept
from green_callbacks._frameworks.optuna.shared_trial import told_to_all
from green_callbacks._frameworks.optuna.study_totals import rises_of
from green_callbacks._frameworks.optuna.trial_attributes import (
    EMISSIONS,
    ENERGY,
    RUN_ID,
    STOP_REASON,
    TrialSpending,
    own_spending,
)
from green_callbacks._frameworks.optuna.trial_rule import TrialRule
from green_callbacks.accountant import EnergyAccountant
from green_callbacks.analysis.searches.outcome import Outcome, State
from green_callbacks.errors import BudgetSpentError, LedgerError, SourceUnavailableError
from green_callbacks.ledger import read_ledger
from green_callbacks.records import History
from green_callbacks.text.log import get_logger

if TYPE_CHECKING:
    from green_callbacks._frameworks.optuna.search_budget import SearchBudget

logger = get_logger(__name__)

_UNMEASURED: Final = (
    "No energy of trial %s was measured, so its emissions are not known and cannot be an objective. "
    "Run `green-callbacks doctor`, or pass sources=."
)


class _Result(NamedTuple):
    """What the run of a trial has recorded."""

    run_id: str
    history: History
    stop_reason: str | None

    @property
    def kg(self) -> float | None:
        """Emissions in kgCO2e. None if nothing was measured."""
        return None if self.history.energy_joules is None else self.history.emissions_kg

    @property
    def kwh(self) -> float | None:
        """Facility energy in kWh. None if nothing was measured."""
        return None if self.history.energy_joules is None else self.history.facility_kwh

    def pruned(self, told: str | None, number: int) -> str | None:
        """Return why the trial was pruned. A process that trained for this one tells it through the ledger."""
        is_pruned = self.stop_reason is not None and self.stop_reason.startswith(f"Trial {number} is pruned")
        return told or (self.stop_reason if is_pruned else None)


class TrialRun(AbstractContextManager["TrialRun"]):
    """Measures one trial. :meth:`SearchBudget.of` makes it.

    Example:
        >>> import optuna
        >>> from green_callbacks.optuna import SearchBudget
        >>> run = SearchBudget("1 kg").of(optuna.trial.FixedTrial({"width": 8}))
        >>> run.accountant.is_live
        False

    Attributes:
        accountant: The accountant of the trial. Give it to the ``EmissionsMonitor`` of your framework, or go through
            its ``epochs(…)``.
    """

    def __init__(
        self, search: "SearchBudget", trial: Any, rule: TrialRule, accountant: EnergyAccountant, ledger: Path
    ) -> None:
        self.accountant = accountant
        self._search = search
        self._trial = trial
        self._rule = rule
        self._ledger = ledger

    def __enter__(self) -> Self:
        """Refuse a trial where the budget of the search is spent, before it costs anything."""
        spent = told_to_all(self._trial, self._search.why_spent(self._study) if self._rule.trial is not None else None)
        if spent is not None:
            self._keep(self._result(), "pruned", spent, refused=True)
            raise self._refused(spent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the measurement, write what the trial spent, and prune the trial if it was told so.

        Raises:
            TrialPruned: The trial was pruned, or the budget of the search left no room for it.
        """
        self.accountant.close(together=kind is None)
        result = self._result()
        pruned = result.pruned(self._rule.pruned_because, self._number)
        if kind is None:
            pruned = told_to_all(self._trial, pruned)
        if isinstance(value, BudgetSpentError):
            self._keep(result, "pruned", str(value), refused=not len(result.history))
            self._search.stop(self._study, str(value))
            raise TrialPruned(str(value)) from value
        is_pruned = pruned is not None or isinstance(value, TrialPruned)
        state: State = "pruned" if is_pruned else "complete" if kind is None else "failed"
        self._keep(result, state, pruned or _text(value) or result.stop_reason)
        if kind is None and not result.run_id and self._rule.trial is not None:
            self._search.say_unmeasured(self._number)
        if self._search.has_ended(self.accountant, self._study):
            self._search.stop(self._study, str(self.accountant.stop_reason))
        if kind is None and pruned is not None:
            raise TrialPruned(pruned)

    @property
    def _study(self) -> Any | None:
        return self._rule.study

    def _result(self) -> "_Result":
        """Return what the run has recorded. Where another process has trained, the ledger tells."""
        accountant = self.accountant
        if not len(accountant.history) and self._ledger.is_file():
            try:
                contents = read_ledger(self._ledger)
            except LedgerError:
                return _Result("", accountant.history, None)
            return _Result(contents.run_id, contents.history, contents.stop_reason)
        return _Result(accountant.run_id, accountant.history, accountant.stop_reason)

    def emissions_kg(self) -> float:
        """End the measurement, and return what the trial emitted, as an objective to minimize.

        Where an objective trains several times, as for the folds of a cross-validation, earlier runs count too.

        Returns:
            Emissions of all runs of the trial so far, in kgCO2e.

        Raises:
            SourceUnavailableError: Nothing was measured. Optuna would take None or NaN for a failed trial.
        """
        self.accountant.close()
        found = told_to_all(self._trial, self._kg_so_far())
        if found is None:
            raise SourceUnavailableError(_UNMEASURED % self._number)
        return float(found)

    def _kg_so_far(self) -> float | None:
        """Return the emissions of this run and of earlier runs of the trial, in kgCO2e. None if unmeasured."""
        result = self._result()
        if result.kg is None or self._rule.trial is None:
            return result.kg
        earlier = own_spending(self._rule.trial, but=result.run_id)
        return result.kg if earlier is None else result.kg + (earlier.kg or 0.0)

    def raise_if_pruned(self) -> None:
        """End the trial here if it was pruned, before a test or an export of its model costs more.

        Without this call, the trial ends so at the end of its ``with`` block.

        Raises:
            TrialPruned: The trial was pruned.
        """
        reason = told_to_all(self._trial, self._rule.pruned_because)
        if reason is not None:
            raise TrialPruned(reason)

    @property
    def _number(self) -> int:
        """Number of the trial. -1 on a rank other than 0, where asking for it would wait for all ranks."""
        return -1 if self._rule.trial is None else int(self._rule.trial.number)

    def _refused(self, reason: str) -> TrialPruned:
        self._search.stop(self._study, reason)
        return TrialPruned(f"{reason} So the trial is not trained.")

    def _keep(self, result: "_Result", state: State, reason: str | None, *, refused: bool = False) -> None:
        """Write the totals to the trial, and its outcome beside its ledger. A refused trial has spent nothing."""
        trial = self._rule.trial
        if trial is None:
            return
        if result.run_id:
            kept = Kept(self._ledger, result.kg or 0.0, result.kwh or 0.0)
            self._search.spending.keep(result.run_id, kept)
        try:
            self._write(trial, result, refused=refused)
        # The storage may be away or the trial may be closed there. The trial's own result and exception matter more.
        except Exception as failure:  # noqa: BLE001
            logger.warning(
                "The emissions of trial %d could not be written to the storage of the study (%s: %s). They are in the "
                "ledger %s, and count in the budget.",
                self._number,
                type(failure).__name__,
                failure,
                self._ledger,
            )
        finally:
            if self._study is not None:
                forget(self._study.study_name, self._number)
        name, began = self._search.name_of(self._study), str(getattr(trial, "datetime_start", ""))
        rises = rises_of(self._study) if self._study is not None else ()
        self._search.keep_outcome(
            Outcome(study=name, trial=self._number, state=state, reason=reason, rises=rises, began=began), self._ledger
        )

    def _write(self, trial: Any, result: "_Result", *, refused: bool) -> None:
        """Write the totals of all runs of the trial to it."""
        if result.run_id:
            self._rule.write(result.history, result.run_id)
            trial.set_user_attr(RUN_ID, result.run_id)
        spent = own_spending(trial) or TrialSpending(*((0.0, 0.0) if refused else (result.kg, result.kwh)))
        trial.set_user_attr(EMISSIONS, spent.kg)
        trial.set_user_attr(ENERGY, spent.kwh)
        if result.stop_reason is not None:
            trial.set_user_attr(STOP_REASON, result.stop_reason)


def _text(value: BaseException | None) -> str | None:
    return None if value is None else f"{type(value).__name__}: {value}" if str(value) else type(value).__name__
