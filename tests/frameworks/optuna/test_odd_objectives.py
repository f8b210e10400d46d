"""Objectives that train several times, go elsewhere or end in other ways than their runs."""

import os
import shutil
from pathlib import Path

import optuna
import pytest
from frameworks.optuna.studies import EPOCH_KG, ledgers, measured, train

from green_callbacks.analysis.searches.outcome import Outcome
from green_callbacks.errors import ConfigurationError
from green_callbacks.optuna import KilogramHalvingPruner, SearchBudget

KG, KWH = "green_callbacks:emissions_kg", "green_callbacks:energy_kwh"


def fold(budget, trial, values=(1.0, 1.0)):
    with budget.of(trial, **measured()) as run:
        return train(run, list(values)), run.emissions_kg()


def test_all_folds_of_a_cross_validation_count_in_their_trial(place):
    budget = SearchBudget(None)
    study = optuna.create_study(directions=["maximize", "minimize"])
    study.optimize(lambda trial: [fold(budget, trial) for _ in range(3)][-1], n_trials=2, callbacks=[budget])

    for trial in study.trials:
        assert trial.user_attrs[KG] == trial.values[1] == pytest.approx(6 * EPOCH_KG)
        assert trial.user_attrs[KWH] == pytest.approx(6)
    outcomes = [Outcome.read(path) for path in ledgers(place)]
    assert [len(each.values) for each in outcomes] == [2] * 6, "each fold knows how its trial ended"


def test_a_fold_that_is_refused_keeps_what_earlier_folds_spent():
    budget = SearchBudget("0.2 kg")
    study = optuna.create_study()
    study.optimize(lambda trial: [fold(budget, trial) for _ in range(3)][-1][0], n_trials=2, callbacks=[budget])

    assert [trial.state.name for trial in study.trials] == ["PRUNED"]
    assert study.trials[0].user_attrs[KG] == pytest.approx(2 * EPOCH_KG)


def test_rungs_count_the_kilograms_of_all_folds():
    budget = SearchBudget(None, monitor="val_acc")
    study = optuna.create_study(direction="maximize", pruner=KilogramHalvingPruner(3.5 * EPOCH_KG))

    def objective(trial):
        with pytest.warns(UserWarning, match="already reported"):
            return [fold(budget, trial, [1.0 / (1 + trial.number)] * 2) for _ in range(3)][-1][0]

    study.optimize(objective, n_trials=2, callbacks=[budget])
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED"]
    assert study.trials[1].user_attrs[KG] == pytest.approx(4 * EPOCH_KG)


def test_a_trial_that_changes_the_working_folder_stays_in_the_budget(place):
    budget = SearchBudget("0.5 kg")
    study = optuna.create_study()

    def objective(trial):
        Path(str(trial.number)).mkdir()
        os.chdir(str(trial.number))
        return fold(budget, trial)[0]

    study.optimize(objective, n_trials=9, callbacks=[budget])
    assert len(ledgers(place / "green-callbacks" / study.study_name)) == len(ledgers(place)) == 3


def test_the_folder_knows_of_trials_that_fail_or_are_pruned_after_their_run(place):
    budget = SearchBudget(None)
    study = optuna.create_study()

    def objective(trial):
        value = fold(budget, trial)[0]
        if trial.number == 1:
            raise optuna.TrialPruned
        if trial.number == 2:
            raise RuntimeError
        return value if trial.number == 0 else float("nan")

    study.optimize(objective, n_trials=4, catch=[RuntimeError], callbacks=[budget])
    states = [Outcome.read(path).state for path in ledgers(place)]
    assert states == ["complete", "pruned", "failed", "failed"]


def test_trials_of_another_study_keep_their_kilograms():
    budget = SearchBudget(None)
    old, new = optuna.create_study(study_name="old"), optuna.create_study(study_name="new")
    old.optimize(lambda trial: fold(budget, trial)[0], n_trials=2, callbacks=[budget])
    new.optimize(lambda trial: fold(budget, trial, [1.0])[0], n_trials=1, callbacks=[budget])
    new.add_trials(old.trials)

    assert [trial.kg for trial in budget.summary(new).trials] == pytest.approx([EPOCH_KG, 2 * EPOCH_KG, 2 * EPOCH_KG])


def test_ledgers_that_are_deleted_still_count(caplog):
    budget = SearchBudget("0.5 kg", project="logs")
    study = optuna.create_study()

    def objective(trial):
        value = fold(budget, trial)[0]
        shutil.rmtree("logs", ignore_errors=True)
        return value

    study.optimize(objective, n_trials=9, callbacks=[budget])
    assert len(study.trials) == 3, "at most one trial more than the budget"
    assert caplog.text.count("has no ledger of a trial that has ended") == 1


@pytest.mark.parametrize("options", [{"monitor": 5}, {"monitor": ""}, {"mode": "most"}, {"project": 5}])
def test_a_metric_that_cannot_be_is_refused_before_the_first_trial(options):
    with pytest.raises(ConfigurationError):
        SearchBudget("1 kg", **options)


def test_emissions_as_the_first_objective_do_not_choose_the_best_trial(place):
    budget = SearchBudget(None)
    study = optuna.create_study(directions=["minimize", "maximize"])

    def objective(trial):
        value, kg = fold(budget, trial, [0.5 + trial.number] * (1 + trial.number))
        return kg, value

    study.optimize(objective, n_trials=3, callbacks=[budget])
    assert budget.summary(study).best.number == 2
    assert [Outcome.read(path).values[0] for path in ledgers(place)] == [0.5, 1.5, 2.5]
    assert Outcome.read(ledgers(place)[0]).rises == (True, False)


def test_a_missing_metric_is_said_of_the_pruner_of_optuna(caplog):
    budget = SearchBudget(None, monitor="val_akk", mode="max")
    optuna.create_study(direction="maximize").optimize(lambda trial: fold(budget, trial)[0], n_trials=1)
    assert "Optuna's pruner watches the metric 'val_akk' and cannot act so far" in caplog.text
