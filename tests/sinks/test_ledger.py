import json
import logging
import os

import pytest
from scripted_run import finished, record, run_context
from sensors import as_nobody
from strategies import comparable

from green_callbacks import Plan, Verdict
from green_callbacks.errors import LedgerError
from green_callbacks.records import Checkpoints, History
from green_callbacks.sinks import Ledger, read_ledger

HISTORY = History([record(None), record(0, metrics={"val_acc": 0.5}), record(1)])


def opened(path, before=None):
    ledger = Ledger(path, "1.2.3")
    ledger.open(run_context(path.parent, before=before or History()))
    return ledger


def lines(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "logs" / "run.jsonl"


def test_the_file_is_json_lines_with_a_head_and_an_end(path):
    ledger = opened(path)
    ledger.write(record(0))
    ledger.finish(finished(HISTORY, "Enough."))
    ledger.close()
    head, body, end = lines(path)
    assert head.items() >= {"type": "run", "schema": 1, "run_id": "run-1", "version": "1.2.3", "mode": "max"}.items()
    assert (body["type"], body["epoch"], body["pue"]) == ("record", 0, 1.25)
    assert end == {"type": "end", "stop_reason": "Enough."}
    assert path.read_bytes().endswith(b"\n")


def test_every_record_is_on_the_disk_when_it_is_written(path):
    ledger = opened(path)
    for epoch in range(3):
        ledger.write(record(epoch))
        assert read_ledger(path).history.last_epoch == epoch
    ledger.close()


def test_verdicts_are_written_though_not_read_into_the_history(path):
    ledger = opened(path)
    verdict = Verdict(stop=True, code="stopping", reason="Enough.", values={"green/budget_left_kg": float("-inf")})
    ledger.write(record(0, verdicts=(verdict,)))
    ledger.close()
    (written,) = lines(path)[1]["verdicts"]
    assert written == {
        "stop": True,
        "code": "stopping",
        "reason": "Enough.",
        "values": {"green/budget_left_kg": "-inf"},
    }
    assert read_ledger(path).history[0].verdicts == ()


def test_a_run_that_goes_on_appends(path):
    for epoch in range(2):
        ledger = opened(path, History([record(each) for each in range(epoch)]))
        ledger.write(record(epoch))
        ledger.finish(finished(HISTORY, f"Stop {epoch}."))
        ledger.close()
    contents = read_ledger(path)
    assert [r.epoch for r in contents.history] == [0, 1]
    assert contents.stop_reason == "Stop 1."
    assert [line["type"] for line in lines(path)] == ["run", "record", "end"] * 2


def test_a_stop_is_forgotten_once_the_run_goes_on(path):
    ledger = opened(path)
    ledger.finish(finished(HISTORY, "Stop."))
    ledger.close()
    assert read_ledger(path).stop_reason == "Stop."
    opened(path).close()
    assert read_ledger(path).stop_reason is None


def test_a_new_file_begins_with_what_the_history_holds(path):
    ledger = opened(path, HISTORY)
    ledger.write(record(2))
    ledger.close()
    assert [r.epoch for r in read_ledger(path).history] == [None, 0, 1, 2]
    assert [line["type"] for line in lines(path)] == ["run"] + ["record"] * 4


def test_a_heartbeat_counts_only_if_no_record_follows_it(path):
    ledger = opened(path)
    ledger.heartbeat(record(None, gpu_joules=1.0, complete=False))
    ledger.heartbeat(record(None, gpu_joules=2.0, complete=False))
    assert [r.devices["gpu:0"].joules for r in read_ledger(path).history] == [2.0]
    ledger.write(record(0, gpu_joules=3.0))
    assert [r.devices["gpu:0"].joules for r in read_ledger(path).history] == [3.0]
    ledger.heartbeat(record(None, gpu_joules=4.0, complete=False))
    ledger.close()  # killed; then resumed
    killed = read_ledger(path).history
    assert [(r.epoch, r.devices["gpu:0"].joules) for r in killed] == [(0, 3.0), (None, 4.0)]
    ledger = opened(path, killed)
    ledger.write(record(1, gpu_joules=5.0))
    ledger.close()
    assert [(r.epoch, r.devices["gpu:0"].joules) for r in read_ledger(path).history] == [
        (0, 3.0),
        (None, 4.0),
        (1, 5.0),
    ]


def test_a_heartbeat_is_kept_when_the_run_is_rewound_or_gone_on_with_without_its_history(path):
    ledger = opened(path)
    ledger.write(record(0))
    ledger.heartbeat(record(None, gpu_joules=4.0))
    ledger.close()
    ledger = opened(path)
    ledger.rewind(0)
    ledger.close()
    assert [(r.epoch, r.devices["gpu:0"].joules) for r in read_ledger(path).history] == [(None, 3000.0), (None, 4.0)]


def test_a_line_that_was_cut_is_passed_over_and_the_next_begins_anew(path, caplog):
    ledger = opened(path)
    ledger.write(record(0))
    ledger.write(record(1))
    ledger.close()
    path.write_bytes(path.read_bytes()[:-30])
    contents = read_ledger(path)
    assert contents.history.last_epoch == 0
    assert f"Line 3 of {path} is not whole" in caplog.text
    ledger = opened(path)
    ledger.write(record(1))
    ledger.close()
    assert [r.epoch for r in read_ledger(path).history] == [0, 1]


@pytest.mark.parametrize(
    "line",
    [
        b"\0\0\0\0",
        b"\xff\xfe",
        b"17",
        b'"text"',
        b"[1]",
        b"null",
        b'{"type":"record"}',
        b'{"type":"record","epoch":"three"}',
        b'{"type":"run"}',
        b'{"type":"rewind"}',
        b'{"type":"checkpoints"}',
        b'{"type":"checkpoints","monitor":"a","mode":"max","files":["b"]}',
        b'{"type":"checkpoints","monitor":"a","mode":"max","files":{"b":"c"}}',
        b'{"type":"checkpoints","monitor":"a","mode":"up","files":{}}',
        b'{"no":"type"}',
        b"{}",
    ],
)
def test_a_line_that_was_damaged_costs_no_other(path, line, caplog):
    ledger = opened(path)
    ledger.write(record(0))
    ledger.close()
    path.write_bytes(path.read_bytes() + line + b"\n")
    ledger = opened(path)
    ledger.write(record(1))
    ledger.close()
    assert [r.epoch for r in read_ledger(path).history] == [0, 1]
    assert "Line 3" in caplog.text


def test_lines_of_a_kind_to_come_are_passed_over(path):
    ledger = opened(path)
    ledger.write(record(0))
    ledger.close()
    with path.open("ab") as file:
        file.write(b'{"type":"remark","text":"hello"}\n')
    assert [r.epoch for r in read_ledger(path).history] == [0]


def test_what_is_no_ledger_is_said(path, tmp_path):
    with pytest.raises(LedgerError, match=r"run\.jsonl cannot be read \(No such file"):
        read_ledger(path)
    with pytest.raises(LedgerError, match="cannot be read"):
        read_ledger(tmp_path)
    notes = tmp_path / "notes.txt"
    notes.write_text("dear diary\n", encoding="ascii")
    with pytest.raises(LedgerError, match=r"notes\.txt is not a ledger"):
        read_ledger(str(notes))


def test_a_ledger_of_a_later_version_is_said(path):
    opened(path).close()
    path.write_bytes(path.read_bytes().replace(b'"schema":1', b'"schema":2'))
    with pytest.raises(LedgerError, match=r"later version of green_callbacks \(1\.2\.3\): update"):
        read_ledger(path)


@pytest.mark.parametrize("size", [0, 1, 7, 20, 40])
def test_a_ledger_cut_in_its_head_is_an_empty_one(path, size):
    opened(path).close()
    path.write_bytes(path.read_bytes()[:size])
    contents = read_ledger(path)
    assert (contents.run_id, len(contents.history), contents.stop_reason) == ("", 0, None)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")  # noqa: PTH110
def test_a_full_disk_is_one_warning(tmp_path, caplog):
    path = tmp_path / "full.jsonl"
    path.symlink_to("/dev/full")
    ledger = opened(path)
    for epoch in range(3):
        ledger.write(record(epoch))
    ledger.finish(finished(HISTORY))
    ledger.close()
    (said,) = caplog.records
    assert said.levelno == logging.WARNING
    assert "accounted in memory until it can" in said.message
    assert "ledger=…" in said.message


def test_what_could_not_be_written_is_written_once_it_can_be(tmp_path, caplog):
    path = tmp_path / "run.jsonl"
    path.symlink_to("/dev/full")
    ledger = opened(path)
    ledger.write(record(0))
    ledger.close()
    path.unlink()
    ledger.write(record(1))
    ledger.close()
    assert [r.epoch for r in read_ledger(path).history] == [0, 1]
    assert len(caplog.records) == 1


def test_a_folder_that_cannot_be_written_is_one_warning(tmp_path, caplog):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with as_nobody():
        ledger = opened(folder / "run.jsonl", HISTORY)
        ledger.write(record(2))
    assert len(caplog.records) == 1
    folder.chmod(0o777)
    ledger.write(record(3))
    ledger.close()
    assert [r.epoch for r in read_ledger(folder / "run.jsonl").history] == [None, 0, 1, 2, 3]


def test_closing_twice_is_closing_once(path):
    ledger = opened(path)
    ledger.close()
    ledger.close()
    assert comparable(HISTORY[0]) == comparable(record(None))


def test_what_sinks_are_told_is_read_back_and_a_later_plan_replaces_the_first(path):
    ledger = Ledger(path, "1.2.3")
    ledger.open(run_context(path.parent, plan=Plan(epochs=3), monitor="val_loss", mode="min", pue_source="argument"))
    assert read_ledger(path).plan == Plan(epochs=3)
    ledger.replan(Plan(epochs=9, learning_rate_drops=(3, 6)))
    contents = read_ledger(path)
    assert contents.plan == Plan(epochs=9, learning_rate_drops=(3, 6))
    assert (contents.monitor, contents.mode, contents.pue_source) == ("val_loss", "min", "argument")
    assert not contents.is_closed
    ledger.finish(finished(HISTORY, None))
    assert read_ledger(path).is_closed
    ledger.close()


def test_the_last_word_on_checkpoints_counts_for_each_metric(path):
    ledger = opened(path)
    assert read_ledger(path).checkpoints == {}
    kept = Checkpoints("max", {str(path.parent / "a.ckpt"): 0})
    for_loss = Checkpoints("min", {"/elsewhere/b.ckpt": 0, "s3://bucket/c.ckpt": 3, str(path.parents[1] / "d.ckpt"): 4})
    ledger.keep_checkpoints("val_acc", Checkpoints("max", {"/gone.ckpt": 0}))
    ledger.keep_checkpoints("val_acc", kept)
    ledger.keep_checkpoints("val_loss", for_loss)
    ledger.close()
    assert read_ledger(path).checkpoints == {"val_acc": kept, "val_loss": for_loss}
    assert [list(line["files"]) for line in lines(path)[-2:]] == [
        ["a.ckpt"],
        ["/elsewhere/b.ckpt", "s3://bucket/c.ckpt", "../d.ckpt"],
    ]


def test_the_metric_of_checkpoints_is_watched_where_the_head_names_none(path):
    ledger = opened(path)
    ledger.keep_checkpoints("val_loss", Checkpoints("min", {}))
    ledger.close()
    assert (read_ledger(path).monitor, read_ledger(path).mode) == ("val_loss", "min")
    ledger.open(run_context(path.parent, monitor="val_acc"))
    ledger.close()
    assert (read_ledger(path).monitor, read_ledger(path).mode) == ("val_acc", "max")


def test_a_new_file_begins_with_the_checkpoints_that_there_are(path):
    kept = Checkpoints("max", {"/logs/a.ckpt": 2})
    ledger = Ledger(path, "1.2.3")
    ledger.open(run_context(path.parent, before=HISTORY, checkpoints={"val_acc": kept}))
    ledger.close()
    assert read_ledger(path).checkpoints == {"val_acc": kept}


@pytest.mark.parametrize("remark", ["keep_checkpoints", "replan", "rewind"])
def test_a_heartbeat_that_is_followed_by_a_remark_is_still_part_of_the_next_record(path, remark):
    arguments = {"keep_checkpoints": ("val_acc", Checkpoints("max", {})), "replan": (Plan(epochs=3),), "rewind": (7,)}
    ledger = opened(path)
    ledger.heartbeat(record(None, gpu_joules=2.0))
    getattr(ledger, remark)(*arguments[remark])
    assert [r.devices["gpu:0"].joules for r in read_ledger(path).history] == [2.0], "killed"
    ledger.write(record(0, gpu_joules=3.0))
    ledger.close()
    assert [r.devices["gpu:0"].joules for r in read_ledger(path).history] == [3.0]
