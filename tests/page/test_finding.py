"""Ledgers are found where TensorBoard finds runs, each once, whatever else lies there."""

import os
from pathlib import Path

import pytest

from green_callbacks.ledger.format import HEAD
from green_callbacks.page import finding
from green_callbacks.page.finding import LedgerFinder, key_of

BEGIN = HEAD + b'1,"run_id":"a","version":"0.1.0"}\n'


def ledger(path: Path, content: bytes = BEGIN) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def found(folder: Path) -> list[str]:
    return sorted(each.relative for each in LedgerFinder(folder).find().ledgers)


def said(folder: Path) -> str:
    return " ".join(LedgerFinder(folder).find().said)


def test_ledgers_lie_in_any_folder_and_have_any_name(tmp_path):
    ledger(tmp_path / "a.jsonl")
    ledger(tmp_path / "lightning_logs/version_0/green-callbacks/run.jsonl")
    ledger(tmp_path / "checkpoints/exp/own name.jsonl")
    ledger(tmp_path / ".hidden/b.jsonl")
    assert found(tmp_path) == [
        ".hidden/b.jsonl",
        "a.jsonl",
        "checkpoints/exp/own name.jsonl",
        "lightning_logs/version_0/green-callbacks/run.jsonl",
    ]
    assert said(tmp_path) == ""


def test_other_files_and_folders_of_tools_are_passed_over(tmp_path):
    for name in ("data.jsonl", "empty.jsonl", "torn.jsonl"):
        (tmp_path / name).write_bytes({"data.jsonl": b'{"text": 1}\n', "torn.jsonl": HEAD[:5]}.get(name, b""))
    ledger(tmp_path / "run.json")
    ledger(tmp_path / ".git/a.jsonl")
    ledger(tmp_path / "node_modules/a.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert found(tmp_path) == []
    assert said(tmp_path) == ""


def test_an_empty_file_becomes_a_ledger_once_its_head_is_written(tmp_path):
    finder = LedgerFinder(tmp_path)
    path = ledger(tmp_path / "a.jsonl", b"")
    assert not finder.find().ledgers
    path.write_bytes(BEGIN)
    assert len(finder.find().ledgers) == 1


def test_links_are_followed_once_each_and_loops_end(tmp_path):
    outside = tmp_path / "outside"
    ledger(outside / "run/a.jsonl")
    logs = tmp_path / "logs"
    ledger(logs / "here/b.jsonl")
    (logs / "linked").symlink_to(outside)
    (logs / "again").symlink_to(outside / "run")
    (logs / "here/up").symlink_to(logs)
    (logs / "self").symlink_to(logs / "self")
    (logs / "nowhere").symlink_to(tmp_path / "nowhere")
    (logs / "b.jsonl").symlink_to(logs / "here/b.jsonl")
    (logs / "hard.jsonl").hardlink_to(outside / "run/a.jsonl")
    (logs / "gone.jsonl").symlink_to(tmp_path / "gone.jsonl")
    assert found(logs) == ["hard.jsonl", "here/b.jsonl"]
    assert said(logs) == ""


def test_a_linked_run_has_the_name_of_the_link(tmp_path):
    ledger(tmp_path / "store/7f/a.jsonl")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/best").symlink_to(tmp_path / "store/7f")
    (tmp_path / "logs/one.jsonl").symlink_to(ledger(tmp_path / "store/b.jsonl"))
    assert found(tmp_path / "logs") == ["best/a.jsonl", "one.jsonl"]


def test_a_linked_log_folder_is_searched(tmp_path):
    ledger(tmp_path / "store/a.jsonl")
    (tmp_path / "logs").symlink_to(tmp_path / "store")
    assert found(tmp_path / "logs") == ["a.jsonl"]


@pytest.mark.parametrize("name", ["missing", "zero\0byte"])
def test_a_missing_folder_is_said(tmp_path, name):
    assert "There is no folder" in said(tmp_path / name)


def test_a_file_in_place_of_a_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    assert said(tmp_path / "file").endswith("file is not a folder. Name the folder of the runs.")


def test_what_this_user_may_not_read_is_said(tmp_path, monkeypatch):
    ledger(tmp_path / "open/a.jsonl")
    for name in ("b", "c", "d"):
        (tmp_path / name).mkdir()
    real = os.scandir

    def scandir(path):
        if Path(path).name in "bcd":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    search = LedgerFinder(tmp_path).find()
    assert len(search.ledgers) == 1
    (sentence,) = search.said
    assert "and 1 other folder" in sentence
    assert "may not look there" in sentence


def test_a_closed_file_is_said(tmp_path, monkeypatch):
    path = ledger(tmp_path / "a.jsonl")
    monkeypatch.setattr(finding, "is_ledger", lambda _path: False)
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    assert "No run is shown from a.jsonl" in said(path.parent)


def test_a_disk_that_fails_is_said(tmp_path, monkeypatch):
    (tmp_path / "bad").mkdir()
    real = os.scandir

    def scandir(path):
        if Path(path).name == "bad":
            raise OSError(5, "Input/output error")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert "bad (Input/output error)" in said(tmp_path)


@pytest.mark.parametrize("bound", ["_MAX_FOLDERS", "_MAX_ENTRIES", "_MAX_LEDGERS"])
def test_a_search_has_bounds_and_says_so(tmp_path, monkeypatch, bound):
    for number in range(6):
        ledger(tmp_path / f"run{number}/a.jsonl")
    monkeypatch.setattr(finding, bound, 3)
    search = LedgerFinder(tmp_path).find()
    assert len(search.ledgers) <= 3
    assert "Choose a folder further down" in " ".join(search.said)


def test_a_very_deep_folder_is_left_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(finding, "_MAX_DEPTH", 3)
    ledger(tmp_path / "1/2/3/4/a.jsonl")
    ledger(tmp_path / "1/2/3/b.jsonl")
    assert found(tmp_path) == ["1/2/3/b.jsonl"]
    assert "more than 3 levels down" in said(tmp_path)


def test_only_new_and_changed_files_are_opened(tmp_path, monkeypatch):
    path = ledger(tmp_path / "a.jsonl")
    (tmp_path / "data.jsonl").write_text("{}\n")
    finder = LedgerFinder(tmp_path)
    opened = []
    monkeypatch.setattr(finding, "is_ledger", lambda path: opened.append(path.name) or path.name == "a.jsonl")
    first = finder.find().ledgers
    assert sorted(opened) == ["a.jsonl", "data.jsonl"]
    assert finder.find().ledgers == first
    assert len(opened) == 2
    with path.open("ab") as file:
        file.write(b"\n")
    assert finder.find().ledgers != first
    assert len(opened) == 3


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "a\nb", "\u202eabc", "ü" * 60, "'\"&;"])
def test_hostile_names_are_found_and_have_plain_keys(tmp_path, name):
    ledger(tmp_path / name / "a.jsonl")
    (only,) = LedgerFinder(tmp_path).find().ledgers
    assert only.relative == f"{name}/a.jsonl"
    assert only.key.isalnum()


def test_names_that_are_no_text_are_found(tmp_path):
    ledger(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")) / "a.jsonl")
    (only,) = LedgerFinder(tmp_path).find().ledgers
    assert only.key.isalnum()


def test_keys_stay_the_same():
    assert key_of("logs/a.jsonl") == key_of("logs/a.jsonl") != key_of("logs/b.jsonl")
