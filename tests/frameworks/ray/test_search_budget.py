import logging
import signal
from dataclasses import dataclass

import pytest
from frameworks.ray import trials
from ray import tune
from ray.tune.schedulers import PopulationBasedTraining

from green_callbacks import CarbonBudget, read_ledger
from green_callbacks.errors import ConfigurationError
from green_callbacks.ray import SearchBudget

pytestmark = pytest.mark.filterwarnings("ignore")  # of Ray itself


def tuner(function, folder, *, stop, callbacks, samples, space, **options):
    return tune.Tuner(
        function,
        param_space={"folder": str(folder), **space},
        tune_config=tune.TuneConfig(num_samples=samples, **options.pop("tune", {})),
        run_config=tune.RunConfig(
            name="search", storage_path=str(folder / "storage"), stop=stop, callbacks=callbacks, verbose=0, **options
        ),
    )


class InterruptOnce(tune.Callback):
    """Presses Ctrl-C after some results."""

    def __init__(self, mark, results):
        self.mark, self.results = mark, results

    def on_trial_result(self, iteration, trials, trial, result, **_):
        self.results -= 1
        if self.results == 0 and not self.mark.exists():
            self.mark.touch()
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ledgers").mkdir()
    return tmp_path


def test_a_restored_search_goes_on_with_its_spending_and_keeps_its_budget(cluster, folder, caplog):
    caplog.set_level(logging.INFO, "green_callbacks")
    budget = SearchBudget("0.5 kg")
    space = {"epochs": 15, "kg": tune.uniform(0.008, 0.016)}
    parts = [budget, InterruptOnce(folder / "interrupted", 16)]
    tuner(trials.spend, folder, stop=budget, callbacks=parts, samples=9, space=space).fit()
    before, truly_before = budget.spent, trials.spent_truly(folder)
    assert 0.85 * truly_before <= before <= 0.4, "what a trial was about to report is estimated by its time"

    del budget, parts  # as in a new process, where nothing is known but the files
    again = tune.Tuner.restore(str(folder / "storage" / "search"), trials.spend)
    again.fit()

    spent = trials.spent_truly(folder)
    assert truly_before < 0.4 < spent <= 0.5, "the bar is 1.05 of the budget"
    assert any("trials have spent" in each for each in caplog.messages)
    assert sum("Stopping the search." in each for each in caplog.messages) == 1
    assert not [each for each in caplog.messages if "Pass the same object" in each]
    ledgers = {path.stem: read_ledger(path) for path in (folder / "ledgers").glob("*.jsonl")}
    assert sum(each.history.emissions_kg for each in ledgers.values()) == pytest.approx(spent, rel=0.05)
    for trial_id, contents in ledgers.items():
        assert contents.head.labels["ray_trial"] == trial_id


@pytest.mark.parametrize("is_plain", [False, True])
def test_clones_and_restarted_trials_count_once(cluster, folder, is_plain):
    budget = SearchBudget("9 kg")
    scheduler = PopulationBasedTraining(
        metric="score", mode="max", perturbation_interval=2, hyperparam_mutations={"kg": [0.01, 0.02, 0.03]}
    )
    space = {"epochs": 4, "kg": tune.grid_search([0.01, 0.02, 0.04]), "saves": True, "is_plain": is_plain}
    results = tuner(
        trials.spend,
        folder,
        stop=[tune.stopper.MaximumIterationStopper(7), budget],
        callbacks=[budget],
        samples=1,
        space={**space, "fails_at": 3},
        failure_config=tune.FailureConfig(max_failures=1),
        tune={"scheduler": scheduler},
    ).fit()

    truth = trials.spent_truly(folder)
    assert not results.errors
    assert (folder / "failed").exists()
    assert truth <= budget.spent <= truth + 0.06, "at most what the failed epoch cost, which ended nowhere"
    assert len(budget.spent_by_trial) == 3


def test_energy_of_trials_of_lightning_counts(cluster, folder):
    budget = SearchBudget("0.5 kWh")
    space = {"epochs": 10, "kg": 0.05}
    tuner(trials.train_digits, folder, stop=budget, callbacks=[budget], samples=20, space=space).fit()

    ledgers = [read_ledger(path).history for path in (folder / "ledgers").glob("*.jsonl")]
    assert 0.35 <= sum(each.facility_kwh for each in ledgers) <= 0.5


@dataclass
class Trial:
    trial_id: str
    status: str = "RUNNING"
    latest_checkpoint_result: object = None
    error_file: str | None = None


def test_trials_share_a_budget_with_other_runs_and_a_refused_one_ends_the_search(cluster, folder, caplog):
    budget = SearchBudget("9 kg")
    space = {"epochs": 9, "kg": 0.02, "policies": [CarbonBudget("0.5 kg", project=folder / "ledgers")]}
    results = tuner(trials.spend, folder, stop=budget, callbacks=[budget], samples=8, space=space).fit()

    spent = sum(read_ledger(path).history.emissions_kg for path in (folder / "ledgers").glob("*.jsonl"))
    assert 0.4 <= spent <= 0.51, "two trials at a time, each of 0.18"
    assert trials.spent_truly(folder) == pytest.approx(spent, rel=0.1)
    assert sum("a budget has refused trial" in each for each in caplog.messages) == 1
    assert 1 <= len(results.errors) <= 2, "of four trials that could not start"


