"""The totals of a study, from its trials and from the ledgers of their runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from green_callbacks._frameworks.optuna.trial_attributes import spending_by_trial
from green_callbacks.analysis.searches.outcome import State
from green_callbacks.analysis.searches.totals import SearchTotals, SearchTrial
from green_callbacks.ledger.project_totals import project_closings

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
    found = []
    for trial in trials:
        if trial.state.name == "WAITING":
            continue
        own = spent.get(trial.number)
        kg = None if own is None else max(own.kg or 0.0, sum(ledgers.get(run_id, 0.0) for run_id in own.run_ids))
        if own is not None and own.kg is None and not kg:
            kg = None
        value = trial.values[0] if trial.values and trial.state.name == "COMPLETE" else None
        found.append(SearchTrial(trial.number, _STATES.get(trial.state.name, "unfinished"), kg, value))
    rises = study.directions[0].name == "MAXIMIZE"
    other_kg = sum(kg for run_id, kg in ledgers.items() if run_id not in runs)
    return SearchTotals(study.study_name, found, rises=rises, other_kg=other_kg)
