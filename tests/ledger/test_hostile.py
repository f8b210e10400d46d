"""Whatever a file says, reading it ends in a history or in one sentence of ours."""

import logging
import os

import pytest
from support import hostile
from support.runs import scripted, train

from green_callbacks import CarbonBudget, EnergyAccountant, Verdict
from green_callbacks.cli import main
from green_callbacks.errors import GreenCallbacksError, LedgerError
from green_callbacks.ledger import Head, Lines, is_ledger, read_closing, read_ledger

CASES = 300
WHOLE = hostile.whole_ledger()


def written(path, lines):
    path.write_bytes(b"".join(lines))
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.jsonl"


def test_a_hostile_ledger_is_read_or_refused_in_a_sentence_of_ours(path):
    outcomes = set()
    for _, data in hostile.hostile_ledgers(CASES):
        path.write_bytes(data)
        outcomes.add(hostile.outcome(path))
    assert outcomes == {"read", "refused", "empty"}


def test_a_hostile_ledger_ends_no_training_of_its_project(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    for number, (_, data) in enumerate(hostile.hostile_ledgers(60, seed=1)):
        (logs / f"{number}.jsonl").write_bytes(data)
    accountant, clock = scripted(ledger=logs / "mine.jsonl", policies=[CarbonBudget("1 t", project=str(logs))])
    accountant.start()
    train(accountant, clock, range(2))
    assert accountant.close().epochs == 2


def test_a_hostile_ledger_is_gone_on_with_or_refused(path):
    for name, data in hostile.hostile_ledgers(60, seed=2):
        path.write_bytes(data)
        try:
            accountant = EnergyAccountant(ledger=path, sinks=[], sources=[], carbon_intensity=1.0)
        except GreenCallbacksError:
            continue
        with accountant:
            accountant.begin_epoch(0)
            accountant.end_epoch()
        assert read_ledger(path).is_closed, name


def test_the_command_line_ends_with_a_status_whatever_the_file_says(path, capsys):
    for _, data in hostile.hostile_ledgers(60, seed=3):
        path.write_bytes(data)
        assert main(["summary", str(path)]) in (0, 1, 2)
    capsys.readouterr()


@pytest.mark.parametrize("kind", ["fifo", "zero", "full", "folder", "loop", "gone", "name"])
def test_what_is_no_file_is_answered_at_once(tmp_path, kind):
    path = tmp_path / "run.jsonl"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "name":
        path = f"{path}\0"
    elif kind != "gone":
        path.symlink_to(f"/dev/{kind}")
    with pytest.raises(LedgerError, match="cannot be read"):
        read_ledger(path)
    assert read_closing(path) is None
    assert not is_ledger(path)


@pytest.mark.parametrize("first", [b'{"a": 1}\n', b"{\n", b"\xef\xbb\xbf" + WHOLE[0], b"\0" * 100, b"id,value\n"])
def test_a_file_that_is_no_ledger_is_not_read_beyond_its_first_line(path, first):
    with path.open("wb") as file:
        file.write(first)
        file.write(b"}\n")
        file.truncate(2**40)  # a terabyte of nothing: to read it would take minutes
    with pytest.raises(LedgerError, match="is not a ledger"):
        read_ledger(path)
    assert not is_ledger(path)


def test_a_ledger_that_is_followed_by_nothing_without_end_is_given_up(path):
    written(path, WHOLE)
    with path.open("ab") as file:
        file.truncate(2**40)
    with pytest.raises(LedgerError, match=r"is damaged from line \d+ on\. Restore it"):
        read_ledger(path)


@pytest.mark.parametrize(
    "run_id", ["../../pwned", "/abs", "a/b", "", ".", "..", ".hidden", "x" * 101, "a\nb", "\x1b[1m", "nul\0", "ü"]
)
def test_a_run_is_named_by_what_can_be_a_file(path, run_id):
    written(path, [WHOLE[0].replace(b'"run-1"', hostile.json.dumps(run_id).encode()), *WHOLE[1:]])
    with pytest.raises(LedgerError, match="which cannot be the name of a file") as raised:
        read_ledger(path)
    assert str(raised.value).startswith(f"Line 1 of {path} names its run")
    assert str(raised.value).isprintable()


def test_an_earlier_schema_is_refused_in_one_sentence(path):
    path.write_bytes(b'{"type":"run","schema":1,"run_id":"run-1","version":"0.1.0","plan":{}}\n{"type":"record"}\n')
    with pytest.raises(LedgerError, match=r"green_callbacks 0\.1\.0 in schema 1\. This version reads only"):
        read_ledger(path)


def test_lines_that_cannot_be_read_are_one_warning_for_the_file(path, caplog):
    written(path, [*WHOLE[:3], b"{\n", b'{"type":"rewind","epoch":true}\n', b"[" * 100_000 + b"\n", *WHOLE[3:]])
    contents = read_ledger(path)
    assert contents.history.emissions_kg == read_ledger(written(path, WHOLE)).history.emissions_kg
    (said,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert said.message.startswith(f"3 lines of {path} cannot be read")
    assert "(line 4: " in said.message
    assert "Restore the file from a copy" in said.message


def test_an_intensity_that_a_damaged_line_may_have_changed_is_flagged(path):
    records = [at for at, line in enumerate(WHOLE) if line.startswith(b'{"type":"record"')]
    lines = list(WHOLE)
    lines[records[1]] = b"{torn\n"
    history = read_ledger(written(path, lines)).history
    flags = [each.intensity.flags for each in history]
    assert flags[0] == ("stale",)
    assert flags[1] == ("stale", "inherited"), "the intensity is that of before the damaged line"
    assert flags[2] == ("stale",), "said anew"


def test_a_record_whose_devices_were_lost_is_not_read_as_one_of_other_devices(path, caplog):
    devices = next(at for at, line in enumerate(WHOLE) if line.startswith(b'{"type":"devices"'))
    history = read_ledger(written(path, [*WHOLE[:devices], *WHOLE[devices + 1 :]])).history
    assert len(history) == 0
    assert "set of devices named by a line before" in caplog.text


def test_checkpoints_outside_the_neighborhood_are_passed_over_and_never_opened(path, caplog):
    names = ["../../../etc/passwd", "..", "a/../../../b", "nul\0", "ok.ckpt", "../beside/ok.ckpt", "s3://bucket/../c"]
    fields = {"type": "checkpoints", "monitor": "val_acc", "mode": "max", "files": dict.fromkeys(names, 0)}
    fields["files"]["late.ckpt"] = 10**6
    line = hostile.json.dumps(fields).encode() + b"\n"
    kept = read_ledger(written(path, [*WHOLE, line])).checkpoints["val_acc"]
    above = path.parent.parent
    assert set(kept.rows) == {str(path.parent / "ok.ckpt"), str(above / "beside" / "ok.ckpt"), "s3://bucket/../c"}
    assert "5 checkpoint files" in caplog.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epoch", -1),
        ("epoch", True),
        ("epoch", 2**53 + 1),
        ("epoch", 1.0),
        ("epoch", "1"),
        ("step", 10**300),
        ("seconds", -1.0),
        ("seconds", 1e12),
        ("seconds", None),
        ("seconds", "1"),
        ("at", "2026-03-01T00:00:00"),
        ("at", 17),
        ("at", "9999-12-31T23:59:59.999999Z"),
        ("joules", [1.0]),
        ("joules", [-1.0, 1.0]),
        ("joules", [1e22, 1.0]),
        ("joules", [True, 1.0]),
        ("joules", ["1", 1.0]),
        ("joules", {"gpu:0": 1.0}),
        ("low", [1.0, 1.0, 1.0]),
        ("gaps", [-1, None]),
        ("phases", {"sleep": [1.0, 1.0]}),
        ("phases", {"train": []}),
        ("phases", {"train": [1.0, 1.0, 1.0]}),
        ("phases", ["train"]),
        ("metrics", {"a": None}),
        ("metrics", {"a": "0.5"}),
        ("metrics", {"a" * 301: 1.0}),
        ("metrics", [1.0]),
        ("learning_rate", [0.1]),
        ("samples", 0.5),
        ("tokens", -1),
        ("flops", 1e300),
        ("pue", 0.9),
        ("pue", "1.2"),
        ("intensity", {"g_per_kwh": 100.0}),
        ("intensity", {"g_per_kwh": -1, "source": "a", "found_by": "argument"}),
        ("intensity", {"g_per_kwh": 1, "source": "a", "found_by": "a crystal ball"}),
        ("intensity", {"g_per_kwh": 1, "source": "a", "found_by": "argument", "flags": "stale"}),
        ("set", "0"),
        ("set", [0]),
        ("closes_epoch", 1),
        ("complete", "yes"),
    ],
)
def test_a_record_with_a_value_that_cannot_be_is_passed_over(path, field, value, caplog):
    at = next(at for at, line in enumerate(WHOLE) if line.startswith(b'{"type":"record"'))
    line = hostile.json.dumps({**hostile.json.loads(WHOLE[at]), field: value}).encode() + b"\n"
    whole = read_ledger(written(path, WHOLE)).history
    changed = read_ledger(written(path, [*WHOLE[: at + 1], line, *WHOLE[at + 1 :]])).history
    assert len(changed) == len(whole)
    assert f"1 line of {path} cannot be read" in caplog.text


def test_a_ledger_that_was_emptied_is_read_from_the_head_that_its_writer_wrote_anew(path):
    lines, head = Lines(), Head(run_id="run-1", version="1.0")
    verdict = Verdict(stop=False, code="active", reason="Going on.")
    written(path, [lines.head(head), lines.record(hostile.record(0, 0)), lines.verdicts([verdict])])
    path.write_bytes(b"")  # as with `> run.jsonl`
    again = [lines.head(head), lines.record(hostile.record(1, 1)), lines.verdicts([verdict])]
    history = read_ledger(written(path, again)).history
    assert list(history) == [hostile.record(1, 1)]
    assert b"Going on." in again[-1]


def test_a_file_that_goes_back_without_end_is_given_up(path):
    written(path, [*WHOLE, b'{"type":"rewind","epoch":0}\n' * 40_000])
    with pytest.raises(LedgerError, match="repeats epochs more often than any run"):
        read_ledger(path)


def test_an_empty_file_is_no_ledger_but_may_become_one(path):
    path.touch()
    assert not is_ledger(path)
    contents = read_ledger(path)
    assert (contents.run_id, len(contents.history), contents.is_closed) == ("", 0, False)
    written(path, WHOLE[:1])
    assert is_ledger(path)
