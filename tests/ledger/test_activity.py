"""What devices did besides using energy, in a ledger."""

import json

import pytest
from support.scripted_run import device, record

from green_callbacks.ledger import Head, Lines, read_ledger
from green_callbacks.records import DeviceActivity

BUSY = DeviceActivity(60.0, 0.9, 1500.0, 70.0, 0.5, 0.2, 0.3, 0.0, 400.0)
SHORT = DeviceActivity(1.5, utilization=0.25)
DEVICES = {"cpu:0": device(1.0, "cpu"), "gpu:0": device(2.0), "gpu:1": device(3.0), "dram:0": device(1.0, "dram")}


def written(path, *rows):
    lines = Lines()
    path.write_bytes(b"".join([lines.head(Head(run_id="run", version="1")), *map(lines.record, rows)]))
    return read_ledger(path)


def row(activity, devices=DEVICES):
    return record(epoch=0)._replace(devices=devices, activity=activity)


@pytest.mark.parametrize("activity", [{}, {"gpu:0": BUSY, "gpu:1": SHORT}, {"gpu:1": SHORT}, {"cpu:0": BUSY}])
def test_what_devices_did_reads_back(tmp_path, activity):
    [read] = written(tmp_path / "run.jsonl", row(activity)).history
    assert read.activity == activity


def test_the_line_holds_little_of_it():
    line = json.loads(Lines().record(row({"gpu:1": SHORT})).splitlines()[-1])
    assert line["activity"] == [None, None, [1.5, 0.25]]
    assert "activity" not in json.loads(Lines().record(row({})).splitlines()[-1])


def test_a_device_that_the_record_does_not_have_is_left_out(tmp_path):
    [read] = written(tmp_path / "run.jsonl", row({"gpu:9": BUSY})).history
    assert read.activity == {}


def test_a_value_that_readers_would_refuse_is_left_out(tmp_path):
    odd = {"gpu:0": BUSY._replace(temperature_celsius=-3.0), "gpu:1": SHORT._replace(observed_seconds=float("nan"))}
    [read] = written(tmp_path / "run.jsonl", row(odd)).history
    assert read.activity == {"gpu:0": BUSY._replace(temperature_celsius=None)}


def test_a_record_of_very_many_devices_has_none(tmp_path):
    devices = {f"gpu:{number}": device(1.0) for number in range(70)}
    [read] = written(tmp_path / "run.jsonl", row(dict.fromkeys(devices, BUSY), devices)).history
    assert read.activity == {}


@pytest.mark.parametrize("damaged", ["5", "[[]]", "[[null,1]]", '["x"]', "[[1,2,3,4,5,6,7,8,9,10]]", "[1,2,3,4,5]"])
def test_a_damaged_activity_costs_only_its_line(tmp_path, damaged):
    path = tmp_path / "run.jsonl"
    written(path, row({"gpu:1": SHORT}))
    path.write_text(path.read_text().replace("[null,null,[1.5,0.25]]", damaged))
    assert len(read_ledger(path).history) == 0
