"""Ledgers of runs with hundreds of devices, which stay short and read back exactly."""

import json
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scripted_run import device, record

from green_callbacks.ledger import FollowedLedger, Head, Lines, read_ledger
from green_callbacks.ledger import _row_decoding as decoding
from green_callbacks.ledger._columns import PLAIN_DEVICES, column_of, column_text, runs_of, values_of_runs
from green_callbacks.ledger._json_line import fields_of
from green_callbacks.ledger._row_decoding import Rows
from green_callbacks.ledger.limits import MAX_DEVICES, MAX_LINE_BYTES
from green_callbacks.records import DeviceInfo
from green_callbacks.records.checked import MAX_JOULES

HEAD = Head(run_id="run-1", version="1.2.3")
SLOTS = 1_536
EPOCH_BYTES, BEAT_BYTES = 60_000, 2_000

numbers = st.one_of(st.none(), st.floats(0, MAX_JOULES), st.sampled_from([0.0, 1.5]))


@given(st.lists(numbers, min_size=PLAIN_DEVICES + 1, max_size=200))
def test_a_column_reads_back_exactly(column):
    text = column_text(column, MAX_JOULES)
    assert column_of(None if text is None else json.loads(text), len(column)) == column


@given(st.lists(st.sampled_from([None, "a", 3]), min_size=1))
def test_runs_read_back(values):
    said = json.loads(json.dumps(runs_of(values)))
    assert values_of_runs(said, len(values), lambda value: value) == values


def test_what_readers_would_refuse_is_unknown():
    column = [-1.0, float("inf"), float("nan"), 2e21, *[3.0] * 100]
    assert column_of(json.loads(column_text(column, MAX_JOULES)), 104) == [None] * 4 + [3.0] * 100


def used(at, epoch, **options):
    joules = 3000.0 + Random(f"{at} {epoch}").random() * 100
    return device(joules, "gpu", "counter", 10.0, low_joules=joules * 0.99, high_joules=joules * 1.01, **options)


def epoch_of(epoch, **flagged):
    return record(
        epoch,
        seconds=10.0,
        devices={f"node{at // 8}/gpu:{at}": used(at, epoch, flags=flagged.get(f"_{at}", ())) for at in range(SLOTS)},
    )


def beat_of(epoch):
    """Return what rank 0 knows, which is the energy of four devices."""
    row, unknown = epoch_of(epoch), device(None, "gpu", "counter", 10.0, gap_seconds=10.0)
    devices = {name: each if at < 4 else unknown for at, (name, each) in enumerate(row.devices.items())}
    return row._replace(devices=devices, metrics={})


def read(path, *lines):
    path.write_bytes(b"".join(lines))
    return read_ledger(path)


def test_a_run_of_1024_ranks_takes_little_and_reads_back_exactly(tmp_path):
    lines = Lines()
    head, rows = lines.head(HEAD), [epoch_of(0), epoch_of(1), epoch_of(2, _7=("reset",), _900=("shared", "catch_up"))]
    written = [lines.record(row) for row in rows]
    beat = lines.heartbeat(beat_of(3))
    again = lines.record(epoch_of(4))
    assert [each.count(b"\n") for each in (*written, beat, again)] == [2, 1, 2, 1, 1]
    assert all(len(each) <= EPOCH_BYTES for each in (*written[1:], again))
    assert len(beat) <= BEAT_BYTES
    assert list(read(tmp_path / "run.jsonl", head, *written).history) == rows
    killed = read(tmp_path / "killed.jsonl", head, *written, beat)
    assert killed.history[-1] == beat_of(3)
    assert list(read(tmp_path / "all.jsonl", head, *written, beat, again).history) == [*rows, epoch_of(4)]


def test_few_devices_stay_plain_lists():
    row = record(0, devices={f"gpu:{at}": used(at, 0) for at in range(PLAIN_DEVICES)})
    _, fields = map(json.loads, Lines().record(row).splitlines())
    assert all(len(fields[name]) == PLAIN_DEVICES and isinstance(fields[name], list) for name in ("joules", "low"))


def test_other_devices_are_named_anew(tmp_path):
    fewer = epoch_of(1)._replace(devices=dict(list(epoch_of(1).devices.items())[:-1]))
    renamed = {f"x{name}": each for name, each in epoch_of(2).devices.items()}
    rows = [epoch_of(0), fewer, epoch_of(2)._replace(devices=renamed)]
    lines = Lines()
    head, written = lines.head(HEAD), [lines.record(row) for row in rows]
    assert not any(b'"like"' in line for line in written)
    assert list(read(tmp_path / "run.jsonl", head, *written).history) == rows


