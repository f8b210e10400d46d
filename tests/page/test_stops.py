"""Where a rule would have stopped a run, with the same figures as the command ``replay``."""

import json
import re

import pytest
from support.landing_runs import budget, flat, gain, landed
from support.runs import scripted, train

from green_callbacks import read_ledger
from green_callbacks.cli import main
from green_callbacks.errors import ConfigurationError
from green_callbacks.page.stops import stop_of
from green_callbacks.records import Plan
from green_callbacks.text.amounts import format_energy, format_mass

RULES = [
    "marginal-gain",
    "marginal-gain,landing=0.2",
    "marginal-gain:val_acc,min_gain_per_kg=0.05,acceptable=0.8",
    "budget=62 g",
    "budget=62 g,landing=0.1",
    "budget=50 Wh",
    "budget=1 kg",
]


def rising(epoch):
    """Flattens, and rises once more after a landing would have begun."""
    return {"val_acc": 0.5 if epoch == 0 else 0.9 if epoch < 12 else 0.95}


@pytest.fixture
def run(tmp_path):
    """Write the ledger of a run of 40 epochs at 5 g each."""

    def write(policy=None, name="run", **options):
        path = tmp_path / "runs" / f"{name}.jsonl"
        landed(policy, ledger=path, **{"metrics": rising, **options})
        return path

    return write


@pytest.fixture
def plain(tmp_path):
    """Write the ledger of a run without steps."""

    def write(metrics=flat, **options):
        path = tmp_path / "runs" / "plain.jsonl"
        accountant, clock = scripted(ledger=path, **{"plan": Plan(epochs=40), **options})
        accountant.start()
        train(accountant, clock, range(40), seconds=60.0, metrics=metrics)
        accountant.close()
        return path

    return write


def stop(path, rule):
    found = stop_of(read_ledger(path), "k", rule)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def replayed(path, rule, capsys):
    """What the command says, by the label of the line."""
    assert main(["replay", str(path), "--policy", rule]) == 0
    told, label = {}, ""
    for line in capsys.readouterr().out.splitlines():
        label = line.split(" ")[0] or label
        told[label] = f"{told.get(label, '')} {line.removeprefix(label).strip()}".strip()
    return told


@pytest.mark.no_cover
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("policy", [None, gain(), budget()], ids=["to the end", "landed", "budget"])
def test_the_page_and_the_command_have_the_same_figures(run, capsys, rule, policy):
    path = run(policy)
    found, told = stop(path, rule), replayed(path, rule, capsys)

    assert told["Rule"].startswith(f"{found['rule']}.")
    assert found["stops"] == ("Saved" in told)
    assert found["text"].endswith(told["Stop"].split(". ", 1)[1].split("epochs. ")[-1])
    if not found["stops"]:
        assert told["Stop"].startswith(f"None in {found['of']} epochs")
        assert (found["epoch"], found["at_g"], found["saved_g"]) == (None, None, 0.0)
        return
    number = int(re.search(r"(?:After|In epoch) (\d+) of", told["Stop"])[1])
    assert number - told["Stop"].startswith("In epoch") <= found["epoch"] <= number
    assert f"{format_energy(found['saved_kwh'])}, {format_mass(found['saved_g'] / 1000)} CO2e" in told["Saved"]
    share = float(re.search(r"([\d.]+) % of the emissions$", told["Saved"])[1])
    assert 100 * found["saved_share"] == pytest.approx(share, abs=0.501)  # the command rounds
    assert found["is_recorded"] == (not told["Lost"].startswith("not known"))
    if found["is_recorded"]:
        assert told["Lost"].startswith(f"{found['lost']:.3g}," if found["lost"] else "nothing")
    assert (found["lands"] is not None) == ("Landing" in told)


def test_an_abrupt_stop_has_the_values_of_the_recorded_run(run):
    found = stop(run(), "budget=62 g")
    assert (found["epoch"], found["of"], found["stops"], found["is_recorded"]) == (12, 40, True, True)
    assert (found["at_g"], found["saved_g"], found["saved_kwh"]) == (60.0, 140.0, 0.14)
    assert (found["saved_share"], found["q"], found["best"]) == (0.7, 0.9, 0.95)
    assert found["lost"] == pytest.approx(0.05)
    assert found["lands"] is None
    assert found["text"].startswith(
        "The rule would stop after 12 of 40 epochs, save 140 g CO2e (70 %) and lose 0.0500 of val_acc. "
    )


def test_a_landing_has_a_beginning_and_no_known_loss(run):
    found = stop(run(), "marginal-gain:val_acc,landing=0.2")
    assert (found["epoch"], found["lands"], found["is_recorded"]) == (15, {"epoch": 12}, False)
    assert (found["q"], found["best"], found["lost"]) == (0.9, 0.95, None)
    assert (found["at_g"], found["saved_g"]) == (75.0, 125.0)
    assert "lose an unknown amount, because this run did not land." in found["text"]


def test_a_landing_that_outlasts_the_run_is_no_stop(run):
    found = stop(run(epochs=13, plan=Plan(epochs=40)), "marginal-gain:val_acc,landing=0.2")
    assert (found["stops"], found["epoch"], found["lands"]) == (False, None, {"epoch": 12})
    assert found["text"].startswith(
        "The rule would not have stopped this run of 13 epochs, but it would begin to land."
    )


def test_a_run_that_landed_itself_is_recorded(run):
    found = stop(run(gain()), "marginal-gain:val_acc,landing=0.2")
    assert (found["stops"], found["is_recorded"], found["saved_g"], found["lost"]) == (True, True, 0.0, 0.0)
    assert found["lands"] == {"epoch": 12}
    assert "lose nothing of val_acc" in found["text"]


def test_of_no_emissions_no_share_is_saved(plain):
    found = stop(plain(carbon_intensity=0.0), "budget=20 Wh")
    assert (found["stops"], found["saved_g"], found["saved_share"]) == (True, 0.0, None)
    assert "(" not in found["text"].split(" and lose")[0]


def test_without_a_metric_the_loss_is_not_known(plain):
    found = stop(plain(metrics=None), "budget=62 g")
    assert (found["q"], found["best"], found["lost"], found["is_recorded"]) == (None, None, None, True)
    assert "and lose an unknown amount of quality." in found["text"]


def test_a_run_without_an_epoch_is_not_stopped(plain):
    path = plain()
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    found = stop(path, "budget=22 g")
    assert (found["stops"], found["of"], found["saved_g"]) == (False, 0, None)


def test_a_rule_needs_a_metric_that_it_can_name(plain):
    path = plain(metrics=lambda epoch: {"accuracy": 0.5, "loss\u202e": 0.1})
    with pytest.raises(ConfigurationError) as refused:
        stop(path, "marginal-gain")
    assert str(refused.value).endswith("has accuracy, loss\\u202e. Name its metric, as in marginal-gain:METRIC.")
    assert stop(path, "marginal-gain:accuracy")["rule"] == "marginal-gain:accuracy"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("", "Cannot read '' as a policy"),
        ("frugality", "Cannot read 'frugality' as a policy"),
        ("budget=12 parsecs", "Cannot read '12 parsecs' as an amount"),
        ("budget=5 g,soft=true", "has no option 'soft'"),
        ("marginal-gain" + "," * 300, "The rule has 313 characters, more than 300"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_in_a_sentence(plain, rule, said):
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        stop(plain(), rule)
