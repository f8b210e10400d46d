import copy
import threading
import warnings
from contextlib import suppress

import optuna
import pytest
from frameworks.optuna.studies import EPOCH_KG, ledgers, measured, train
from optuna.trial import TrialState

from green_callbacks import CarbonBudget, read_ledger
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.optuna import KilogramHalvingPruner, SearchBudget

KG = "green_callbacks:emissions_kg"


def said(caplog, text):
    return sum(text in record.getMessage() for record in caplog.records)


def of_ledgers(folder):
    return sum(read_ledger(path).history.emissions_kg for path in ledgers(folder))


@pytest.fixture(params=["memory", "sqlite", "journal"])
def storage(request, place):
    if request.param == "journal":
        return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(place / "study.log")))
    return {"memory": None, "sqlite": "sqlite:///study.db"}[request.param]


def test_a_search_ends_when_its_budget_is_spent(storage, place, caplog):
    budget = SearchBudget("1.05 kg")
    study = optuna.create_study(storage=storage)

    def objective(trial):
        with budget.of(trial, **measured()) as run:
            return train(run, [1.0] * 3)

    study.optimize(objective, n_trials=20, callbacks=[budget])

    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 4
    assert sum(trial.user_attrs[KG] for trial in study.trials) == pytest.approx(10 * EPOCH_KG)
    assert of_ledgers(place) == pytest.approx(10 * EPOCH_KG), "ledgers and attributes agree"
    assert said(caplog, f"The search {study.study_name} has spent ") == 2, "each share once, and the last with the end"
    assert said(caplog, f"The search {study.study_name} ends. ") == 1
    assert "green_callbacks:stop_reason" in study.trials[-1].user_attrs


def test_a_spent_budget_is_found_before_the_first_trial(place):
    budget = SearchBudget("0.25 kg", project="logs")
    optuna.create_study().optimize(lambda trial: spending(budget, trial, 3), n_trials=9, callbacks=[budget])
    calls = []

    def objective(trial):
        with budget.of(trial, **measured()) as run:
            calls.append(trial.number)
            return train(run, [1.0])

    study = optuna.create_study(study_name="later")
    study.optimize(objective, n_trials=9)  # without the callback

    assert calls == []
    assert [trial.state for trial in study.trials] == [TrialState.PRUNED]
    assert of_ledgers(place) == pytest.approx(0.3), "the last search trained nothing"
    assert study.trials[0].user_attrs[KG] == 0.0
    assert budget.summary(study).trials[0].kg == 0.0


def spending(budget, trial, hours):
    """Train one epoch of some hours, which no budget can foresee."""
    with budget.of(trial, **measured(1000.0 * hours)) as run:
        return train(run, [1.0])


def measured_trial(budget, trial, values=(1.0, 1.0, 1.0)):
    with budget.of(trial, **measured()) as run:
        return train(run, list(values))


def test_a_budget_that_is_spent_inside_the_objective_ends_the_search_and_no_trial_fails(place):
    first, second = SearchBudget("0.25 kg", project="logs"), SearchBudget("0.25 kg", project="logs")

    def objective(trial):
        with first.of(trial, **measured()) as run:
            spending(second, optuna.trial.FixedTrial({}), 3)
            return train(run, [1.0])

    study = optuna.create_study()
    study.optimize(objective, n_trials=9)

    assert [trial.state for trial in study.trials] == [TrialState.PRUNED]


def test_what_failed_and_pruned_and_interrupted_trials_spent_counts_once(place):
    budget = SearchBudget(None, monitor="val_acc")
    study = optuna.create_study(direction="maximize")

    def objective(trial):
        with budget.of(trial, **measured()) as run:
            value = train(run, [0.5, 0.6])
            if trial.number == 0:
                raise RuntimeError
            if trial.number == 1:
                raise optuna.TrialPruned
            if trial.number == 2:
                raise KeyboardInterrupt
            return value

    with pytest.raises(KeyboardInterrupt):
        study.optimize(objective, n_trials=4, catch=[RuntimeError], callbacks=[budget])
    study.optimize(objective, n_trials=1, callbacks=[budget])

    totals = budget.summary(study)
    assert [trial.state for trial in totals.trials] == ["failed", "pruned", "failed", "complete"]
    assert [trial.kg for trial in totals.trials] == pytest.approx([2 * EPOCH_KG] * 4)
    assert totals.kg == pytest.approx(of_ledgers(place))


