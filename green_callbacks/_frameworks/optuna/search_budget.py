"""The body of :class:`green_callbacks.optuna.SearchBudget`."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Unpack

from green_callbacks._frameworks.optuna.search_options import (
    checked_metric,
    checked_options,
    folder_name,
    project_folder,
)
from green_callbacks._frameworks.optuna.search_spending import SearchSpending
from green_callbacks._frameworks.optuna.shared_trial import is_shared, own_trial
from green_callbacks._frameworks.optuna.study_totals import quality_objective, rises_of, study_totals
from green_callbacks._frameworks.optuna.trial_rule import TrialRule, WatchingRule
from green_callbacks._frameworks.optuna.trial_run import TrialRun
from green_callbacks.accountant import AccountantOptions, EnergyAccountant
from green_callbacks.accountant.setup import option_checks as checks
from green_callbacks.analysis.searches.outcome import Outcome, State
from green_callbacks.analysis.searches.totals import SearchTotals
from green_callbacks.configuration import DISABLE_VARIABLE, is_set
from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger.project_ledgers import FOLDER
from green_callbacks.metrics import Metric
from green_callbacks.policies import CarbonBudget
from green_callbacks.records import History, Plan
from green_callbacks.text.log import get_logger
from green_callbacks.text.wording import percent

logger = get_logger(__name__)

_LONGEST_LABEL: Final = 200
"""Largest length of a label, in characters."""
_STATES: Final[Mapping[str, State]] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


class SearchBudget:
    """Gives all trials of an Optuna study one budget, and writes to each trial what it emitted.

    ::

        budget = SearchBudget("2 kg", monitor="val_acc", location="DE")

        def objective(trial):
            with budget.of(trial) as run:
                trainer = Trainer(max_epochs=30, callbacks=[EmissionsMonitor(run.accountant)])
                trainer.fit(Classifier(trial.suggest_float("rate", 1e-4, 1e-1, log=True)), data)
                return trainer.callback_metrics["val_acc"].item()

        study = optuna.create_study(direction="maximize", pruner=KilogramHalvingPruner())
        study.optimize(objective, callbacks=[budget])

    The search ends when the budget is spent. It is checked before each trial, inside each trial, and after it. Where
    several ranks share a trial, the other ranks count on it, so each further trial is pruned before it begins. The
    budget is a :class:`green_callbacks.CarbonBudget` of the search's folder. So it holds for all threads, processes and
    machines that use the folder, and for a search that is continued on another day.

    Each run adds the user attribute ``green_callbacks:run:…`` to its trial while it trains. At its end, the trial gets
    ``green_callbacks:emissions_kg`` and ``green_callbacks:energy_kwh``. Pruned, failed and killed trials keep what they
    have spent. A retried trial does not count the trial that it repeats.

    With ``monitor``, the metric is reported to Optuna after each epoch, and the pruner of the study is asked. The run
    then stops as for any policy, its ledger says why, and the end of the ``with`` block raises ``TrialPruned``. In a
    study of several objectives, only :class:`KilogramHalvingPruner` prunes.

    Args:
        budget: An amount with its unit, such as ``"2 kg"`` or ``"5 kWh"``, or a ``CarbonBudget`` with options of its
            own. None only measures.
        project: Folder of the ledgers of the search. Defaults to the project of the ``CarbonBudget``, or else to a
            folder in ``green-callbacks/`` that has the name of the study. It stays there if a trial changes the working
            folder.
        monitor: Key of the metric that the pruner compares. Defaults to None, which leaves reports to your objective.
        mode: ``max`` or ``min``, the direction in which the metric improves. Defaults to the direction of a study of
            one objective, and else to the direction that the name implies.
        **options: Options of the accountant of each trial, see :class:`green_callbacks.AccountantOptions`.

    Raises:
        ConfigurationError: An option cannot work.

    Example:
        >>> import optuna
        >>> from green_callbacks.optuna import SearchBudget
        >>> budget = SearchBudget("2 kg", monitor="val_acc", location="DE")
        >>> optuna.create_study().optimize(lambda trial: 1.0, n_trials=1, callbacks=[budget])
    """

    def __init__(
        self,
        budget: str | float | CarbonBudget | None,
        *,
        project: str | os.PathLike[str] | None = None,
        monitor: str | None = None,
        mode: str = "auto",
        **options: Unpack[AccountantOptions],
    ) -> None:
        given = CarbonBudget(budget) if isinstance(budget, str | float | int) else budget
        self._budget = checks.one("budget", CarbonBudget, "'2 kg'", given)
        named = self._budget.project if self._budget is not None else None
        if project is not None and named is not None:
            msg = "Both project= and the CarbonBudget name a project. Name it in one place."
            raise ConfigurationError(msg)
        self._project = project_folder(named if project is None else project)
        self._monitor, self._mode = checked_metric(monitor, mode)
        self._options = checked_options(options)
        self._place = Path.cwd() / FOLDER  # a trial may change the working folder
        self._ledgers: dict[tuple[str, int], list[Path]] = {}
        self._said: set[str] = set()
        self._ended: dict[str, tuple[str, float]] = {}
        self._has_ranks = False
        self._open: set[tuple[str, int]] = set()
        self.spending = SearchSpending()

    def of(self, trial: Any, **options: Unpack[AccountantOptions]) -> TrialRun:
        """Begin a trial.

        Args:
            trial: The trial, as Optuna gives it to the objective.
            **options: Options of the accountant of this trial, such as its plan. They replace those of the search.

        Returns:
            The run of the trial, for a ``with`` block. Its ``accountant`` belongs into the monitor of your framework.

        Raises:
            ConfigurationError: An option cannot work.
        """
        own = own_trial(trial)
        self._has_ranks |= is_shared(trial)
        study = getattr(own, "study", None)
        name, number = self.name_of(study), "other" if own is None else str(own.number)
        ledger = self.folder(study) / f"trial-{number:0>5}-{os.urandom(4).hex()}.jsonl"
        self._ledgers.setdefault((name, -1 if own is None else own.number), []).append(ledger)
        rule = self._rule(own, study)
        chosen: dict[str, Any] = {**self._options, **checked_options(options)}
        labels = {**(chosen.get("labels") or {}), "study": name[:_LONGEST_LABEL], "trial": number}
        shared = self._shared(study)
        policies = [*([shared] if shared else []), rule, *(chosen.get("policies") or ())]
        accountant = EnergyAccountant(**{**chosen, "labels": labels, "policies": policies, "ledger": ledger})
        rule.join(accountant)
        self._open |= {(name, own.number)} if own is not None else set()
        return TrialRun(self, trial, rule, accountant, ledger)

    def __call__(self, study: Any, trial: Any) -> None:
        """End the study if its budget is spent. Optuna calls this after each trial.

        Args:
            study: The study.
            trial: The trial that has ended.
        """
        ledgers = self._ledgers.pop((study.study_name, trial.number), [])
        if (study.study_name, trial.number) in self._open:
            self._say_open(trial.number)
        for ledger in ledgers:
            self._keep_values(study, trial, ledger)
        told = self._told(study)
        if told is not None:
            self._warn(told, study)
            spent = self._why_spent(told, study)
            if spent is not None:
                self.stop(study, spent)

    def _keep_values(self, study: Any, trial: Any, ledger: Path) -> None:
        """Keep what the study took the trial for beside a ledger, which may differ from the end of its run."""
        state = _STATES.get(trial.state.name)
        if state is not None:
            first, began = quality_objective(study, [trial]), str(trial.datetime_start)
            values, rises = (_with_first(first, each) for each in (tuple(trial.values or ()), rises_of(study)))
            found = Outcome.read(ledger) or Outcome(study=study.study_name, trial=trial.number, state=state)
            self.keep_outcome(replace(found, state=state, values=values, rises=rises, began=began), ledger)

    def _warn(self, told: CarbonBudget, study: Any) -> None:
        """Warn of each share of the budget that is spent, once for all trials."""
        spent = told.spent(History(), Plan()) / told.amount.value
        passed = [share for share in (self._budget.warn_at if self._budget else ()) if spent >= share]
        key = f"{study.study_name} {max(passed, default=0.0)}"
        if passed and not self._said & {key, study.study_name}:
            self._said.add(key)
            logger.warning("The search %s has spent %s of %s.", study.study_name, percent(spent), told.name)

    def summary(self, study: Any) -> SearchTotals:
        """Return what the study has spent, by the fate of its trials. ``print()`` writes it as a table.

        Args:
            study: The study.

        Returns:
            The totals. What killed trials spent comes from their ledgers.
        """
        return study_totals(study, self.folder(study))

    def folder(self, study: Any | None) -> Path:
        """Return the folder of the ledgers of a study.

        Args:
            study: The study. None for trials without a study.
        """
        return self._project or self._place / folder_name(self.name_of(study))

    def name_of(self, study: Any | None) -> str:
        """Return the name of a study.

        Args:
            study: The study. None for trials without a study.
        """
        return "trials" if study is None else str(study.study_name)

    def why_spent(self, study: Any | None) -> str | None:
        """Return why no further trial may begin, as a sentence. None if one may.

        A loop that calls ``study.ask()`` asks this before each trial, because Optuna cannot end such a loop.

        Args:
            study: The study.
        """
        told = self._told(study)
        return None if told is None else self._why_spent(told, study)

    def _why_spent(self, told: CarbonBudget, study: Any | None) -> str | None:
        """Return why nothing is left. A rest that a run could not use counts as nothing, until the limit is changed."""
        verdict = told.decide(History(), Plan())
        reason, limit = self._ended.get(self.name_of(study), ("", None))
        return verdict.reason if verdict.stop else reason if limit == told.amount.value else None

    def has_ended(self, accountant: EnergyAccountant, study: Any | None) -> bool:
        """Return whether it was the budget of the search that ended a run. Its reason names the project.

        Args:
            accountant: The accountant of the run.
            study: The study. None for trials without a study.
        """
        reason = accountant.stop_reason
        return reason is not None and self._budget is not None and str(self.folder(study)) in reason

    def stop(self, study: Any | None, reason: str) -> None:
        """End a study, and say why once.

        Args:
            study: The study. None for trials without a study.
            reason: Why, as a sentence.
        """
        if study is None:
            return
        name = self.name_of(study)
        told = self._told(study)
        if told is not None:
            self._ended[name] = reason, told.amount.value
        if name not in self._said:
            self._said.add(name)
            logger.warning("The search %s ends. %s", name, reason)
        if self._has_ranks:
            return  # the other ranks would wait for trials for ever, so the rest is pruned at once, on every rank
        try:
            study.stop()
        except RuntimeError:  # the trial was asked for by a loop of the user, which sees TrialPruned
            logger.info(
                "Optuna cannot end a loop of study.ask(). Leave it when budget.why_spent(study) gives a reason."
            )

    def _say_open(self, trial: int) -> None:
        """Say once that nobody ended a trial, so that its totals are incomplete and no pruner can end it."""
        if "open" not in self._said:
            self._said.add("open")
            logger.warning(
                "Trial %d did not end its run, so its attributes are incomplete and it cannot be pruned. Train inside "
                "a block, as in 'with budget.of(trial) as run:'.",
                trial,
            )

    def say_unmeasured(self, trial: int) -> None:
        """Say once that the objective left the accountant of its trial unused.

        Args:
            trial: Number of the trial.
        """
        if "unmeasured" not in self._said:
            self._said.add("unmeasured")
            logger.warning(
                "Trial %d was not measured, so its emissions count in no budget. Give its accountant to the monitor of "
                "your framework, as in EmissionsMonitor(run.accountant), or go through run.accountant.epochs(...).",
                trial,
            )

    def keep_outcome(self, outcome: Outcome, ledger: Path) -> None:
        """Keep how a trial ended beside its ledger. Say once if the folder refuses it.

        Args:
            outcome: How it ended.
            ledger: The ledger of its run.
        """
        self._open.discard((outcome.study, outcome.trial))
        failure = outcome.write(ledger) if ledger.exists() else None
        if failure is not None and "outcome" not in self._said:
            self._said.add("outcome")
            logger.warning(
                "How trial %d ended could not be written beside its ledger (%s). The summary of the folder takes "
                "it for complete if its training ended. Make %s writable.",
                outcome.trial,
                failure,
                ledger.parent,
            )

    def _shared(self, study: Any | None) -> CarbonBudget | None:
        """Return the budget as a run keeps it. The search itself warns of its shares, once for all runs."""
        return None if self._budget is None else replace(self._budget, project=self.folder(study), warn_at=())

    def _told(self, study: Any | None) -> CarbonBudget | None:
        """Return the budget with what all runs have spent so far. None without a budget."""
        shared = self._shared(study)
        if shared is None or is_set(DISABLE_VARIABLE, os.environ):
            return None
        return self.spending.told(shared)

    def _rule(self, trial: Any | None, study: Any | None) -> TrialRule:
        if self._monitor is None:
            return TrialRule(trial, study)
        objectives = [] if study is None else [each.name for each in study.directions]
        mode = self._mode
        if mode == "auto" and len(objectives) == 1:
            mode = "max" if objectives == ["MAXIMIZE"] else "min"
        metric = Metric.of(self._monitor, mode)  # type: ignore[arg-type]  # it refuses any other text
        self._say_unlike(metric, objectives)
        return WatchingRule(trial, study, metric)

    def _say_unlike(self, metric: Metric, objectives: list[str]) -> None:
        """Warn once if a pruner would keep the worst trials, or can keep none."""
        implied = Metric.or_rising(metric.name, metric.mode)
        try:
            implied = Metric.of(metric.name)
        except ConfigurationError:
            return
        if len(objectives) == 1 and (objectives == ["MAXIMIZE"]) != implied.rises and "direction" not in self._said:
            self._said.add("direction")
            logger.warning(
                "The study is to %s, but %s improves the other way. Its pruner would keep the worst trials. Monitor a "
                "metric that improves like the objective.",
                objectives[0].lower(),
                metric.name,
            )


def _with_first(first: int, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return values with the value of an index before the others."""
    return (*values[first : first + 1], *values[:first], *values[first + 1 :])
