"""``green-callbacks compare`` where it needs no SciPy: what it refuses, the sides that it takes, and its gate."""

import sys
from pathlib import Path

import pytest

from green_callbacks.cli.compare.gate import parse_gate
from green_callbacks.cli.compare.selection import selections
from green_callbacks.errors import ConfigurationError


@pytest.fixture
def sides(ledger):
    return ledger("new"), "--against", ledger("old")


def test_without_scipy_it_says_what_to_install(command, sides, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    status, out, err = command("compare", *sides, "--reach", "val_acc=0.8")
    assert (status, out) == (2, "")
    assert "pip install 'green-callbacks[compare]'" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--reach", "val_acc"], "Write METRIC=VALUE, such as val_acc=0.92."),
        (["--reach", "val_acc=0.8", "--gate", "five"], 'Write a percentage, such as --gate "+5 %".'),
        (["--reach", "val_acc=0.8", "--gate", "0.05"], "Write 5 % or 0.05 %."),
        (["--gate", "+5 %"], "Name it with --reach"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(command, sides, arguments, sentence):
    status, out, err = command("compare", *sides, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert sentence in err


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("+5 %", 0.05),
        ("5%", 0.05),
        ("5", 0.05),
        (" -10 % ", -0.1),
        ("+ 5 %", 0.05),
        ("\N{MINUS SIGN}10 %", -0.1),
        ("+0 %", 0.0),
        ("0", 0.0),
        ("0.5 %", 0.005),
        ("-99.9 %", -0.999),
        ("1e2", 1.0),
    ],
)
def test_a_gate_is_a_percentage(text, limit):
    assert parse_gate(text) == pytest.approx(limit)


@pytest.mark.parametrize("text", ["", "%", "nan", "inf %", "-100 %", "-300", "5 percent", "0.05", "-0.5", "5,0 %"])
def test_what_is_no_percentage_is_refused(text):
    with pytest.raises(ConfigurationError, match="Write"):
        parse_gate(text)


class TestSides:
    def test_there_are_two(self):
        with pytest.raises(ConfigurationError, match=r"Name the other runs with --against\."):
            selections(["a"], None)
        with pytest.raises(ConfigurationError, match="--against is there 2 times, but only two sides can be compared"):
            selections(["a"], [["b"], ["c"]])

    def test_folders_give_their_names(self, tmp_path):
        for name in ("new", "old"):
            (tmp_path / name).mkdir()
        first, second = selections([str(tmp_path / "new")], [[str(tmp_path / "old")]])
        assert (first.name, second.name) == ("new", "old")
        assert (first.paths, first.labels) == ([tmp_path / "new"], {})

    def test_many_files_give_what_their_names_share(self, tmp_path):
        first, second = (
            selections(*sides)
            for sides in (
                (["runs/new-1.jsonl", "runs/new-2.jsonl"], [["runs/old-1.jsonl", "runs/old-2.jsonl"]]),
                (["new/1.jsonl", "new/2.jsonl"], [["old/1.jsonl", "old/2.jsonl"]]),
            )
        )
        assert [side.name for side in first] == ["new", "old"]
        assert [side.name for side in second] == ["new", "old"]

    def test_names_differ_always(self):
        first, second = selections(["a/run.jsonl"], [["b/run.jsonl"]])
        assert (first.name, second.name) == ("a/run.jsonl", "b/run.jsonl")
        first, second = selections(["a.jsonl"], [["a.jsonl"]])
        assert first.name != second.name

    def test_labels_take_the_paths_of_their_side_or_the_other_or_here(self):
        first, second = selections(["method=new"], [["runs", "method=old", "method=older", "lr=1"]])
        assert (first.paths, second.paths) == ([Path("runs")], [Path("runs")])
        assert (first.labels, second.labels) == ({"method": ["new"]}, {"method": ["old", "older"], "lr": ["1"]})
        assert (first.name, second.name) == ("method=new", "method=old|older lr=1")
        first, second = selections(["method=new"], [["method=old"]])
        assert (first.paths, second.paths) == ([Path()], [Path()])

    def test_a_path_with_a_sign_is_no_label(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("lr=0.1").mkdir()
        first, second = selections(["lr=0.1"], [["runs/lr=0.2", "lr=*.jsonl"]])
        assert (first.labels, second.labels) == ({}, {})
        assert first.paths == [Path("lr=0.1")]
        assert selections(["x" * 5000 + "=1"], [["b"]])[0].labels == {"x" * 5000: ["1"]}

    def test_names_are_safe_to_print(self):
        first, _ = selections(["a\x1b[31m.jsonl"], [["b.jsonl"]])
        assert "\x1b" not in first.name


def test_a_missing_file_is_named(command, ledger, tmp_path):
    pytest.importorskip("scipy")
    status, _, err = command("compare", tmp_path / "none.jsonl", "--against", ledger("old"), "--reach", "val_acc=0.8")
    assert status == 2
    assert "none.jsonl" in err


@pytest.mark.parametrize("empty", ["", " "])
def test_an_unset_variable_is_not_the_working_folder(empty):
    for sides in (([empty], [["b"]]), (["a"], [["b", empty]])):
        with pytest.raises(ConfigurationError, match="is empty, as after a variable that is not set"):
            selections(*sides)
