"""``green-callbacks replay`` and ``summary`` with landings, on ledgers of runs at 5 g an epoch."""

import re

import pytest
from support.landing_runs import budget, flat, gain, landed

from green_callbacks import read_ledger, replay
from green_callbacks.records import Plan

RULE = "marginal-gain:val_acc,landing=0.2"


@pytest.fixture
def run(tmp_path):
    """Write the ledger of a run."""

    def write(policy=None, name="run", **options):
        path = tmp_path / "runs" / f"{name}.jsonl"
        landed(policy, ledger=path, **options)
        return path

    return write


def fields(out):
    """The lines by their label, each unwrapped."""
    found, label = {}, ""
    for line in out.splitlines():
        label = line.split(" ")[0] or label
        found[label] = f"{found.get(label, '')} {line.removeprefix(label).strip()}".strip()
    return found


def rising(epoch):
    """Flattens, and rises once more after the landing would have begun."""
    return {"val_acc": 0.5 if epoch == 0 else 0.9 if epoch < 12 else 0.95}


def test_a_landing_is_shown_from_its_beginning_to_its_end(command, run):
    path = run(metrics=rising)

    status, out, err = command("replay", path, "--policy", RULE)

    told, found = fields(out), replay(read_ledger(path).history, gain(), Plan(epochs=40))
    assert (status, err) == (0, "")
    assert (found.begins.epoch, found.record.epoch) == (11, 14)
    assert told["Rule"].startswith(RULE)
    assert told["Stop"].startswith("After 15 of 40 epochs. More training no longer pays.")
    assert told["Landing"] == (
        "Begins after 12 of 40 epochs. The learning rate then goes linearly to zero until the stop."
    )
    assert told["Saved"] == "125 Wh, 125 g CO2e and 25 min 0 s, 63 % of the emissions"
    assert told["Lost"] == (
        "not known, because the recorded run did not land there. The best value before the landing is val_acc 0.9000. "
        "The best value of the whole run is val_acc 0.9500"
    )


def test_a_budget_lands_inside_epochs_of_which_a_ledger_knows_only_the_ends(command, run):
    told = fields(command("replay", run(), "--policy", "budget=62 g,landing=0.1")[1])

    assert told["Stop"] == "In epoch 13 of 40, counted from 1. The budget of 62.0 g would end the run."
    assert told["Landing"].startswith("Begins in epoch 12 of 40, counted from 1.")
    assert told["Landing"].endswith("so the savings are counted from such an end.")
    assert told["Saved"].startswith("at least 135 Wh, 135 g CO2e")
    assert told["Lost"].startswith("not known")


def test_a_budget_whose_whole_landing_lies_in_one_epoch_says_so(command, run):
    told = fields(command("replay", run(), "--policy", "budget=64 g,landing=0.01")[1])

    assert told["Stop"].startswith("In epoch 13 of 40")
    assert told["Landing"].startswith("Begins in epoch 13 of 40")


def test_a_landing_of_less_than_a_step_is_none(command, run):
    told = fields(command("replay", run(steps=1), "--policy", "budget=64 g,landing=0.01")[1])

    assert told["Stop"].startswith("After 13 of 40 epochs.")
    assert "Landing" not in told


@pytest.mark.parametrize("steps", [3, 7, 10, 40])
@pytest.mark.parametrize(
    ("policy", "rule"),
    [(gain(), RULE), (gain(landing=0.05), f"{RULE[:-3]}0.05"), (budget(), "budget=62 g,landing=0.1")],
    ids=["gain", "short", "budget"],
)
def test_what_a_replay_says_is_what_the_run_does(command, run, policy, rule, steps):
    accountant, _ = landed(policy, steps=steps)
    told = fields(command("replay", run(steps=steps), "--policy", rule)[1])

    begin, last = accountant.landing.epoch + 1, accountant.history[-1].epoch + 1
    assert re.match(rf"Begins (after|in epoch) {begin} of 40", told["Landing"])
    assert re.match(rf"(After|In epoch) {last} of 40", told["Stop"])


@pytest.mark.parametrize(
    ("policy", "rule"), [(gain(), RULE), (budget(), "budget=62 g,landing=0.1")], ids=["gain", "budget"]
)
def test_a_run_that_landed_itself_loses_nothing(command, run, policy, rule):
    out = command("replay", run(policy, metrics=rising), "--policy", rule)[1]

    assert fields(out)["Lost"].startswith("nothing, because the best value, val_acc 0.9")
    assert fields(out)["Saved"] == "0.00 J, 0.00 mg CO2e and 0.00 s, 0 % of the emissions"
    assert "Landing    Begins" in out
    assert "savings are counted" not in out


