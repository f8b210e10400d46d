"""The command ``compare`` at the same energy, from ledgers."""

import json
import re
import shutil

import pytest
from support.runs import scripted, train

from green_callbacks import Plan
from green_callbacks.cli import main

pytest.importorskip("scipy")

QUALITY = {"trick": (12, 0.8), "full": (24, 0.85), "fewer": (12, 0.7), "faster": (12, 0.8)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three runs of each method, labeled. A whole run of 12 epochs takes 60 Wh."""
    folder = tmp_path_factory.mktemp("runs")
    for method, (epochs, top) in QUALITY.items():
        for seed in range(3):
            labels = {"method": method, "seed": str(seed)}
            path, plan = folder / method / f"{seed}.jsonl", Plan(epochs=epochs, anneals=True)
            accountant, clock = scripted(ledger=path, labels=labels, plan=plan, watts=300.0 + seed)
            accountant.start()
            end = top + 0.005 * (seed + (method == "trick") * (seed == 1))
            train(
                accountant, clock, range(epochs), seconds=60.0, metrics=lambda at, end=end: {"val_acc": end - 0.5**at}
            )
            accountant.close()
    return folder


@pytest.fixture
def compare(runs, capsys):
    def run(*arguments):
        status = main(["compare", *(str(runs / each) if each in QUALITY else str(each) for each in arguments)])
        captured = capsys.readouterr()
        return status, re.sub(r"\s+", " ", captured.out), captured.err

    return run


def test_a_trick_must_beat_both_rows(compare):
    rows = ("--reference", "fewer", "--reference", "faster")
    status, out, err = compare("trick", "--against", "full", *rows)
    assert (status, err) == (0, "")
    assert "At the same energy, 60.2 Wh, the smallest median total of a group" in out
    assert "trick beats fewer at the same energy, by 0.102 of val_acc" in out
    assert "trick is not shown to beat faster. As far as these runs tell, training for less does as well." in out
    assert "full is read at 50 % of its spending, while its learning rate was still to fall." in out
    assert "The planned epochs differ. trick has 12 and full has 24." in out


def test_labels_name_groups_and_the_other_side_may_be_the_row(compare, runs):
    methods = ("method=trick", "--against", "method=fewer", "--reference", "method=fewer")
    status, out, _ = compare(runs, *methods, "--monitor", "val_acc")
    assert status == 0
    assert "method=fewer (reference)" in out
    assert "method=trick beats method=fewer" in out


def test_a_reference_alone_is_enough(compare):
    status, out, _ = compare("trick", "--reference", "fewer", "--monitor", "val_acc", "--at", "20 g")
    assert status == 0
    assert "At the same emissions, 20.0 g CO2e " in out


def test_beside_a_quality_to_reach_and_a_gate(compare):
    reach = ("--reach", "val_acc=0.6", "--at-equal-energy")
    status, out, _ = compare("trick", "--against", "full", *reach)
    assert status == 0
    assert out.index("What it took to reach") < out.index("At the same energy")
    assert "No row of reference was given" in out
    status, out, err = compare("trick", "--against", "full", *reach, "--gate", "+900 %", "--undecided", "pass")
    assert (status, "At the same energy" in out, "At the same energy" in err) == (0, False, True)


def test_json_holds_the_rows(compare):
    options = ("--at-equal-energy", "--monitor", "val_acc", "--format", "json")
    status, out, _ = compare("trick", "--against", "full", "--reference", "fewer", *options)
    found = json.loads(out)["same_amount"]
    assert status == 0
    assert [row["name"] for row in found["groups"]] == ["trick", "full", "fewer"]
    assert [row["is_reference"] for row in found["groups"]] == [False, False, True]
    assert {row["verdict"] for row in found["differences"]} <= {"beats", "loses", "open"}


def test_json_of_both_comparisons(compare):
    options = ("--reach", "val_acc=0.6", "--at-equal-energy", "--format", "json")
    _, out, _ = compare("trick", "--against", "full", *options)
    assert {"reach", "sides", "same_amount"} <= set(json.loads(out))


def test_a_run_in_two_groups_is_refused(compare, runs):
    rows = ("--reference", "fewer", runs / "trick" / "0.jsonl")
    status, _, err = compare("trick", *rows, "--monitor", "val_acc")
    assert status == 2
    assert "is on both sides, " in err


def test_no_other_runs_are_refused(compare):
    status, _, err = compare("trick", "--at-equal-energy", "--monitor", "val_acc")
    assert status == 2
    assert "A comparison needs other runs. Name them with --against" in err


def test_an_amount_that_nobody_spent_compares_nothing(compare):
    status, out, _ = compare("trick", "--against", "full", "--at", "5 kWh", "--monitor", "val_acc")
    assert status == 0
    assert "Fewer than two groups have a value at 5.00 kWh, so nothing is compared." in out


def test_groups_with_the_same_folder_name_are_told_apart(compare, runs, tmp_path):
    shutil.copytree(runs / "fewer", tmp_path / "full")
    status, out, _ = compare("trick", "--against", "full", "--reference", tmp_path / "full", "--monitor", "val_acc")
    assert status == 0
    assert f"{str(tmp_path)[:40]}" in out


def test_a_picture(compare, tmp_path):
    picture = tmp_path / "curves.svg"
    compare("trick", "--reference", "fewer", "--monitor", "val_acc", "--plot", picture)
    drawn = picture.read_text(encoding="utf-8")
    assert "<!-- fewer (reference, 3 runs) -->" in drawn
    assert "Energy of the computers (Wh)" in drawn


def test_a_ledger_is_no_picture(compare, runs, tmp_path):
    link = tmp_path / "curves.svg"
    link.symlink_to(runs / "trick" / "0.jsonl")
    status, _, err = compare("trick", "--reference", "fewer", "--monitor", "val_acc", "--plot", link)
    assert status == 2
    assert "is the ledger of a run, which must not be overwritten" in err