def test_a_retried_trial_does_not_count_the_trial_that_it_repeats():
    budget = SearchBudget(None)
    study = optuna.create_study(storage="sqlite:///study.db")
    killed = study.ask()
    with suppress(RuntimeError), budget.of(killed, **measured()) as run:
        train(run, [1.0] * 3)
        raise RuntimeError
    study.tell(killed, state=TrialState.FAIL)
    with warnings.catch_warnings(action="ignore"):  # Optuna calls it experimental
        optuna.storages.RetryHeartbeatStaleTrialCallback()(study, study.trials[0])
    assert KG in study.trials[1].user_attrs, "Optuna has copied it"

    study.optimize(lambda trial: measured_trial(budget, trial, [1.0]), n_trials=1, callbacks=[budget])

    assert [trial.kg for trial in budget.summary(study).trials] == pytest.approx([3 * EPOCH_KG, EPOCH_KG])
    assert study.trials[1].user_attrs[KG] == pytest.approx(EPOCH_KG)


def test_a_retried_trial_that_resumes_from_a_checkpoint_counts_both_parts_once(place):
    budget = SearchBudget(None)
    study = optuna.create_study()
    kept = {}

    def objective(trial):
        with budget.of(trial, **measured()) as run:
            if kept:
                run.accountant.load_state_dict(kept)
            value = train(run, [1.0] * (5 if kept else 3))
            if not kept:
                kept.update(copy.deepcopy(run.accountant.state_dict()))
                raise RuntimeError
            return value

    study.optimize(objective, n_trials=2, catch=[RuntimeError], callbacks=[budget])

    assert budget.summary(study).kg == pytest.approx(5 * EPOCH_KG)


def test_the_emissions_are_a_second_objective_and_only_our_pruner_prunes():
    budget = SearchBudget(None, monitor="val_acc")
    study = optuna.create_study(
        directions=["maximize", "minimize"], pruner=KilogramHalvingPruner("0.1 kg", reduction_factor=2)
    )

    def objective(trial):
        with budget.of(trial, **measured()) as run:
            value = train(run, [0.1 * (9 - trial.number)] * 4)
            return value, run.emissions_kg()

    study.optimize(objective, n_trials=4, callbacks=[budget])

    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED", "PRUNED", "PRUNED"]
    assert study.trials[0].values[1] == pytest.approx(4 * EPOCH_KG)
    assert study.trials[0].values[1] == study.trials[0].user_attrs[KG]
    assert study.trials[1].user_attrs["green_callbacks:stop_reason"].startswith("Trial 1 is pruned at 100 g. ")


def test_an_accountant_that_the_objective_forgets_is_said_once(caplog):
    budget = SearchBudget("1 kg")
    study = optuna.create_study()

    def objective(trial):
        with budget.of(trial, **measured()):
            return 1.0

    study.optimize(objective, n_trials=3, callbacks=[budget])

    assert said(caplog, "Trial 0 was not measured, so its emissions count in no budget. ") == 1
    assert said(caplog, "was not measured") == 1
    assert budget.summary(study).trials[0].kg is None
    with pytest.raises(SourceUnavailableError), budget.of(study.ask(), **measured()) as run:
        run.emissions_kg()


def test_a_trial_without_a_block_is_said_once(caplog):
    budget = SearchBudget("9 kg")
    study = optuna.create_study()
    study.optimize(lambda trial: train(budget.of(trial, **measured()), [1.0]), n_trials=3, callbacks=[budget])

    assert said(caplog, "Trial 0 did not end its run") == 1
    assert said(caplog, "did not end its run") == 1


def test_a_package_that_is_switched_off_leaves_the_search_alone(monkeypatch, place):
    monkeypatch.setenv("GREEN_CALLBACKS_DISABLE", "1")
    budget = SearchBudget("0.1 kg", monitor="val_acc")
    study = optuna.create_study(direction="maximize", pruner=KilogramHalvingPruner())
    study.optimize(lambda trial: measured_trial(budget, trial), n_trials=4, callbacks=[budget])

    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 4
    assert ledgers(place) == []


def test_a_folder_that_cannot_be_written_ends_no_search():
    budget = SearchBudget(None, project="/proc/green-callbacks")
    study = optuna.create_study()
    study.optimize(lambda trial: measured_trial(budget, trial), n_trials=2, callbacks=[budget])

    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 2
    assert [trial.user_attrs[KG] for trial in study.trials] == pytest.approx([0.3, 0.3])


def test_emissions_that_nobody_measured_are_no_objective():
    budget = SearchBudget(None)
    study = optuna.create_study(directions=["maximize", "minimize"])

    def objective(trial):
        with budget.of(trial, sources=[], sinks=[]) as run:
            return train_nothing(run), run.emissions_kg()

    with pytest.raises(SourceUnavailableError, match="No energy of trial 0 was measured"):
        study.optimize(objective, n_trials=2)
    assert study.trials[0].user_attrs[KG] is None
    assert budget.summary(study).trials[0].kg is None


def train_nothing(run):
    for _ in run.accountant.epochs(1):
        run.accountant.observe({"val_acc": 0.5})
    return 0.5


