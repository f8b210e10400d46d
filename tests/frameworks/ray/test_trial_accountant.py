from pathlib import Path

import pytest

from green_callbacks import CarbonBudget, EnergyAccountant
from green_callbacks._frameworks.ray import trial_accountant as module
from green_callbacks.accountant.shared_budgets.trial_folder import is_private
from green_callbacks.clock import ScriptedClock
from green_callbacks.ray import totals, trial_accountant
from green_callbacks.sources import ScriptedSource


@pytest.fixture
def in_trial(monkeypatch, tmp_path):
    """Pretend to be in a trial, whose working folder is not that of the worker."""
    (tmp_path / "trial").mkdir()
    monkeypatch.chdir(tmp_path / "trial")
    monkeypatch.setenv("TUNE_ORIG_WORKING_DIR", str(tmp_path))

    def be(trial_id):
        monkeypatch.setattr(module, "_trial_id", lambda: trial_id)

    be("a")
    return be


def options(clock, **more):
    return {"sources": [ScriptedSource(1000.0, clock=clock)], "clock": clock, "sinks": [], "pue": 1.0, **more}


def test_a_trial_has_a_ledger_where_all_trials_have_theirs(in_trial, tmp_path):
    clock = ScriptedClock()
    with trial_accountant(labels={"team": "vision"}, **options(clock)) as accountant:
        accountant.begin_epoch(0)
        clock.advance(3600.0)
        accountant.end_epoch()
    assert accountant.ledger == tmp_path / "green-callbacks" / "a.jsonl"
    assert totals(accountant)["green/facility_energy_total_wh"] == pytest.approx(1000.0)
    assert totals(accountant)["green/run_id"] == accountant.run_id

    again = trial_accountant(**options(clock))
    assert again.run_id == accountant.run_id, "also without a checkpoint"

    in_trial("b")
    clone = trial_accountant(**options(clock))
    clone.load_state_dict(accountant.state_dict())
    assert not clone.history, "the spending of a stays with a"
    with clone:
        assert clone.run_id != accountant.run_id


def test_relative_places_of_a_budget_count_from_the_worker(in_trial, tmp_path):
    budget = CarbonBudget("1 kg", project="green-callbacks", registry="sqlite:///budget.db")
    [moved] = trial_accountant(policies=[budget], sinks=[])._settings.policies
    assert Path(moved.project) == tmp_path / "green-callbacks"
    assert moved.registry == f"sqlite:///{tmp_path}/budget.db"
    for url in ("sqlite:////data/budget.db", "postgresql+psycopg://user:secret@host/name"):
        [kept] = trial_accountant(policies=[CarbonBudget("1 kg", project="/data", registry=url)])._settings.policies
        assert (kept.project, kept.registry) == ("/data", url)


def test_a_budget_that_no_other_trial_finds_is_said(in_trial, tmp_path, caplog):
    assert is_private("green-callbacks")
    assert not is_private(str(tmp_path / "green-callbacks"))
    with EnergyAccountant(policies=[CarbonBudget("1 kg", project="green-callbacks")], **options(ScriptedClock())):
        pass
    assert sum("where no other trial finds it" in each for each in caplog.messages) == 1


def test_outside_of_ray_nothing_is_private():
    assert not is_private("green-callbacks", {})


def test_outside_of_a_trial_the_run_is_ordinary_and_says_so(caplog):
    accountant = trial_accountant(ledger=False)
    assert type(accountant) is EnergyAccountant
    assert "outside a trial" in caplog.text
