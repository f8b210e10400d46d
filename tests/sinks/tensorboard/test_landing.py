"""A landing in TensorBoard: in event files of a run that landed."""

from pathlib import Path

import pytest
from support.landing_runs import RATE, budget, gain, landed
from support.scripted_run import record
from support.tensorboard_events import Events, read_events

from green_callbacks.ledger import read_ledger
from green_callbacks.records import Verdict
from green_callbacks.sinks import TensorBoardSink, scalars

CHART = "Factor of the learning rate in a landing"


def shown(folder: Path, policy: object) -> Events:
    """The event files of a run."""
    landed(policy, sinks=[TensorBoardSink(folder)])
    return read_events(folder)


def test_the_factor_goes_from_one_to_zero(tmp_path: Path):
    events = shown(tmp_path, gain())

    assert events.points("green/landing") == [
        (119, 1.0),
        (129, pytest.approx(2 / 3)),
        (139, pytest.approx(1 / 3)),
        (149, 0.0),
    ]


def test_a_budget_that_lands_inside_an_epoch_ends_at_zero(tmp_path: Path):
    points = shown(tmp_path, budget()).points("green/landing")

    assert points == [(119, pytest.approx(4 / 11)), (123, 0.0)]


def test_its_chart_stands_among_the_details(tmp_path: Path):
    titles = list(shown(tmp_path, gain()).layouts[-1])

    assert titles.index(CHART) == titles.index("Gain of the metric per kg CO2e") + 1
    assert CHART in titles[: titles.index("Predicted emissions of the whole run, with range (g CO2e)")]


def test_a_run_without_a_landing_shows_none(tmp_path: Path):
    events = shown(tmp_path, gain(landing=0.0))

    assert "green/landing" not in events.scalars
    assert CHART not in events.layouts[-1]
    assert "| landing |" not in events.pages[-1]


def test_the_page_says_that_the_run_landed(tmp_path: Path):
    page = shown(tmp_path, gain()).pages[-1]

    assert "| landing | the learning rate went to zero. It took 3 epochs, 15.0 Wh and 15.0 g CO2e |" in page


def test_the_main_keys_of_a_landing_are_those_of_all_frameworks():
    told = Verdict(stop=False, code="landing", reason="", values={"green/landing": 0.25})

    assert scalars(record(0, verdicts=(told,)), 1.0)["green/landing"] == 0.25


def test_the_recorded_learning_rate_is_the_rate_that_was_used(tmp_path: Path):
    path = tmp_path / "run.jsonl"
    landed(gain(), ledger=path)

    rates = list(read_ledger(path).history.learning_rates.values)
    assert rates[:12] == [RATE] * 12
    assert rates[12:] == pytest.approx([RATE * 2 / 3, RATE / 3, 0.0])