def test_a_refused_trial_ends_the_search_and_costs_nothing(tmp_path, caplog):
    (tmp_path / "error.txt").write_text(
        "Failure # 1 (occurred at …)\nray.exceptions.RayTaskError(ValueError): …\nValueError: no\n"
        "Failure # 2 (occurred at …)\n…\ngreen_callbacks.errors.BudgetSpentError: Nothing is left.\n"
    )
    budget = SearchBudget("9 kg")
    budget.setup()
    budget.on_trial_start(1, [], Trial("a"))
    budget("a", result(100.0))
    budget.on_trial_start(1, [], Trial("b"))
    budget.on_trial_error(1, [], Trial("b", "ERROR", error_file=str(tmp_path / "error.txt")))
    assert budget.stop_all()
    assert budget.spent == pytest.approx(0.1)
    assert caplog.messages == ["Stopping the search, because a budget has refused trial b. Nothing is left."]


def test_a_budget_of_a_project_belongs_to_the_trials():
    with pytest.raises(ConfigurationError, match="Give the CarbonBudget to the trials"):
        SearchBudget(CarbonBudget("1 kg", project="logs"))
    assert SearchBudget(CarbonBudget("1 kWh", spent_before=0.25)).left == 0.75


def result(grams=None, iteration=1, **values):
    said = {} if grams is None else {"green/emissions_total_g": grams}
    return {"training_iteration": iteration, **said, **values}


def test_a_budget_in_one_place_only_says_so_once(caplog):
    stopper, callback = SearchBudget("1 kg"), SearchBudget("1 kg")
    for grams in (1.0, 2.0):
        stopper("a", result(grams))
        callback.on_trial_result(1, [], Trial("a"), result(grams))

    assert sum("passed as stop= only" in each for each in caplog.messages) == 1
    assert sum("passed in callbacks= only" in each for each in caplog.messages) == 1
    assert stopper.spent == callback.spent == pytest.approx(0.002)


def test_a_trial_without_totals_is_named_once(caplog):
    budget = SearchBudget("1 kg")
    budget.setup()
    for iteration in (1, 2, 3):
        budget("a", result(loss=1.0, iteration=iteration))
        budget("b", result(float("nan"), iteration=iteration))
        budget("c", result(iteration, iteration=iteration))
    budget("a", {"trial_id": "a", "done": True})

    (message,) = caplog.messages
    assert message.startswith("The results of trial a have no green/emissions_total_g")


@pytest.mark.parametrize("key", ["green/emissions_total_g", "green/emissions_total_kg"])
def test_results_may_be_nested_and_in_kilograms(key):
    budget, amount = SearchBudget("1 kg"), 500.0 if key.endswith("_g") else 0.5
    budget("a", {key: amount})
    budget("b", {"green": {key.removeprefix("green/"): amount / 5}})
    assert budget.spent == pytest.approx(0.6)
    assert budget.spent_by_trial == pytest.approx({"a": 0.5, "b": 0.1})


def test_the_next_epochs_of_running_trials_are_held(caplog):
    budget = SearchBudget("1 kg")
    budget.setup()
    for trial_id in "ab":
        budget.on_trial_start(1, [], Trial(trial_id))
    assert not budget("a", result(200.0)), "0.2 spent, and two epochs of 0.2 fit"
    assert not budget("b", result(200.0))
    assert not budget("a", result(400.0))
    assert budget("b", result(450.0, 3)), "0.85 spent, and another of 0.2 and of 0.25 would not fit"
    assert budget.stop_all()
    assert "150 g of the budget of 1.00 kg are left" in caplog.text
    budget.on_trial_complete(1, [], Trial("b"))
    budget.on_step_end(1, [Trial("a", "TERMINATED")])
    budget.on_experiment_end([])
    assert budget.spent == pytest.approx(0.85, abs=0.45)


def test_what_failed_trials_may_have_spent_since_their_last_report_counts():
    budget = SearchBudget("1 kg")
    budget.setup()
    budget.on_trial_start(1, [], Trial("a"))
    budget("a", result(100.0, time_this_iter_s=1e-9))
    budget.on_trial_error(1, [], Trial("a", "ERROR"))
    assert budget.spent == pytest.approx(0.2)
    assert "Of this, 100 g is expected" in budget.summary()


def test_other_policies_of_stop_do_not_hide_results():
    budget = SearchBudget("1 kg")
    budget.setup()
    both = tune.stopper.CombinedStopper(tune.stopper.MaximumIterationStopper(1), budget)
    both("a", result(300.0))
    budget.on_trial_result(1, [], Trial("a"), result(300.0))
    assert budget.spent == pytest.approx(0.3)