def test_a_run_that_landed_is_replayed_like_any_other(command, run):
    out = command("replay", run(gain()), "--policy", "budget=62 g", "--policy", "marginal-gain:val_acc")[1]

    rows = [" ".join(line.split()).partition(" ")[2] for line in out.splitlines()]
    assert "budget=62 g 12 of 15 0.0150 15.0 3 min 0 s 20 % val_acc 0.9000 0" in rows
    assert "marginal-gain:val_acc 12 of 15 0.0150 15.0 3 min 0 s 20 % val_acc 0.9000 0" in rows


def test_a_landing_that_outlasts_the_recorded_run_stops_nothing(command, run):
    path = run(epochs=13, plan=Plan(epochs=40))

    told = fields(command("replay", path, "--policy", RULE)[1])

    assert told["Stop"].startswith("None in 13 epochs, but a landing would begin. More training no longer pays.")
    assert told["Landing"] == "Begins after 12 of 13 epochs. The recorded run ends before the landing does."
    assert "Saved" not in told
    table = command("replay", path, "--policy", RULE, "--policy", "budget=1 kg")[1]
    assert "no stop in 13, lands 12" in table


def test_a_table_shows_where_landings_begin(command, run):
    path = run(metrics=rising)
    out = command("replay", path, "--policy", RULE, "--policy", "budget=62 g,landing=0.1", "--policy", "budget=62 g")[1]

    rows = [" ".join(line.split()).partition(" ")[2] for line in out.splitlines()]
    assert f"{RULE} 15 of 40, lands 12 0.125 125 25 min 0 s 63 % val_acc 0.9000 -" in rows
    assert "budget=62 g,landing=0.1 13 of 40, lands 11 0.135 135 27 min 0 s 68 % val_acc 0.9000 -" in rows
    assert "budget=62 g 12 of 40 0.140 140 28 min 0 s 70 % val_acc 0.9000 0.05" in rows
    assert "So reached is the best value before the landing." in out
    assert "so it saves more" in out
    assert "lands" not in command("replay", path, "--policy", "budget=62 g", "--policy", "budget=70 g")[1]


def test_a_loop_that_could_not_land_is_named(command, run):
    from support.runs import scripted, train

    path = run(gain()).with_name("refused.jsonl")
    accountant, clock = scripted(ledger=path, policies=[gain()], plan=Plan(epochs=40))
    accountant.start()
    train(accountant, clock, range(40), seconds=60.0, metrics=flat)
    accountant.close()
    assert read_ledger(path).plan.landing_refused

    told = fields(command("replay", path, "--policy", RULE)[1])
    assert (
        told["Note"] == "The loop of this run could not scale its learning rate, so the rule stops without a landing."
    )
    assert told["Stop"].startswith("After 12 of 40 epochs. More training no longer pays.")
    assert "Landing" not in told
    table = command("replay", path, "--policy", RULE, "--policy", "budget=62 g")[1]
    assert "The loop of this run could not scale its learning rate" in table


def test_a_run_without_steps_is_counted_by_energy(command, ledger):
    path = ledger("plain", epochs=40, metrics=flat)

    told = fields(command("replay", path, "--policy", RULE, "--epochs", "40")[1])

    assert told["Stop"].startswith("In epoch 15 of 40")
    assert told["Landing"].endswith("counted by its energy. With such a loop, the rule stops at once.")


def test_a_share_that_cannot_be_is_refused(command):
    status, _, err = command("replay", "nowhere.jsonl", "--policy", "budget=5 g,landing=2")
    assert status == 2
    assert "landing" in err


def test_the_summary_of_a_ledger_says_what_a_landing_took(command, run):
    out = " ".join(command("summary", run(gain()))[1].split())
    assert "The learning rate went to zero before the stop. The landing took 3 epochs, 15.0 Wh and 15.0 g CO2e." in out


def test_a_final_test_does_not_hide_the_landing(command, run):
    path = run(metrics=rising).with_name("tested.jsonl")
    accountant, clock = landed(gain(), ledger=path, metrics=rising)
    accountant.start()
    with accountant.phase("test"):
        clock.advance(30.0)
    accountant.close()

    told = fields(command("replay", path, "--policy", RULE)[1])
    assert told["Lost"].startswith("nothing")
    assert told["Saved"].startswith("0.00 J")
    text = " ".join(command("summary", path)[1].split())
    assert "Stopped after 15 epochs in 15 min 30 s. More training no longer pays." in text
    assert "The learning rate went to zero before the stop. The landing took 3 epochs, 15.0 Wh" in text


def test_an_export_knows_a_landing(command, run):
    status, out, _ = command("export", "--format", "methods", run(gain()))
    assert status == 0
    assert "In the last 3 epochs, the learning rate went linearly to zero." in out