def test_a_damaged_set_costs_only_its_own_records(tmp_path):
    rng, lines = Random(3), Lines()
    written = [lines.head(HEAD)]
    for epoch in range(100):  # more sets than a writer remembers
        flags = [rng.choice([(), ("shared",)]) for _ in range(PLAIN_DEVICES + 10)]
        devices = {f"gpu:{number}": device(100.0, flags=each) for number, each in enumerate(flags)}
        written += lines.record(record(epoch=epoch, devices=devices)).splitlines(keepends=True)
    likes = [at for at, line in enumerate(written) if b'"like"' in line]
    assert len(likes) > 90
    written[likes[3]] = b"x" + written[likes[3]]
    path = tmp_path / "run-1.jsonl"
    path.write_bytes(b"".join(written))
    assert len(read_ledger(path).history) == 99


def test_the_most_devices_fit_into_a_line():
    row = record(0, devices={f"node{at // 8:04d}/gpu:{at}": used(at, 0, gap_seconds=at) for at in range(MAX_DEVICES)})
    assert all(len(line) < MAX_LINE_BYTES for line in Lines().record(row).splitlines())


def test_a_head_that_names_too_many_products_leaves_them_out(tmp_path, caplog):
    uuids = {
        f"node{at // 8:04d}/gpu:GPU-{at:032x}": DeviceInfo(f"GPU-{at:032x}", "NVIDIA H100 80GB HBM3")
        for at in range(8_000)
    }
    lines = Lines()
    head = lines.head(replace(HEAD, devices=uuids))
    assert read(tmp_path / "run.jsonl", head, lines.record(record(0))).run_id == "run-1"
    assert "products of 8000 devices" in caplog.text


def test_a_followed_ledger_counts_a_record_of_many_devices_as_many(tmp_path):
    path, lines = tmp_path / "run.jsonl", Lines()
    path.write_bytes(lines.head(HEAD) + lines.record(epoch_of(0)))
    followed = FollowedLedger(path)
    followed.refresh()
    with path.open("ab") as file:
        file.write(lines.record(epoch_of(1)) + lines.heartbeat(beat_of(2)))
    followed.refresh()
    assert followed.kept_rows == 2 * SLOTS // 3
    assert followed.overview.components == dict.fromkeys(epoch_of(0).devices, "gpu")


def rows_with(size):
    rows = Rows()
    rows.devices({"set": 0, "devices": [[f"gpu:{at}", "gpu", "counter", 0.0, []] for at in range(size)]})
    return rows


RECORD = fields_of(Lines().record(record(0)).splitlines()[1]) | {"set": 0, "low": None, "high": None}


@pytest.mark.parametrize(
    "column",
    [
        "",
        "AAAA",
        "é" * 12,
        "!!!!!!!!!!!=",
        "AAAAAAAA8H8=",  # an infinity
        "AAAAAAAA8L8=",  # a number below 0
        {},
        {"runs": None},
        {"runs": [[1, 1.0, 1.0]]},
        {"runs": [[1]]},
        {"runs": [[2, 1.0]]},
        {"runs": [[10**15, 1.0]]},
        {"runs": [[-1, 1.0], [2, 1.0]]},
        {"runs": [[1, -1.0]]},
        {"runs": [[1, "nan"]]},
        {"runs": [[1, 1.0]], "more": 1},
        {"runs": [[0, 1.0]] * 3},
    ],
)
@pytest.mark.parametrize("name", ["joules", "low", "high", "gaps"])
def test_a_column_that_cannot_be_is_refused(name, column):
    with pytest.raises(ValueError, match=r"expected|base64|padding"):
        rows_with(1).record(RECORD | {"joules": [1.0], name: column})


@pytest.mark.parametrize(
    "fields",
    [
        {"like": 7},
        {"like": -1},
        {"like": "0"},
        {"like": 0, "methods": [["counter"]]},
        {"like": 0, "methods": {"runs": [[1, "guessed"]]}},
        {"like": 0, "flags": {"runs": [[1, "reset"]]}},
        {"like": 0, "tolerances": {"runs": [[1, None]]}},
        {"like": 0, "tolerances": {"runs": [[2, 0.0]]}},
    ],
)
def test_a_set_that_is_like_nothing_is_refused(fields):
    with pytest.raises(ValueError, match="expected"):
        rows_with(1).devices({"set": 1, **fields})


def test_sets_without_end_take_bounded_memory(monkeypatch):
    monkeypatch.setattr(decoding, "MAX_KNOWN_DEVICES", 300)
    rows = rows_with(100)
    for number in range(1, 50):
        rows.devices({"set": number, "like": number - 1, "tolerances": {"runs": [[100, number / 100]]}})
    assert list(rows._sets) == [47, 48, 49]
    rows.devices({"set": 49, "like": 48})
    assert rows._described == 300
