"""Ledgers as the commands read them: those that were named, and those of a folder."""

import pytest
from support.runs import scripted, train

from green_callbacks.cli.runs import read_runs
from green_callbacks.errors import LedgerError


def test_what_is_plainly_no_ledger_in_a_folder_is_passed_over_without_a_word(ledger, caplog):
    folder = ledger("run").parent
    for name in ("a", "b"):
        (folder / f"{name}.jsonl").write_text('{"text": 1}\n', encoding="ascii")
    (folder / "loop.jsonl").symlink_to(folder / "loop.jsonl")
    (folder / "notes.txt").write_text("dear diary", encoding="ascii")
    (run,) = read_runs([folder])
    assert run.path == folder / "run.jsonl"
    assert caplog.messages == []


def test_a_ledger_of_a_folder_that_is_damaged_is_said(ledger, caplog):
    path = ledger("run")
    whole = path.read_bytes()
    path.with_name("torn.jsonl").write_bytes(b"\0" * 40 + whole[40:])  # the head is gone, records follow
    path.with_name("old.jsonl").write_bytes(whole.replace(b'"schema":2', b'"schema":1', 1))
    (run,) = read_runs([path.parent])
    assert run.path == path
    (said,) = caplog.messages
    assert said.startswith(f"2 ledgers of {path.parent} cannot be read. ")


def test_runs_are_found_in_all_folders_below(ledger):
    path = ledger("run")
    home = path.parent.parent
    deeper = home / "logs" / "version_0" / "green-callbacks" / "b.jsonl"
    deeper.parent.mkdir(parents=True)
    ledger("b").rename(deeper)
    assert [run.path for run in read_runs([home])] == [deeper, path]


def test_a_copy_is_no_second_run(ledger, caplog):
    path = ledger("run")
    whole = path.read_bytes()
    path.with_name("copy.jsonl").write_bytes(whole)
    path.with_name("earlier.jsonl").write_bytes(b"".join(whole.splitlines(keepends=True)[:-4]))  # while it went on
    (run,) = read_runs([path.parent])
    assert run.totals.emissions_kg == read_runs([path])[0].totals.emissions_kg
    (said,) = caplog.messages
    assert "3 files hold the run" in said
    caplog.clear()
    assert len(read_runs([path, path, path.parent / "." / path.name])) == 1  # the same file is no copy
    assert caplog.messages == []


def test_of_a_run_that_went_on_from_a_copy_nothing_counts_twice(ledger):
    path = ledger("run", 6)
    copy = path.with_name("elsewhere.jsonl")
    copy.write_bytes(path.read_bytes())
    for each, epochs in ((path, 8), (copy, 9)):
        accountant, clock = scripted(ledger=each)
        clock.advance(1000.0 * epochs)  # they go on at different times
        with accountant:
            train(accountant, clock, range(6, epochs), seconds=60.0)
    (run,) = read_runs([path.parent])
    assert sum(record.epoch is not None for record in run.history) == 6 + 2 + 3


def test_a_folder_without_ledgers_and_a_file_that_is_none_are_said(tmp_path):
    (tmp_path / "a.jsonl").write_text("{}\n", encoding="ascii")
    with pytest.raises(LedgerError, match=r"There is no ledger \(\*\.jsonl\) in or below"):
        read_runs([tmp_path])
    with pytest.raises(LedgerError, match="is not a ledger"):
        read_runs([tmp_path / "a.jsonl"])
