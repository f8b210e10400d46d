"""Ledgers as the commands read them: those that were named, and those of a folder."""

import pytest

from green_callbacks.cli._runs import read_runs
from green_callbacks.errors import LedgerError


def test_what_is_no_ledger_in_a_folder_is_passed_over_with_one_warning(ledger, caplog):
    folder = ledger("run").parent
    for name in ("a", "b"):
        (folder / f"{name}.jsonl").write_text('{"text": 1}\n', encoding="ascii")
    (folder / "loop.jsonl").symlink_to(folder / "loop.jsonl")
    (folder / "notes.txt").write_text("dear diary", encoding="ascii")
    (run,) = read_runs([folder])
    assert run.path == folder / "run.jsonl"
    (said,) = caplog.messages
    assert said.startswith(f"3 files of {folder} are passed over.")


def test_a_folder_without_ledgers_and_a_file_that_is_none_are_said(tmp_path):
    (tmp_path / "a.jsonl").write_text("{}\n", encoding="ascii")
    with pytest.raises(LedgerError, match=r"There is no ledger \(\*\.jsonl\) in"):
        read_runs([tmp_path])
    with pytest.raises(LedgerError, match="is not a ledger"):
        read_runs([tmp_path / "a.jsonl"])
