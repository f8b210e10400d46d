"""Many ledgers: found once each, whatever else lies in the folders, and summed without reading all."""

import os

import pytest
from support import hostile
from support.sensors import as_nobody

from green_callbacks.ledger import ledgers_of, read_ledger
from green_callbacks.ledger.project_totals import closings_of

WHOLE = b"".join(hostile.whole_ledger())


def ledger(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(WHOLE)
    return path


def test_a_folder_and_the_runs_of_its_subfolders_are_found(tmp_path):
    own = ledger(tmp_path / "a.jsonl")
    run = ledger(tmp_path / "logs" / "version_0" / "green-callbacks" / "b.jsonl")
    named = ledger(tmp_path / "data" / "ledger.jsonl")
    ledger(tmp_path / ".hidden" / "green-callbacks" / "d.jsonl")
    assert ledgers_of(tmp_path) == [own, named, run]
    assert ledgers_of(str(tmp_path)) == [own, named, run]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.jsonl", ["a.jsonl"]),
        ("**/*.jsonl", ["a.jsonl", "x/b.jsonl", "x/y/c.jsonl"]),
        ("x/**/*.jsonl", ["x/b.jsonl", "x/y/c.jsonl"]),
        ("*/*.jsonl", ["x/b.jsonl"]),
        ("x/[bc].jsonl", ["x/b.jsonl"]),
        ("x/y/c.jsonl", ["x/y/c.jsonl"]),
        ("**/**/c.jsonl", ["x/y/c.jsonl"]),
        ("a**.jsonl", ["a.jsonl"]),
        ("nothing/*", []),
        ("nul\0/*", []),
        ("", []),
    ],
)
def test_patterns_are_those_of_the_shell(tmp_path, monkeypatch, pattern, found):
    monkeypatch.chdir(tmp_path)
    for name in ("a.jsonl", "x/b.jsonl", "x/y/c.jsonl", ".d.jsonl", "x/.e.jsonl"):
        ledger(tmp_path / name)
    if pattern:
        assert ledgers_of(str(tmp_path / pattern)) == [tmp_path / name for name in found]
    names = [str(path) for path in ledgers_of(pattern)] if pattern else []
    assert names == found


def test_a_file_counts_once_whatever_links_lead_to_it(tmp_path):
    first = ledger(tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl").symlink_to(first)
    os.link(first, tmp_path / "c.jsonl")
    assert ledgers_of(tmp_path) == [first]


def test_links_that_loop_pipes_and_foreign_files_are_passed_over(tmp_path):
    first = ledger(tmp_path / "a.jsonl")
    (tmp_path / "loop.jsonl").symlink_to(tmp_path / "loop.jsonl")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "zero.jsonl").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "foreign.jsonl").write_text('{"text": 1}\n' * 1_000)
    read = closings_of(ledgers_of(tmp_path / "**" / "*.jsonl"))
    assert [closing.run_id for closing in read.closings] == ["run-1"]
    assert read.unread == []
    assert set(ledgers_of(tmp_path)) == set(ledgers_of(tmp_path / "**" / "*.jsonl"))
    assert read.closings[0].emissions_kg == read_ledger(first).history.emissions_kg


def test_what_may_not_be_read_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    ledger(tmp_path / "a.jsonl").chmod(0)
    (tmp_path / "locked").mkdir(mode=0)
    with as_nobody():
        read = closings_of(ledgers_of("**/*.jsonl"))
    assert (read.closings, len(read.unread)) == ([], 1)
    (tmp_path / "locked").chmod(0o700)


def test_deep_folders_are_gone_through(tmp_path):
    deep = tmp_path.joinpath(*["d"] * 400)  # not deeper, since pytest must be able to remove them
    deep.mkdir(parents=True)
    first = ledger(deep / "a.jsonl")
    assert ledgers_of(tmp_path / "**" / "*.jsonl") == [first]


def test_closing_lines_and_records_give_the_same(tmp_path):
    closed = ledger(tmp_path / "closed.jsonl")
    going_on = tmp_path / "open.jsonl"
    going_on.write_bytes(b"".join(hostile.whole_ledger()[:-1]))
    by_line, by_records = closings_of([closed]).closings[0], closings_of([going_on]).closings[0]
    assert by_line.emissions_kg == by_records.emissions_kg
    assert by_line.facility_kwh == by_records.facility_kwh
    assert by_line.rows == by_records.rows


def test_a_closed_run_is_not_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr("green_callbacks.ledger.index.ledger_entry.read_quietly", None)
    assert len(closings_of([ledger(tmp_path / "a.jsonl")]).closings) == 1
