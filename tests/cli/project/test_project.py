import json
import os
import time

import pytest
from support.registry_contract import told

from green_callbacks.registry import Entry, open_registry

LOGS = "runs"
"""The folder in which the fixture ``ledger`` writes."""


def claim(name, spent=1.0, held=0.0, *, quantity="emissions_kg", project=LOGS, limit=10.0, **options):
    open_registry(None, project, quantity).claim(told(name, spent, held, limit=limit, **options))


def silence(tmp_path, seconds=600.0):
    for path in tmp_path.rglob("budget-*/runs/*.json"):
        then = time.time() - seconds
        os.utime(path, (then, then))


def lines(text):
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.fixture
def project(command):
    """Run ``green-callbacks project``, which must succeed, and return its lines."""

    def run(*argv):
        status, out, err = command("project", *argv)
        assert (status, err) == (0, "")
        return lines(out)

    return run


def test_it_shows_who_spent_and_holds_what(project):
    claim("first", 2.0, 0.5, host="node1")
    claim("second", 4.0, is_ended=True)
    said = project(LOGS)
    assert said[0] == "Project runs"
    assert "Budget 10.0 kg CO2e, as the scripts say" in said
    assert "Spent 6.00 kg CO2e (60 %) by 2 runs" in said
    assert "Held 500 g CO2e for the next epochs of 1 live run" in said
    assert "Left 3.50 kg CO2e" in said
    assert said[-2].startswith("second ended 4,000 - 67 % -")
    assert said[-1].startswith("first live 2,000 500 33 % node1")


def test_dead_runs_are_named(project, tmp_path):
    claim("first", 2.0, 0.5)
    silence(tmp_path)
    said = " ".join(project(LOGS))
    assert "Spent 2.50 kg CO2e (25 %) by 1 run, of which 500 g CO2e was held by sessions that died" in said
    assert "Held nothing, because no run is live" in said
    assert "Dead 1 run fell silent without an end (first). What it held counts as spent." in said
    assert "first dead 2,500 - 100 % - 10 min" in said


def test_ledgers_that_no_registry_knows_count_too(project, ledger):
    ledger("old", epochs=3)
    claim("new", 0.01, limit=0.1)
    said = " ".join(project(LOGS))
    assert "Spent 30.0 g CO2e (30 %) by 2 runs" in said
    assert "Ledgers 1 run only by its ledger" in said
    assert "20.0 g CO2e. The registry learns of them when the next run starts." in said


def test_a_run_that_ended_is_not_counted_by_its_ledger_again(project, ledger):
    path = ledger("old", epochs=3)
    run_id = json.loads(path.read_text().splitlines()[0])["run_id"]
    claim(run_id, 0.01, is_ended=True)
    said = " ".join(project(LOGS))
    assert "Spent 20.0 g CO2e (0.2 %) by 1 run" in said
    assert "Ledgers" not in said


def test_without_a_budget_the_ledgers_tell_what_was_spent(project, ledger, tmp_path):
    ledger("old", epochs=3)
    said = project(LOGS)
    assert "Budget none. Runs with CarbonBudget('2 kg', project='runs') share one." in said
    assert "Spent 20.0 g CO2e by 1 run" in said
    assert said[-1].split()[1:3] == ["ledger", "20.0"]
    assert not list(tmp_path.rglob("budget-*"))


def test_budgets_right_below_the_folder_are_named(project, ledger):
    ledger("old", epochs=3)
    claim("trial", project=f"{LOGS}/digits")
    claim("trial", project=f"{LOGS}/letters")
    assert "Budget none. Runs share one in runs/digits, runs/letters. Name that folder to see it." in project(LOGS)


def test_a_budget_in_a_unit_that_no_script_names_is_said(project, ledger):
    ledger("old", epochs=3)
    said = " ".join(project(LOGS, "--set-budget", "2 kWh"))
    assert "2.00 kWh, set for all runs. No script has named a budget of energy yet" in said


def test_the_budget_is_set_for_all_and_taken_back(project):
    claim("first", 2.0)
    said = project(LOGS, "--set-budget", "3 kg")
    assert "Budget 3.00 kg CO2e, set for all runs. --set-budget none lets the scripts decide again." in said
    assert open_registry(None, LOGS, "emissions_kg").set_limit_now() == 3.0
    assert "Budget 10.0 kg CO2e, as the scripts say" in project(LOGS, "--set-budget", "None")
    assert open_registry(None, LOGS, "emissions_kg").set_limit_now() is None


def test_a_budget_may_be_set_before_the_first_run(project, tmp_path):
    (tmp_path / LOGS).mkdir()
    said = project(LOGS, "--set-budget", "500 Wh")
    assert "Budget 500 Wh, set for all runs. --set-budget none lets the scripts decide again." in said
    assert "Left 500 Wh" in said


