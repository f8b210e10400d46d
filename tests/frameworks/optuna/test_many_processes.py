"""Several processes keep one budget, and no kilogram is lost or counted twice."""

import os
import sqlite3

import pytest
from frameworks.optuna.many_processes import parsed, searched

GENTLE = ["--processes", "3", "--trials", "12", "--seconds", "0.02", "--failing", "0.02"]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["tests", *filter(None, [os.environ.get("PYTHONPATH")])]))


def test_processes_with_a_journal_keep_the_budget(place):
    found = searched(parsed([str(place / "search"), "journal", *GENTLE, "--prunes"]))

    assert found["exit codes"] == [0]
    assert 0.1 <= found["truth"] <= 1.02, "the bar is measured with eight processes and 200 trials"
    assert found["ledgers"] == pytest.approx(found["truth"])
    assert found["attributes"] == pytest.approx(found["truth"])


def test_processes_with_sqlite_of_which_some_are_killed_lose_nothing(place):
    database = place / "study.db"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    found = searched(parsed([str(place / "search"), f"sqlite:///{database}", *GENTLE, "--killed", "0.02"]))

    assert set(found["exit codes"]) <= {0, 9}
    assert found["truth"] <= 1.02
    assert found["ledgers"] <= found["truth"] * (1 + 1e-9)
    assert found["truth"] - found["ledgers"] <= 3 * 0.1, "at most the open epoch of each killed process"
