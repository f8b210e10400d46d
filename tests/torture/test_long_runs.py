"""Short versions of the long runs of ``make torture``."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import long_runs


@pytest.fixture(scope="module")
def long():
    return long_runs.measured("epochs", 20_000)


def test_a_decision_costs_the_same_late_in_a_run(long):
    assert long["last / first"] < 3  # 1.2 is promised where nothing else runs; it was 6 here before


def test_a_long_run_is_all_there_and_a_checkpoint_of_it_stays_small(long):
    assert long["epochs missing or doubled"] == 0
    assert long["state as JSON, MB"] < 5
    assert long["ledger, bytes an epoch"] < 1200
    assert long["memory, MB"] < 120


def test_steps_cost_no_memory():
    found = long_runs.measured("steps", 300_000)
    assert found["parts"] == 10
    assert found["memory, MB"] < 20


def test_an_epoch_of_very_many_validations_ends_at_once():
    assert long_runs.measured("validations", 50_000)["end_epoch(), s"] < 0.3
