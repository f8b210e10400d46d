"""Disks that are full, folders that cannot be written, sinks that hang."""

import shutil
import threading
import time

import pytest
from support.disk import largest_file
from support.runs import WATTS, ListSink, scripted, train
from support.sensors import as_nobody

from green_callbacks import read_ledger
from green_callbacks.accountant.delivery import run_delivery as delivery_module

LONG_SECONDS = 30.0


def drained(accountant):
    accountant._run.ledger.flush(LONG_SECONDS)


def wait_until(condition):
    deadline = time.monotonic() + LONG_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


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


def test_a_ledger_whose_folder_becomes_a_file_ends_nothing(caplog, tmp_path):
    accountant, clock = scripted(ledger="file/run.jsonl")
    (tmp_path / "file").write_text("in the way", encoding="ascii")
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
    monkeypatch.setattr(delivery_module, "DRAIN_SECONDS", 0.05)
    sink = Hanging()
    accountant, clock = scripted(sinks=[sink], ledger="run.jsonl")
    accountant.start()
    train(accountant, clock, [0])
    assert sink.entered.wait(LONG_SECONDS)
    train(accountant, clock, range(1, 5))
    run = accountant.close()
    assert run.epochs == 5
    assert sink.records == []
    (said,) = caplog.records
    assert said.message.startswith(f"The sink Hanging of run {run.run_id} did not come back within 0.05 s.")
    assert list(read_ledger("run.jsonl").history) == list(accountant.history)
    assert read_ledger("run.jsonl").is_closed
    sink.gate.set()
    wait_until(lambda: sink.closed)
    assert [record.epoch for record in sink.records] == list(range(5))  # late, but whole


def test_a_slow_sink_does_not_hold_up_the_ledger():
    class Slow(Hanging):
        def write(self, record):
            wait_until(lambda: read_ledger("run.jsonl").history.last_epoch == self.waits_for)
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


def cut(path, share):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


def replace_by_notes(path):
    path.with_name("notes").write_text("somebody's notes\n" * 1000, encoding="ascii")
    path.with_name("notes").replace(path)


def cut_in_half(path):
    cut(path, 0.5)


def cut_in_its_head(path):
    cut(path, 0.01)


LEFT_ALONE = [replace_by_folder, replace_by_notes]
LEFT_ALONE_WHEN_CLOSED = [cut_in_half, cut_in_its_head]
CHANGES = {
    "truncated": lambda path: cut(path, 0),
    "cut in half": cut_in_half,
    "cut in its head": cut_in_its_head,
    "removed": lambda path: path.unlink(),
    "moved": lambda path: path.rename(path.with_name("moved")),
    "folder removed": lambda path: shutil.rmtree(path.parent),
    "replaced by a folder": replace_by_folder,
    "replaced by a file": replace_by_notes,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("when", ["in an epoch", "between two stretches"])
def test_whatever_happens_to_the_ledger_is_said_once_and_all_is_in_a_file(tmp_path, caplog, change, when):
    path = tmp_path / "logs" / "run.jsonl"
    accountant, clock = scripted(ledger=path)
    accountant.start()
    train(accountant, clock, range(3), between=1)
    accountant.begin_epoch(3)
    clock.advance(10)
    if when == "between two stretches":
        accountant.end_epoch()
        accountant.close()
        change(path)
        accountant.start()
    else:
        change(path)
        accountant.end_epoch()
    train(accountant, clock, range(4, 7), between=1)
    run = accountant.close()
    assert (run.epochs, accountant.history.last_epoch) == (7, 6)
    (said,) = caplog.records
    assert "was removed, replaced or cut short during its run" in said.message
    is_left_alone = change in LEFT_ALONE or (when == "between two stretches" and change in LEFT_ALONE_WHEN_CLOSED)
    assert run.ledger == (path.with_name("run-2.jsonl") if is_left_alone else path)
    contents = read_ledger(run.ledger)
    assert list(contents.history) == list(accountant.history)
    assert (contents.run_id, contents.is_closed) == (run.run_id, True)
    if change == replace_by_notes:
        assert path.read_text(encoding="ascii") == "somebody's notes\n" * 1000


def test_what_the_first_stretch_could_not_write_is_written_by_the_second(tmp_path, caplog):
    accountant, clock = scripted(ledger="run.jsonl")
    accountant.start()
    train(accountant, clock, [0])
    drained(accountant)
    with largest_file((tmp_path / "run.jsonl").stat().st_size + 1):
        train(accountant, clock, range(1, 3))
        accountant.close()
    accountant.start()
    train(accountant, clock, [3])
    accountant.close()
    assert [record.epoch for record in accountant.history] == [0, 1, 2, 3]
    assert list(read_ledger("run.jsonl").history) == list(accountant.history)
    assert ["cannot be written" in record.message for record in caplog.records] == [True]
