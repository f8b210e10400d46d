"""The totals of a study, from its trials and from the ledgers of their runs."""

from collections.abc import Iterable, Mapping
from math import isclose
from pathlib import Path
from typing import Any, Final

from green_callbacks._frameworks.optuna.trial_attributes import EMISSIONS, TrialSpending, spending_by_trial
from green_callbacks.analysis.searches.outcome import State
from green_callbacks.analysis.searches.totals import SearchTotals, SearchTrial
from green_callbacks.ledger.project_totals import project_closings

_ROUNDING: Final = 1e-9
"""Share by which an objective may differ from the emissions of its trial through rounding. No unit, by experiment."""
_STATES: Final[Mapping[str, State]] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


def study_totals(study: Any, folder: Path) -> SearchTotals:
    """Return what a study has spent, by the fate of its trials.

    Args:
        study: The study.
        folder: Folder of the ledgers, which know more of a killed trial than the trial itself.
    """
    trials = study.get_trials(deepcopy=False)
    spent = spending_by_trial(trials)
    ledgers = {closing.run_id: closing.emissions_kg for closing in project_closings(folder).closings}
    runs = {run_id for each in spent.values() for run_id in each.run_ids}
    quality = quality_objective(study, trials)
    found = []
    for trial in trials:
        if trial.state.name == "WAITING":
            continue
        nothing = 0.0 if trial.user_attrs.get(EMISSIONS) == 0.0 else None  # as of a trial that was refused
        kg = _kg(spent.get(trial.number, TrialSpending(nothing)), ledgers)
        value = trial.values[quality] if trial.values and trial.state.name == "COMPLETE" else None
        found.append(SearchTrial(trial.number, _STATES.get(trial.state.name, "unfinished"), kg, value))
    rises = rises_of(study)[quality]
    other_kg = sum(kg for run_id, kg in ledgers.items() if run_id not in runs)
    return SearchTotals(study.study_name, found, rises=rises, other_kg=other_kg)


def quality_objective(study: Any, trials: Iterable[Any]) -> int:
    """Return the index of the objective by which a trial is good, the first that is not what it emitted.

    Args:
        study: The study.
        trials: Complete trials of the study.
    """
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    for index in range(len(study.directions)):
        if not complete or not all(_is_emitted(trial.values[index], trial) for trial in complete):
            return index
    return 0


def _is_emitted(value: float, trial: Any) -> bool:
    kg = trial.user_attrs.get(EMISSIONS)
    return isinstance(kg, int | float) and isclose(value, kg, rel_tol=_ROUNDING)


def rises_of(study: Any) -> tuple[bool, ...]:
    """Return for each objective of a study whether more of it is better.

    Args:
        study: The study.
    """
    return tuple(each.name == "MAXIMIZE" for each in study.directions)


def _kg(spent: TrialSpending, ledgers: Mapping[str, float]) -> float | None:
    """Return the emissions of a trial, in kgCO2e.

    Ledgers come first, because they know more of a killed trial, and count once what several processes measured.
    """
    found = [ledgers[run_id] for run_id in spent.run_ids if run_id in ledgers]
    is_whole = len(found) == len(spent.run_ids) > 0
    return sum(found) if is_whole and (spent.kg is not None or sum(found) > 0) else spent.kg