def test_the_ledger_says_that_and_why_a_trial_was_pruned(place):
    budget = SearchBudget(None, monitor="val_acc")
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(n_startup_trials=1))
    values = [[0.5, 0.6, 0.7], [0.4, 0.3, 0.2]]
    study.optimize(lambda trial: measured_trial(budget, trial, values[trial.number]), n_trials=2, callbacks=[budget])

    assert study.trials[1].state is TrialState.PRUNED
    reasons = [read_ledger(path).stop_reason for path in ledgers(place)]
    assert reasons == [None, "Trial 1 is pruned by MedianPruner after epoch 0, at val_acc 0.4000."]
    labels = [read_ledger(path).labels for path in ledgers(place)]
    assert labels == [{"study": study.study_name, "trial": "0"}, {"study": study.study_name, "trial": "1"}]


def test_threads_share_the_budget_and_every_trial_counts_itself(place):
    budget = SearchBudget("2 kg")
    study = optuna.create_study()
    study.optimize(lambda trial: measured_trial(budget, trial), n_trials=12, n_jobs=4, callbacks=[budget])

    assert not [thread for thread in threading.enumerate() if "green_callbacks" in thread.name and thread.is_alive()]
    assert sum(trial.user_attrs.get(KG) or 0.0 for trial in study.trials) == pytest.approx(of_ledgers(place))
    assert {trial.state.name for trial in study.trials} <= {"COMPLETE", "PRUNED"}


def test_ask_and_tell_learns_that_the_budget_is_spent():
    budget = SearchBudget("0.25 kg")
    study = optuna.create_study()
    asked = 0
    while budget.why_spent(study) is None and asked < 9:
        trial = study.ask()
        asked += 1
        try:
            study.tell(trial, measured_trial(budget, trial, [1.0] * 2))
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)

    assert 1 <= asked <= 3
    assert budget.summary(study).kg == pytest.approx(2 * EPOCH_KG)
    assert "of the budget of 250 g" in budget.why_spent(study)


def test_the_best_trial_can_be_trained_again(place):
    budget = SearchBudget(None, monitor="val_acc")
    study = optuna.create_study(direction="maximize")
    objective = lambda trial: measured_trial(budget, trial, [0.5])  # noqa: E731
    study.optimize(objective, n_trials=1)

    assert objective(study.best_trial) == 0.5
    assert objective(optuna.trial.FixedTrial({})) == 0.5
    assert len(ledgers(place)) == 3


def test_policies_of_the_user_and_of_each_trial_hold_too():
    budget = SearchBudget("9 kg", policies=[lambda history, plan: False])
    study = optuna.create_study()

    def objective(trial):
        with budget.of(trial, **measured(policies=[lambda history, plan: history.finished_epochs >= 2])) as run:
            return train(run, [1.0] * 5)

    study.optimize(objective, n_trials=2, callbacks=[budget])
    assert [trial.user_attrs[KG] for trial in study.trials] == pytest.approx([2 * EPOCH_KG] * 2)


def test_a_metric_that_improves_against_the_objective_is_said_once(caplog):
    budget = SearchBudget(None, monitor="val_loss")
    study = optuna.create_study(direction="maximize")
    study.optimize(lambda trial: measured_trial(budget, trial), n_trials=2)

    assert said(caplog, "val_loss improves the other way") == 1


def test_an_away_storage_costs_attributes_and_no_trial(monkeypatch, caplog, place):
    budget = SearchBudget("9 kg")
    study = optuna.create_study()

    def fail(*_):
        raise OSError(5, "away")

    monkeypatch.setattr(optuna.Trial, "set_user_attr", fail)
    study.optimize(lambda trial: measured_trial(budget, trial), n_trials=2, callbacks=[budget])

    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 2
    assert said(caplog, "could not be written to the storage") == 2
    assert of_ledgers(place) == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"budget": "2 lb"}, "Cannot read"),
        ({"budget": 1, "ledger": "a.jsonl"}, "project="),
        ({"budget": 1, "labels": {"trial": "7"}}, "sets the label 'trial' itself"),
        ({"budget": 1, "project": "logs/*"}, "is a pattern"),
        ({"budget": CarbonBudget(1, project="a"), "project": "b"}, "in one place"),
        ({"budget": 1, "location": 5}, "location"),
    ],
)
def test_options_that_cannot_work_are_refused_before_the_first_trial(options, what):
    with pytest.raises(ConfigurationError, match=what):
        SearchBudget(**options)


def test_names_of_studies_become_names_of_folders(place):
    budget = SearchBudget(None)
    names = ["a/b", "a_b", "../x", "a*[b]", ".hidden", "x" * 300]
    studies = [optuna.create_study(study_name=name) for name in names]
    folders = [budget.folder(study) for study in studies]

    assert len(set(folders)) == len(names)
    assert all(folder.parent == place / "green-callbacks" and not folder.name.startswith(".") for folder in folders)
    studies[-1].optimize(lambda trial: measured_trial(budget, trial), n_trials=1)
    assert len(ledgers(place)) == 1
