import re
import runpy
from pathlib import Path

import pytest

from green_callbacks import read_ledger

pytestmark = pytest.mark.filterwarnings("ignore")  # of Ray and Lightning themselves
EXAMPLES = Path(__file__).parents[3] / "examples"


def main_of(name):
    """The main function of an example, which Ray pickles as if the example were the program."""
    return runpy.run_path(str(EXAMPLES / name), run_name="example")["main"]


def test_the_example_of_ray_train_is_one_run_on_two_workers(cluster, tmp_path, capsys):
    main_of("ray_train_lightning.py")()

    printed = capsys.readouterr().out
    (ledger,) = tmp_path.glob("**/*.jsonl")
    history = read_ledger(ledger).history
    assert f"ledger {ledger}" in printed
    assert [record.epoch for record in history if record.epoch is not None] == [0, 1, 2, 3]
    assert {record.samples for record in history if record.epoch is not None} == {4000}, "of both workers together"
    milligrams = float(re.search(r"4 epochs, ([\d.]+) mg CO2e", printed)[1])
    assert 0 < milligrams <= 1e6 * history.emissions_kg * 1.01


def test_the_example_of_ray_tune_keeps_its_budget(cluster, tmp_path, capsys):
    main_of("ray_tune_search.py")()

    printed = capsys.readouterr().out
    trials, spent = re.search(r"^(\d+) trials? ha\w+ spent ([\d.]+) J of 150 J", printed, re.MULTILINE).groups()
    assert 1 <= int(trials) < 20
    assert float(spent) <= 150 * 1.05
    ledgers = {path.stem: read_ledger(path) for path in (tmp_path / "green-callbacks").glob("*.jsonl")}
    assert all(contents.head.labels["ray_trial"] == trial for trial, contents in ledgers.items())
    assert "best val_acc" in printed
