"""Where people and programs read the energy of a unit of training."""

import csv
import json
from io import StringIO

import pytest
from support.runs import scripted, train
from support.scripted_run import finished, record, run_context

from green_callbacks.cli import main
from green_callbacks.exports import methods
from green_callbacks.ledger import read_ledger
from green_callbacks.ledger.index.ledger_entry import closed_entry, summed_entry
from green_callbacks.records import History, PhaseEnergy
from green_callbacks.sinks import scalars
from green_callbacks.sinks.cumulative_emissions import CumulativeEmissions
from green_callbacks.sinks.trackers.run_facts import totals
from green_callbacks.summary.summary import summarise
from green_callbacks.text.facts import total_facts

PHASES = {"train": PhaseEnergy(3000.0, 6.0), "validation": PhaseEnergy(1000.0, 4.0)}
RATIOS = ("joules_per_step", "joules_per_sample", "joules_per_token", "grams_per_exaflop")


def worked(epoch=0, **fields):
    counts = {"steps": 100, "samples": 6000, "tokens": 60_000, "flops": 1e18}
    return record(epoch, phases=PHASES, **{**counts, **fields})


def shown(history, tmp_path):
    text = summarise(finished(history), run_context(tmp_path, history))
    return " ".join(text.partition("\nData")[2].split("\n\n")[0].split())


def test_the_summary_says_all_that_is_known_and_what_it_counts(tmp_path):
    assert shown(History([worked()]), tmp_path) == (
        "6,000 samples seen, 0.500 J each (0.481 J to 0.519 J). A step took 30.0 J (28.9 J to 31.1 J). A token took "
        "0.0500 J (0.0481 J to 0.0519 J). An exaFLOP took 375 mg (301 mg to 432 mg) CO2e. "
        "This counts the energy of training, not of validation."
    )


def test_the_summary_says_that_samples_are_missing_where_steps_are_known(tmp_path):
    said = shown(History([worked(samples=None, tokens=None, flops=None)]), tmp_path)

    assert said.startswith("The number of samples was not reported. A step took 30.0 J")


def test_the_stream_has_a_key_for_each_ratio_with_its_bounds():
    values = scalars(worked(), emissions_total_kg=0.3)

    assert values["green/joules_per_sample"] == pytest.approx(0.5)
    for name in RATIOS:
        main_key = f"green/{name}" if name == "joules_per_sample" else f"green_detail/{name}"
        assert values[f"green_detail/{name}_low"] < values[main_key] < values[f"green_detail/{name}_high"]
    assert not any("_per_s" in key for key in scalars(record(0), emissions_total_kg=0.3))


def test_the_stream_of_the_last_part_of_an_epoch_has_the_energy_of_all_parts():
    spent = CumulativeEmissions()
    parts = [worked(samples=None, closes_epoch=False), worked()]
    for part in parts:
        spent.add(part)

    values = scalars(parts[-1], 0.3, effort=spent.effort)
    assert values["green/joules_per_sample"] == pytest.approx(1.0)
    assert values["green_detail/joules_per_step"] == pytest.approx(30.0)


def test_trackers_pages_and_papers_have_the_totals():
    history = History([worked()])
    run = finished(history)

    assert totals(run)["green/joules_per_step_total"] == pytest.approx(30.0)
    assert total_facts(run)["training per sample"] == "0.500 J (0.481 J to 0.519 J)"
    assert "Without validation, training took 30.0 J (28.9 J to 31.1 J) per step, 0.500 J" in methods(run, history)


@pytest.fixture
def ledger(tmp_path):
    accountant, clock = scripted(ledger=tmp_path / "run.jsonl", sinks=[], tokens_per_sample=8, samples_per_epoch=50)
    with accountant:
        train(accountant, clock, range(3))
    return tmp_path / "run.jsonl"


def test_both_ends_of_a_ledger_say_what_its_records_say(ledger):
    history = read_ledger(ledger).history

    assert closed_entry(ledger).closing == summed_entry(ledger).closing
    assert closed_entry(ledger).closing.effort == history.effort
    assert history.effort.samples.units == 150


def test_json_and_csv_have_each_ratio_and_its_bounds(ledger, capsys):
    expected = read_ledger(ledger).history.effort.joules_per_token
    assert main(["summary", str(ledger.parent), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)["runs"][0]
    assert main(["summary", str(ledger.parent), "--format", "csv"]) == 0
    row = next(csv.DictReader(StringIO(capsys.readouterr().out)))

    for name in RATIOS:
        assert {name, f"{name}_low", f"{name}_high"} <= told.keys() & row.keys()
    assert (told["joules_per_token"], told["joules_per_token_low"]) == (expected.value, expected.low)
    assert float(row["joules_per_token"]) == expected.value
    assert told["grams_per_exaflop"] is None
    assert row["grams_per_exaflop"] == ""


def test_the_closing_line_of_an_earlier_version_leaves_counted_work_to_the_records(ledger):
    *before, last = ledger.read_bytes().splitlines(keepends=True)
    end = json.loads(last)
    del end["closing"]["effort"]
    end["closing"]["samples_joules"] = 1.0  # which counted the validation, too
    ledger.write_bytes(b"".join(before) + json.dumps(end, separators=(",", ":")).encode() + b"\n")

    assert closed_entry(ledger) is None
    assert summed_entry(ledger).closing.effort == read_ledger(ledger).history.effort
