"""What a run's file holds: all that was said of it, in order, whatever came before."""

import json
import logging
import os
import threading
import time
from dataclasses import replace

import pytest
from support.scripted_run import record
from support.sensors import as_nobody
from support.strategies import comparable
from support.written import LONG_SECONDS, Written, going_on, writing

from green_callbacks import Plan, Verdict
from green_callbacks.call_threads import Threads
from green_callbacks.ledger import Head, read_closing, read_ledger
from green_callbacks.ledger import run_ledger as run_ledger_module
from green_callbacks.records import Checkpoints, History, Landing

BEFORE = [record(None), record(0, metrics={"val_acc": 0.5}), record(1)]


def lines(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def kinds(path):
    return [line["type"] for line in lines(path)]


def epochs(path):
    return [each.epoch for each in read_ledger(path).history]


def used(path):
    return [(each.epoch, each.devices["gpu:0"].joules) for each in read_ledger(path).history]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "logs" / "run.jsonl"


def test_the_file_is_json_lines_with_a_head_and_an_end(path):
    with writing(path) as run:
        run.write(record(0))
        run.ledger.end("Enough.")
    head, devices, body, end = lines(path)
    assert head.items() >= {"type": "run", "schema": 2, "run_id": "run-1", "version": "1.2.3", "mode": "max"}.items()
    assert [device[0] for device in devices["devices"]] == ["gpu:0", "cpu:0"]
    assert (body["type"], body["epoch"], body["pue"]) == ("record", 0, 1.25)
    assert (end["type"], end["stop_reason"]) == ("end", "Enough.")
    assert path.read_bytes().startswith(b'{"type":"run","schema":')
    assert path.read_bytes().endswith(b"\n")
    assert read_closing(path).energy_joules == 4000.0


def test_every_record_is_in_the_file_once_it_is_settled(path):
    with writing(path) as run:
        for epoch in range(20):
            run.write(record(epoch))
            run.ledger.settle()
            assert read_ledger(path).history.last_epoch == epoch


def test_a_record_that_is_told_twice_is_written_once(path):
    with writing(path) as run:
        for epoch in range(3):
            run.write(record(epoch))
            run.ledger.record(epoch, record(epoch))
    assert epochs(path) == [0, 1, 2]


def test_verdicts_are_written_though_not_read_into_the_history(path):
    verdict = Verdict(stop=True, code="stopping", reason="Enough.", values={"green/budget_left_kg": float("-inf")})
    with writing(path) as run:
        run.write(record(0, verdicts=(verdict,)))
    said = {"policy": 0, "code": "stopping", "stop": True, "names": ["green/budget_left_kg"], "reason": "Enough."}
    assert lines(path)[-1] == {"type": "verdicts", "values": [["-inf"]], "changed": [said]}
    assert read_ledger(path).history[0].verdicts == ()


def test_a_run_that_goes_on_appends(path):
    with writing(path) as run:
        run.write(record(0))
        run.ledger.end("Stop 0.")
    with going_on(path) as run:
        run.write(record(1))
        run.ledger.end("Stop 1.")
    contents = read_ledger(path)
    assert [r.epoch for r in contents.history] == [0, 1]
    assert contents.stop_reason == "Stop 1."
    assert kinds(path) == ["run", "devices", "record", "end"] * 2


def test_a_stop_is_forgotten_once_the_run_goes_on(path):
    with writing(path) as run:
        run.ledger.end("Stop.")
    assert read_ledger(path).stop_reason == "Stop."
    with going_on(path):
        pass
    assert read_ledger(path).stop_reason is None


def test_a_new_file_begins_with_what_the_history_holds(path):
    with writing(path, BEFORE) as run:
        run.write(record(2))
    assert epochs(path) == [None, 0, 1, 2]
    assert kinds(path) == ["run", "devices"] + ["record"] * 4


def test_a_file_that_lacks_records_is_given_them_once(path):
    with writing(path, BEFORE[:1]) as run:
        run.flush()
    with writing(path, BEFORE, held=1) as run:
        run.write(record(2))
    assert epochs(path) == [None, 0, 1, 2]


def test_a_heartbeat_counts_only_if_no_record_follows_it(path):
    with writing(path) as run:
        run.ledger.heartbeat(record(None, gpu_joules=1.0, complete=False))
        run.ledger.heartbeat(record(None, gpu_joules=2.0, complete=False))
        run.flush()
        assert used(path) == [(None, 2.0)]
        run.write(record(0, gpu_joules=3.0))
        run.flush()
        assert used(path) == [(0, 3.0)]
        run.ledger.heartbeat(record(None, gpu_joules=4.0, complete=False))
    assert used(path) == [(0, 3.0), (None, 4.0)], "killed"
    with going_on(path) as run:
        run.write(record(1, gpu_joules=5.0))
    assert used(path) == [(0, 3.0), (None, 4.0), (1, 5.0)]


def test_a_heartbeat_is_kept_when_the_run_is_rewound(path):
    with writing(path) as run:
        run.write(record(0))
        run.ledger.heartbeat(record(None, gpu_joules=4.0))
    with going_on(path) as run:
        run.ledger.rewind(0, None)
    assert used(path) == [(None, 3000.0), (None, 4.0)]


def test_a_process_that_was_killed_before_its_first_record_is_gone_on_with(path):
    with writing(path) as run:
        run.ledger.heartbeat(record(None, gpu_joules=4.0))
    killed = read_ledger(path)
    assert (killed.recorded, len(killed.history)) == (0, 1)
    with going_on(path):
        pass
    again = read_ledger(path)
    assert (again.recorded, list(again.history)) == (1, list(killed.history))


@pytest.mark.parametrize("remark", ["keep_checkpoints", "replan", "rewind"])
def test_a_heartbeat_that_is_followed_by_a_remark_is_still_part_of_the_next_record(path, remark):
    arguments = {
        "keep_checkpoints": ("val_acc", Checkpoints("max", {})),
        "replan": (Plan(epochs=3),),
        "rewind": (7, None),
    }
    with writing(path) as run:
        run.ledger.heartbeat(record(None, gpu_joules=2.0))
        getattr(run.ledger, remark)(*arguments[remark])
        run.flush()
        assert used(path) == [(None, 2.0)], "killed"
        run.write(record(0, gpu_joules=3.0))
    assert used(path) == [(0, 3.0)]


def test_a_line_that_was_cut_is_passed_over_and_the_next_begins_anew(path, caplog):
    with writing(path) as run:
        run.write(record(0))
        run.write(record(1))
    path.write_bytes(path.read_bytes()[:-30])
    assert read_ledger(path).history.last_epoch == 0
    assert f"1 line of {path} cannot be read" in caplog.text
    assert "(line 4: " in caplog.text
    with going_on(path) as run:
        run.write(record(1))
    assert epochs(path) == [0, 1]


@pytest.mark.parametrize("line", [b"\0\0\0\0", b"\xff\xfe", b"17", b"null", b'{"type":"record"}', b'{"no":"type"}'])
def test_a_line_that_was_damaged_costs_no_other(path, line, caplog):
    with writing(path) as run:
        run.write(record(0))
    path.write_bytes(path.read_bytes() + line + b"\n")
    with going_on(path) as run:
        run.write(record(1))
    assert epochs(path) == [0, 1]
    assert "(line 4: " in caplog.text


@pytest.mark.parametrize("size", [0, 1, 7, 20, 40])
def test_a_ledger_cut_in_its_head_is_an_empty_one_and_begun_again(path, size):
    with writing(path) as run:
        run.flush()
    path.write_bytes(path.read_bytes()[:size])
    contents = read_ledger(path)
    assert (contents.run_id, len(contents.history), contents.stop_reason) == ("", 0, None)
    with writing(path, BEFORE):
        pass
    assert epochs(path) == [None, 0, 1]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")  # noqa: PTH110
def test_what_could_not_be_written_is_said_once_and_written_once_it_can_be(tmp_path, caplog):
    path = tmp_path / "run.jsonl"
    path.symlink_to("/dev/full")
    with writing(path) as run:
        for epoch in range(3):
            run.write(record(epoch))
            run.flush()
        (said,) = caplog.records
        assert said.levelno == logging.WARNING
        assert "accounted in memory until it can" in said.message
        assert "ledger=…" in said.message
        assert "No space left on device" in said.message
        path.unlink()
        run.write(record(3))
    assert epochs(run.ledger.path) == [0, 1, 2, 3]


def test_a_folder_that_cannot_be_written_is_one_warning(tmp_path, caplog):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with as_nobody():
        run = Written(folder / "run.jsonl", BEFORE)
        run.write(record(2))
        run.flush()
    assert len(caplog.records) == 1
    folder.chmod(0o777)
    run.write(record(3))
    assert run.close()
    assert epochs(folder / "run.jsonl") == [None, 0, 1, 2, 3]
    assert len(caplog.records) == 1


def test_what_readers_are_told_is_read_back_and_a_later_plan_replaces_the_first(path):
    with writing(path, plan=Plan(epochs=3), monitor="val_loss", mode="min", pue_source="argument") as run:
        run.flush()
        assert read_ledger(path).plan == Plan(epochs=3)
        run.ledger.replan(Plan(epochs=9, learning_rate_drops=(3, 6)))
        run.flush()
        contents = read_ledger(path)
        assert contents.plan == Plan(epochs=9, learning_rate_drops=(3, 6))
        assert (contents.monitor, contents.mode, contents.pue_source) == ("val_loss", "min", "argument")
        assert not contents.is_closed
        run.ledger.end(None)
        run.flush()
        assert read_ledger(path).is_closed


def test_the_last_word_on_checkpoints_counts_for_each_metric(path):
    kept = Checkpoints("max", {str(path.parent / "a.ckpt"): 0})
    for_loss = Checkpoints("min", {"/elsewhere/b.ckpt": 0, "s3://bucket/c.ckpt": 3, str(path.parents[1] / "d.ckpt"): 4})
    with writing(path, [record(epoch) for epoch in range(5)]) as run:
        run.flush()
        assert read_ledger(path).checkpoints == {}
        run.ledger.keep_checkpoints("val_acc", Checkpoints("max", {"/gone.ckpt": 0}))
        run.ledger.keep_checkpoints("val_acc", kept)
        run.ledger.keep_checkpoints("val_loss", for_loss)
    assert read_ledger(path).checkpoints == {"val_acc": kept, "val_loss": for_loss}
    assert [list(line["files"]) for line in lines(path)[-2:]] == [
        ["a.ckpt"],
        ["/elsewhere/b.ckpt", "s3://bucket/c.ckpt", "../d.ckpt"],
    ]


def test_the_metric_of_checkpoints_is_watched_where_the_head_names_none(path):
    with writing(path) as run:
        run.ledger.keep_checkpoints("val_loss", Checkpoints("min", {}))
    assert (read_ledger(path).monitor, read_ledger(path).mode) == ("val_loss", "min")
    with going_on(path, monitor="val_acc"):
        pass
    assert (read_ledger(path).monitor, read_ledger(path).mode) == ("val_acc", "max")


def test_a_new_file_begins_with_the_checkpoints_that_there_are(path):
    kept = Checkpoints("max", {"/logs/a.ckpt": 2})
    with writing(path, BEFORE, checkpoints={"val_acc": kept}):
        pass
    assert read_ledger(path).checkpoints == {"val_acc": kept}


def test_closing_twice_is_closing_once(path):
    run = Written(path)
    run.write(record(0))
    assert run.close()
    assert run.close()
    assert [comparable(each) for each in read_ledger(path).history] == [comparable(record(0))]


def test_a_line_after_the_close_is_written_too(path):
    run = Written(path)
    assert run.close()
    run.write(record(0))
    assert run.close()
    assert epochs(path) == [0]


class HangingDisk:
    """Writes to ledgers that do not return before they are let go."""

    def __init__(self, monkeypatch):
        self.entered, self.gate = threading.Event(), threading.Event()
        self.is_hanging = True
        append = run_ledger_module.LedgerWriter._write

        def write(writer):
            writer._began = time.monotonic()
            if self.is_hanging:
                self.entered.set()
                self.gate.wait(LONG_SECONDS)
            append(writer)

        monkeypatch.setattr(run_ledger_module.LedgerWriter, "_write", write)


@pytest.fixture
def disk(monkeypatch):
    disk = HangingDisk(monkeypatch)
    disk.is_hanging = False
    yield disk
    disk.gate.set()


def settled_seconds(run):
    began = time.monotonic()
    run.ledger.settle()
    return time.monotonic() - began


def test_a_disk_that_hangs_is_waited_for_once_and_said_once_and_the_records_follow(path, disk, caplog):
    with writing(path) as run:
        run.write(record(0))
        run.flush()
        disk.is_hanging = True
        waits = []
        for epoch in range(1, 50):
            run.write(record(epoch))
            waits.append(settled_seconds(run))
        assert waits[0] >= run_ledger_module.PATIENCE_SECONDS
        assert sum(waits) < 1.5, "0.1 s once is promised; the rest is for a machine that is busy"
        (said,) = caplog.records
        assert f"The disk of the ledger {path} does not answer." in said.message
        disk.is_hanging = False
        disk.gate.set()
    assert epochs(path) == list(range(50))
    assert len(caplog.records) == 1


def test_a_disk_that_hangs_between_two_epochs_is_said_too(path, disk, caplog, monkeypatch):
    monkeypatch.setattr(run_ledger_module, "HUNG_SECONDS", 0.0)
    with writing(path) as run:
        run.flush()
        run.ledger.look()
        assert caplog.records == []
        disk.is_hanging = True
        run.ledger.heartbeat(record(None))
        assert disk.entered.wait(LONG_SECONDS)
        run.ledger.look()
        run.ledger.look()
        assert len(caplog.records) == 1
        disk.gate.set()


def test_closing_gives_up_on_a_disk_that_hangs_and_the_lines_still_come(path, disk):
    disk.is_hanging = True
    run = Written(path)
    run.write(record(0))
    assert not run.ledger.close(0.05)
    assert not path.exists()
    disk.gate.set()
    assert run.close()
    assert epochs(path) == [0]


def test_two_stretches_on_a_disk_that_hangs_write_no_line_twice_and_none_out_of_order(path, disk):
    first = Written(path)
    first.write(record(0))
    first.flush()
    disk.is_hanging = True
    first.write(record(1))
    first.ledger.end(None)
    assert not first.ledger.close(0.05)
    second = Written(path, first.history, held=len(first.history), predecessor=first.ledger)
    second.write(record(2))
    second.ledger.end(None)
    assert not second.ledger.close(0.05)
    disk.is_hanging = False
    disk.gate.set()
    assert first.close()
    assert second.close()
    assert epochs(path) == [0, 1, 2]
    assert kinds(path) == ["run", "devices", "record", "record", "end", "run", "devices", "record", "end"]
    assert read_ledger(path).is_closed


def test_a_run_that_is_watched_says_so_in_its_closing_line(path):
    with writing(path) as run:
        run.ledger.watch("val_loss", "min")
        run.write(record(0, metrics={"val_loss": 0.5}))
        run.ledger.end(None)
    assert read_closing(path).front[-1].value == 0.5


LANDED = Plan(epochs=9, landing=Landing(first_step=10, steps=20, epoch=0, last_epoch=2, reason="Enough."))


def test_a_landing_stays_known_where_a_later_session_only_tests(path):
    with writing(path) as run:
        run.write(record(0))
        run.ledger.replan(LANDED)
        run.write(record(1))
    with going_on(path) as run:
        run.ledger.replan(Plan(epochs=9))
        run.write(record(None))
    assert read_ledger(path).plan == LANDED
    with going_on(path) as run:
        run.write(record(None))
    assert read_ledger(path).plan.landing == LANDED.landing


def test_a_landing_is_forgotten_where_a_later_session_trains_without_it(path):
    with writing(path) as run:
        run.ledger.replan(LANDED)
        run.write(record(0))
    with going_on(path) as run:
        run.write(record(1))
    assert read_ledger(path).plan.landing is None


def test_a_landing_that_goes_on_is_that_of_the_later_session(path):
    with writing(path) as run:
        run.ledger.replan(LANDED)
        run.write(record(0))
    later = replace(LANDED, landing=replace(LANDED.landing, steps=15))
    with going_on(path) as run:
        run.ledger.replan(later)
        run.write(record(1))
    assert read_ledger(path).plan == later


def test_nothing_follows_the_closing_line(tmp_path):
    path = tmp_path / "run.jsonl"
    head = Head(run_id="digits", version="0.1.0")
    ledger = run_ledger_module.RunLedger(path, head, History(), held=None, checkpoints={}, threads=Threads())
    ledger.open()
    ledger.end(None)
    ledger.notice("registry", "It is back.")  # a thread of the run may still learn something
    assert ledger.close(10.0)
    assert read_closing(path) is not None
