"""Disks that are full, folders that cannot be written, sinks that hang."""

import os
import threading

from disk import largest_file
from runs import WATTS, ListSink, scripted, train
from sensors import as_nobody

from green_callbacks import read_ledger
from green_callbacks.accountant import run as run_module

LONG_SECONDS = 30.0


def drained(accountant):
    assert accountant._run._worker.drain(LONG_SECONDS)


def test_a_disk_that_fills_up_costs_one_warning_and_no_record(caplog, tmp_path):
    accountant, clock = scripted(ledger="run.jsonl")
    accountant.start()
    train(accountant, clock, [0])
    drained(accountant)
    with largest_file((tmp_path / "run.jsonl").stat().st_size + 100):
        train(accountant, clock, range(1, 4))
        drained(accountant)
    full = read_ledger("run.jsonl")
    train(accountant, clock, [4])
    run = accountant.close()
    assert [r.epoch for r in full.history] == [0]
    assert (run.epochs, run.energy_joules) == (5, WATTS * 50)
    assert list(read_ledger("run.jsonl").history) == list(accountant.history)
    (said,) = caplog.records
    assert "cannot be written" in said.message
    assert "Free the disk" in said.message


def test_a_disk_that_stays_full_ends_nothing(caplog):
    accountant, clock = scripted(ledger="run.jsonl")
    with largest_file(0), accountant:
        train(accountant, clock, range(3))
    assert accountant.close().energy_joules == WATTS * 30
    assert len(caplog.records) == 1


def test_a_folder_that_cannot_be_written_ends_nothing(caplog, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with as_nobody():
        accountant, clock = scripted(ledger="locked/run.jsonl")
        with accountant:
            train(accountant, clock, range(3))
    assert accountant.close().epochs == 3
    assert len(caplog.records) == 1
    assert "locked/run.jsonl cannot be written" in caplog.text


def test_a_ledger_where_a_folder_is_ends_nothing(caplog, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="ascii")
    accountant, clock = scripted(ledger="file/run.jsonl")
    with accountant:
        train(accountant, clock, range(2))
    assert accountant.close().energy_joules == WATTS * 20
    assert len(caplog.records) == 1


class Hanging(ListSink):
    """A sink that hangs until it is let go."""

    def __init__(self):
        super().__init__()
        self.entered, self.gate = threading.Event(), threading.Event()

    def write(self, record):
        self.entered.set()
        self.gate.wait(LONG_SECONDS)
        super().write(record)


def test_a_sink_that_hangs_holds_up_neither_training_nor_the_close(monkeypatch, caplog):
    monkeypatch.setattr(run_module, "DRAIN_SECONDS", 0.05)
    sink = Hanging()
    accountant, clock = scripted(sinks=[sink], ledger="run.jsonl")
    accountant.start()
    train(accountant, clock, [0])
    assert sink.entered.wait(LONG_SECONDS)
    train(accountant, clock, range(1, 5))
    run = accountant.close()
    assert run.epochs == 5
    assert sink.records == []
    assert f"A sink of run {run.run_id} did not come back within 0.05 s: only the ledger is complete." in caplog.text
    assert list(read_ledger("run.jsonl").history) == list(accountant.history)
    assert read_ledger("run.jsonl").is_closed
    worker = accountant._run._worker._thread
    sink.gate.set()
    worker.join(LONG_SECONDS)
    assert read_ledger("run.jsonl").history.last_epoch == 4  # late, but whole


def test_a_slow_sink_does_not_hold_up_the_ledger():
    class Slow(Hanging):
        def write(self, record):
            assert read_ledger("run.jsonl").history.last_epoch == self.waits_for
            super().write(record)

    sink = Slow()
    sink.waits_for = 0
    accountant, clock = scripted(sinks=[sink], ledger="run.jsonl")
    accountant.start()
    train(accountant, clock, [0])
    assert sink.entered.wait(LONG_SECONDS)
    train(accountant, clock, range(1, 5))
    sink.waits_for = 4  # all five are in the ledger before the second comes to the sink
    sink.gate.set()
    accountant.close()
    assert [record.epoch for record in sink.records] == list(range(5))


def test_a_ledger_that_is_taken_away_meanwhile_is_said_once_and_ends_nothing(tmp_path, caplog):
    accountant, clock = scripted(ledger="run.jsonl")
    accountant.start()
    train(accountant, clock, [0])
    drained(accountant)
    os.unlink(tmp_path / "run.jsonl")  # noqa: PTH108
    train(accountant, clock, [1])
    assert accountant.close().energy_joules == WATTS * 20
    (said,) = caplog.records
    assert "was removed while its run goes on" in said.message
