"""Whole ledgers are read once for all who ask, and nobody waits for a disk for ever."""

import threading
import time

import pytest
from support.carbon_tab import make_run

from green_callbacks.errors import LedgerError
from green_callbacks.page.collection import Collection
from green_callbacks.tensorboard_plugin import details
from green_callbacks.tensorboard_plugin.details import WholeLedgers

WAIT = 30.0


@pytest.fixture
def runs(tmp_path):
    """Return the runs of a folder with twelve ledgers."""
    for number in range(12):
        make_run(tmp_path / f"{number:02}.jsonl", 2)
    return Collection(tmp_path).read_all().runs


@pytest.fixture
def read(monkeypatch):
    """Return the paths that are read."""
    paths, real = [], details.read_quietly

    def read_quietly(path):
        paths.append(path)
        return real(path)

    monkeypatch.setattr(details, "read_quietly", read_quietly)
    return paths


def test_a_ledger_is_read_once(runs, read):
    whole = WholeLedgers()
    assert whole.contents(runs[0]) is whole.contents(runs[0])
    assert read == [runs[0].found.path]


def test_all_who_ask_at_once_get_one_reading(runs, monkeypatch):
    gate, paths, real = threading.Event(), [], details.read_quietly

    def slow(path):
        paths.append(path)
        gate.wait(WAIT)
        return real(path)

    monkeypatch.setattr(details, "read_quietly", slow)
    whole, got = WholeLedgers(), []
    threads = [threading.Thread(target=lambda: got.append(whole.contents(runs[0]))) for _ in range(6)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(WAIT)
    assert len(got) == 6
    assert len(paths) == 1


def test_only_the_last_few_are_kept(runs, read):
    whole = WholeLedgers()
    for run in runs:
        whole.contents(run)
    whole.contents(runs[-1])
    assert len(read) == 12
    whole.contents(runs[0])
    assert len(read) == 13


def test_a_very_long_ledger_is_kept_only_until_those_who_wait_have_asked_again(runs, read, monkeypatch):
    monkeypatch.setattr(details, "_MOST_RECORDS", 1)
    monkeypatch.setattr(details, "_LONG_SECONDS", 0.5)
    whole = WholeLedgers()
    whole.contents(runs[0])
    whole.contents(runs[0])
    assert len(read) == 1
    time.sleep(1.0)
    whole.contents(runs[0])
    assert len(read) == 2


def test_a_disk_that_hangs_is_a_sentence_and_one_thread(runs, monkeypatch):
    gate, paths, real = threading.Event(), [], details.read_quietly

    def hang(path):
        paths.append(path)
        gate.wait(WAIT)
        return real(path)

    monkeypatch.setattr(details, "read_quietly", hang)
    whole = WholeLedgers()
    for _ in range(3):
        with pytest.raises(TimeoutError, match="has not been read within 0 s"):
            whole.contents(runs[0], 0.02)
    assert len(paths) == 1
    gate.set()
    assert whole.contents(runs[0]).is_closed


def test_a_fault_reaches_whoever_asks_and_is_not_kept(runs, read):
    whole = WholeLedgers()
    path = runs[0].found.path
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(LedgerError):
        whole.contents(runs[0])
    path.write_bytes(content)
    assert whole.contents(runs[0]).is_closed


def test_without_threads_the_request_reads(runs, monkeypatch):
    def start(_self):
        msg = "can't start new thread"
        raise RuntimeError(msg)

    monkeypatch.setattr(threading.Thread, "start", start)
    assert WholeLedgers().contents(runs[0]).is_closed
