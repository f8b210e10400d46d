"""A run has the name of TensorBoard where TensorBoard knows it."""

from pathlib import Path

import pytest

from green_callbacks.page.collection import CollectedRun
from green_callbacks.page.finding import FoundLedger, Stamp, key_of
from green_callbacks.page.naming import names_of


def run(relative: str) -> CollectedRun:
    return CollectedRun(FoundLedger(Path("/logs", relative), relative, key_of(relative), Stamp(1, 2, 3, 4, 5)))


def names(relatives: list[str], known: set[str] = frozenset()) -> list[str]:
    found = names_of([run(each) for each in relatives], known)
    return [found[key_of(each)] for each in relatives]


@pytest.mark.parametrize(
    ("relative", "known", "name"),
    [
        ("exp/green-callbacks/r1.jsonl", {"exp/r1", "exp", "exp/green-callbacks/r1"}, "exp/r1"),
        ("exp/green-callbacks/r1.jsonl", {"exp", "exp/green-callbacks/r1"}, "exp"),
        ("exp/green-callbacks/r1.jsonl", {"exp/green-callbacks/r1"}, "exp/green-callbacks/r1"),
        ("exp/green-callbacks/r1.jsonl", {"other"}, "exp"),
        ("green-callbacks/r1.jsonl", {"r1", "."}, "r1"),
        ("green-callbacks/r1.jsonl", {"."}, "."),
        ("green-callbacks/r1.jsonl", {"green-callbacks/r1"}, "green-callbacks/r1"),
        ("green-callbacks/r1.jsonl", set(), "r1"),
        ("exp/ledger.jsonl", {"exp"}, "exp"),
        ("a/b/c.jsonl", set(), "a/b"),
    ],
)
def test_the_first_name_that_tensorboard_knows(relative, known, name):
    assert names([relative], known) == [name]


def test_several_ledgers_of_an_unknown_folder_have_their_own_names():
    assert names(["exp/green-callbacks/r1.jsonl", "exp/green-callbacks/r2.jsonl"]) == ["exp/r1", "exp/r2"]


def test_several_ledgers_of_one_known_run_are_told_apart():
    assert names(["exp/green-callbacks/r1.jsonl", "exp/r2.jsonl"], {"exp"}) == ["exp (r1)", "exp (r2)"]


def test_no_two_runs_have_one_name():
    found = names(["exp/green-callbacks/r1.jsonl", "exp/r1.jsonl"], {"exp"})
    assert len(set(found)) == 2