@pytest.mark.parametrize(("amount", "reason"), [("0 kg", "above 0"), ("3", "Cannot read '3'"), ("-1 kg", "above 0")])
def test_an_amount_that_can_be_no_budget_is_refused(command, amount, reason):
    claim("first")
    status, out, err = command("project", LOGS, f"--set-budget={amount}")
    assert (status, out) == (2, "")
    assert reason in err
    assert open_registry(None, LOGS, "emissions_kg").set_limit_now() is None


def test_budgets_of_both_quantities_are_shown(project):
    claim("first", 2.0)
    claim("first", 4.0, quantity="facility_kwh", limit=8.0)
    said = project(LOGS)
    assert "Left 8.00 kg CO2e" in said
    assert "Left 4.00 kWh" in said
    assert "run state spent Wh held Wh share host silent" in said


def test_scripts_that_name_different_budgets_are_said(project):
    claim("first", 2.0, limit=3.0)
    claim("second", 2.0, limit=10.0)
    said = " ".join(project(LOGS))
    assert "Budget 3.00 kg CO2e to 10.0 kg CO2e, because the scripts name different amounts." in said
    assert "Left nothing, and 1.00 kg CO2e more is spent or held, to 6.00 kg CO2e" in said


def test_only_the_largest_runs_are_shown(project):
    for at in range(30):
        claim(f"run{at}", 0.1 * at)
    said = project(LOGS)
    assert len(said) < 24
    assert said[-1] == "The 10 largest of 30 runs. --top 30 shows all."
    assert len(project(LOGS, "--top", "30")) == len(said) + 19


def test_dead_runs_are_settled_sooner_on_demand(command):
    claim("first", 2.0, 0.5)
    time.sleep(0.05)
    status, out, err = command("project", LOGS, "--settle-dead", "--silent", "0.01")
    assert status == 0
    assert "1 run settled (first). The 500 g CO2e that it held counts as spent." in err
    assert "dead" in out
    status, _, err = command("project", LOGS, "--settle-dead")
    assert "None has been silent for 3 min 0 s that was not settled before." in err


def test_json_holds_everything(command):
    claim("first", 2.0, 0.5, epoch_cost=0.25, host="node1", ledger="first.jsonl")
    claim("second", 1.0, is_ended=True)
    open_registry(None, LOGS, "emissions_kg").enter([Entry("third", 0.5)])
    status, out, _ = command("project", LOGS, "--json")
    document = json.loads(out)
    (budget,) = document["budgets"]
    assert status == 0
    assert document["project"] == LOGS
    assert {name: budget[name] for name in ("unit", "spent", "held", "left", "largest_limit", "run_count")} == {
        "unit": "kgCO2e",
        "spent": 3.5,
        "held": 0.5,
        "left": 6.0,
        "largest_limit": 10.0,
        "run_count": 3,
    }
    assert [run["state"] for run in budget["runs"]] == ["live", "ended", "entered"]
    assert budget["runs"][0]["epoch_cost"] == 0.25
    assert len(json.loads(command("project", LOGS, "--json", "--top", "1")[1])["budgets"][0]["runs"]) == 1


def test_a_pattern_names_a_project(project, ledger, tmp_path):
    ledger("old", epochs=3)
    pattern = f"{tmp_path}/runs/*.jsonl"
    claim("first", 2.0, project=pattern)
    assert "Budget 10.0 kg CO2e, as the scripts say" in project(pattern)
    assert any(line.startswith("Budget none.") for line in project(LOGS))


def test_the_configured_project_is_the_default(project, monkeypatch, tmp_path):
    claim("first", 2.0)
    monkeypatch.setenv("GREEN_CALLBACKS_PROJECT", str(tmp_path / LOGS))
    assert project()[0] == f"Project {tmp_path / LOGS}"


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        ([], "No project is named"),
        (["nowhere"], "There is no folder nowhere"),
        (["empty"], "neither a shared budget nor a ledger"),
        (["runs", "--project", "x"], "is no URL"),
        (["runs", "--silent", "3"], "Add --settle-dead"),
        (["sqlite:///x.db", "--silent", "3"], "Add --settle-dead"),
        (["mysql://ada:secret@host/db"], "mysql"),
    ],
)
def test_what_cannot_be_is_said(command, tmp_path, argv, reason):
    (tmp_path / "empty").mkdir()
    claim("first")
    status, out, err = command("project", *argv)
    assert (status, out) == (2, "")
    assert reason in err or "green-callbacks[registry]" in err
    assert "secret" not in err


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan", "inf"])
def test_a_silence_that_is_no_time_is_refused(command, seconds):
    with pytest.raises(SystemExit):
        command("project", LOGS, "--settle-dead", f"--silent={seconds}")


def test_hostile_names_are_escaped(command):
    claim("\x1b[2J=cmd", 2.0, host="\x1b[31m")
    _, out, _ = command("project", LOGS)
    assert "\x1b" not in out
    assert "\\x1b[2J=cmd" in out


def test_damaged_ledgers_are_noted(project, ledger):
    path = ledger("old", epochs=3)
    path.with_name("20250101T120000-abcdef.jsonl").write_text("garbage\n")
    said = " ".join(project(LOGS))
    assert "Note 1 of the ledgers cannot be read and do not count." in said
