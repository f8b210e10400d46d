"""The summary of a folder of trials tells what became of the search."""

import pytest

from green_callbacks import EnergyAccountant
from green_callbacks.analysis.searches.outcome import Outcome
from green_callbacks.cli import main
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource


def train(folder, study, number, values, *, stop=None, outcome=None):
    """Train a trial whose epochs take 0.1 kg each."""
    clock = ScriptedClock()
    ledger = folder / f"trial-{number:05d}.jsonl"
    with EnergyAccountant(
        sources=[ScriptedSource(1000.0, name=f"gpu:{number}", clock=clock)],
        clock=clock,
        carbon_intensity=100.0,
        pue=1.0,
        sinks=[],
        ledger=ledger,
        labels={"study": study, "trial": str(number)},
        policies=[lambda history, plan: stop if history.finished_epochs == len(values) else None],
    ) as accountant:
        for epoch in accountant.epochs(len(values) + 1 if stop else len(values)):
            clock.advance(3600.0)
            accountant.observe({"val_acc": values[epoch]})
    if outcome is not None:
        Outcome(study=study, trial=number, state=outcome).write(ledger)


@pytest.fixture
def printed(capsys):
    def summary(*arguments):
        assert main(["summary", *map(str, arguments)]) == 0
        return capsys.readouterr().out

    return summary


def test_a_folder_of_trials_ends_with_the_search(tmp_path, printed):
    train(tmp_path, "digits", 0, [0.5, 0.8, 0.9])
    train(tmp_path, "digits", 1, [0.3], stop="Trial 1 is pruned at 100 g. It is not among the best.")
    train(tmp_path, "digits", 2, [0.6], outcome="failed")
    train(tmp_path, "digits", 3, [0.7, 0.75])

    text = printed(tmp_path)

    (search,) = text.split("\nSearch digits\n")[1:]
    rows = [line.split() for line in search.splitlines()]
    assert ["complete", "2", "500", "g", "250", "g", "71", "%"] in rows
    assert ["pruned", "1", "100", "g", "100", "g", "14", "%"] in rows
    assert ["failed", "1", "100", "g", "100", "g", "14", "%"] in rows
    assert "Trial 0 is the best, with a value of 0.9000. Later trials took 400 g." in search
    assert "Pruning saved about 150 g" in search


def test_many_searches_are_named_and_a_single_run_is_none(tmp_path, printed):
    for study in "abcd":
        (tmp_path / study).mkdir()
        for number in (0, 1):
            train(tmp_path / study, study, number, [0.5])

    assert "trials of 4 searches, such as a, b, c." in printed(tmp_path)
    assert "Search" not in printed(tmp_path / "a" / "trial-00000.jsonl")
    assert "Search a\n" in printed(tmp_path / "a")


def test_a_name_with_control_characters_is_written_safely(tmp_path, printed):
    for number in (0, 1):
        train(tmp_path, "a\x1b[31mb", number, [0.5])
    assert "\x1b" not in printed(tmp_path)
