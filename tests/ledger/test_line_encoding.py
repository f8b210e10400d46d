"""What a run writes: little, all of it, and nothing that could not be read."""

import json
from pathlib import Path

import pytest
from support import hostile
from support.scripted_run import GERMANY, device, record
from support.strategies import comparable

from green_callbacks import Plan, Verdict
from green_callbacks.accountant.ranks import protocol
from green_callbacks.ledger import Head, Lines, read_ledger
from green_callbacks.ledger.format import (
    PHASES,
    PLAN_AMOUNTS,
    PLAN_COUNTS,
    PLAN_DROPS,
    PLAN_FLAGS,
    PLAN_LANDING,
    PLAN_SHARED,
    PLAN_SPENT,
)
from green_callbacks.ledger.limits import MAX_LINE_BYTES
from green_callbacks.records import Checkpoints, DeviceInfo, PhaseEnergy

HEAD = Head(run_id="run-1", version="1.2.3")
BYTES_PER_EPOCH = 1_200


@pytest.fixture
def lines():
    made = Lines()
    made.head(HEAD)
    return made


def read(path, *parts):
    path.write_bytes(b"".join(parts))
    return read_ledger(path)


def fields(line):
    return [json.loads(each) for each in line.splitlines()]


def full_record(place, epoch):
    """An interval with two GPUs, processors and memory, all with bounds, as real sensors give them."""
    seconds = 60.0 + 1 / (place + 3) if epoch is not None else 0.7 + 1 / (place + 7)

    def used(watts, component, method, tolerance):
        joules = watts * seconds + place / 7
        low, high = joules * (1 - 1 / (place + 11)), joules * (1 + 1 / (place + 13))
        return device(joules, component, method, seconds, low_joules=low, high_joules=high, tolerance=tolerance)

    devices = {
        "gpu:GPU-8932f937-d72c-4106-c12f-20bd9faed9f6": used(301.7, "gpu", "counter", 0.05),
        "gpu:GPU-0932f937-d72c-4106-c12f-20bd9faed9f7": used(297.1, "gpu", "counter", 0.05),
        "cpu:package-0": used(101.3, "cpu", "counter", 0.0),
        "dram:model": used(19.9, "dram", "modelled", 0.3),
    }
    joules = sum(each.joules for each in devices.values())
    shares = {"train": 0.83, "validation": 0.16, "other": 0.01} if epoch is not None else {"other": 1.0}
    inside = {} if epoch is None else {"step": 391 * (epoch + 1), "learning_rate": 0.1 / (place + 1), "samples": 50_000}
    return record(epoch, seconds=seconds, devices=devices, **inside)._replace(
        phases={name: PhaseEnergy(joules * share, seconds * share) for name, share in shares.items()},
        metrics={} if epoch is None else {"val_acc": 1 - 1 / (place + 3), "val_loss": 1 / (place + 3)},
        verdicts=() if epoch is None else verdicts(place),
    )


def verdicts(place):
    """What a budget, MarginalGain and the forecast say of an epoch."""
    number = 1 / (place + 17)
    budget = {"green/budget_left_kg": 0.5 - number, "green/budget_share": number}
    gain = {"green/gain_per_kwh": 10 * number, "green/gain_per_kg": 30 * number, "green/gain_on_doubling": number / 3}
    forecast = {f"green/forecast_{each}": number * 7 for each in ("kg", "kwh", "seconds")}
    return (
        Verdict(stop=False, code="active", reason=f"{500 - place} g of the budget of 500 g are left.", values=budget),
        Verdict(stop=False, code="active", reason=f"The last {number} Wh bought {number} of val_acc.", values=gain),
        Verdict(stop=False, code="waiting", reason=f"The planned epochs will take {number} kWh.", values=forecast),
    )


def test_an_epoch_with_four_devices_two_policies_and_its_outside_row_takes_little(tmp_path, lines):
    history = [full_record(place, place // 2 if place % 2 else None) for place in range(200)]
    written = [lines.record(each) + lines.verdicts(each.verdicts) for each in history]
    steady = written[20:]
    assert sum(map(len, steady)) / (len(steady) / 2) <= BYTES_PER_EPOCH
    contents = read(tmp_path / "run.jsonl", Lines().head(HEAD), *written)
    assert list(contents.history) == [each._replace(verdicts=()) for each in history]


def test_devices_intensity_and_pue_are_said_once(lines):
    first, second = fields(lines.record(record(0))), fields(lines.record(record(1)))
    assert [each["type"] for each in first] == ["devices", "record"]
    (second,) = second
    assert {"intensity", "pue"} <= first[1].keys()
    assert not {"intensity", "pue"} & second.keys()
    assert first[0]["devices"] == [["gpu:0", "gpu", "counter", 0.05, []], ["cpu:0", "cpu", "modelled", 0.0, []]]


def test_what_changes_is_said_again_and_what_comes_back_is_known(tmp_path, lines):
    flagged = {"gpu:0": device(1.0, flags=("shared",))}
    dearer = GERMANY.__class__(g_per_kwh=500.0, source="a meter", found_by="provider")
    rows = [record(0), record(1, devices=flagged), record(2), record(3, intensity=dearer), record(4, pue=1.5)]
    written = [lines.record(each) for each in rows]
    assert [len(each.splitlines()) for each in written] == [2, 2, 1, 1, 1]
    assert list(read(tmp_path / "run.jsonl", Lines().head(HEAD), *written).history) == rows


def test_a_head_says_everything_anew(tmp_path, lines):
    lines.record(record(0))
    lines.verdicts(verdicts(0))
    after = [lines.head(HEAD), lines.record(record(1)), lines.verdicts(verdicts(0))]
    assert list(read(tmp_path / "run.jsonl", *after).history) == [record(1)]
    assert b"budget of 500 g" in after[-1]


def test_two_processes_on_one_file_are_told_apart(tmp_path):
    ours, theirs = Lines(), Lines()
    elsewhere = GERMANY.__class__(g_per_kwh=20.0, source="a meter", found_by="provider")
    foreign = {"intensity": elsewhere, "devices": {"tpu:0": device(7.0)}}
    rows = [record(0), record(0, **foreign), record(1), record(1, **foreign)]
    written = [ours.head(HEAD), theirs.head(HEAD)]
    written += [(ours, theirs)[place % 2].record(each) for place, each in enumerate(rows)]
    assert list(read(tmp_path / "run.jsonl", *written).history) == rows


def test_a_session_of_many_sets_of_devices_reads_back(tmp_path, lines, monkeypatch):
    for module in ("line_encoding", "_row_decoding"):
        monkeypatch.setattr(f"green_callbacks.ledger.{module}.SETS_PER_SESSION", 100)
    rows = [record(epoch, devices={f"gpu:{epoch}": device(1.0 + epoch)}) for epoch in range(250)]
    written = [lines.head(HEAD), *map(lines.record, rows), lines.record(rows[0])]
    assert list(read(tmp_path / "run.jsonl", *written).history) == [*rows, rows[0]]


def test_what_failed_to_become_a_line_has_not_been_said(tmp_path, lines):
    odd = record(0, devices={"odd": device(1.0)}, step="many")
    with pytest.raises(ValueError, match="many"):
        lines.record(odd)
    assert list(read(tmp_path / "run.jsonl", Lines().head(HEAD), lines.record(odd._replace(step=1))).history) == [
        odd._replace(step=1)
    ]


def test_verdicts_that_say_nothing_new_are_no_line(lines):
    said = verdicts(3)
    first = lines.verdicts(said)
    assert [len(each) for each in fields(first)[0]["values"]] == [2, 3, 3]
    assert lines.verdicts(said) == b""
    (numbers,) = fields(lines.verdicts(verdicts(4)))
    assert "changed" not in numbers
    stopping = Verdict(stop=True, code="stopping", reason="Enough.", values=said[0].values)
    (changed,) = fields(lines.verdicts((stopping, *said[1:])))[0]["changed"]
    assert (changed["policy"], changed["code"], changed["stop"], changed["reason"]) == (0, "stopping", True, "Enough.")
    assert lines.verdicts(()) != b""


def test_numbers_of_any_library_and_of_none_are_written(lines):
    class Odd:
        def __float__(self):
            raise TypeError

    values = {"a": float("nan"), "b": 10**400, "c": Odd(), "d": 1, "e": float("-inf")}
    (line,) = fields(lines.verdicts((Verdict(stop=False, code="waiting", reason="", values=values),)))
    assert line["values"] == [["nan", "nan", "nan", 1.0, "-inf"]]


def test_names_too_long_to_be_read_are_shortened_and_stay_different(tmp_path, lines):
    rows = record(0, metrics={"m" * 400 + each: 1.0 for each in "ab"})
    history = read(tmp_path / "run.jsonl", Lines().head(HEAD), lines.record(rows)).history
    assert len(history[0].metrics) == 2
    assert all(len(name) == 300 for name in history[0].metrics)


def test_a_record_of_more_metrics_than_a_line_holds_keeps_its_energy(tmp_path, lines, caplog):
    many = record(0, metrics={f"{'m' * 280}{number}": 1.0 for number in range(9_000)})
    line = lines.record(many)
    assert len(line) < MAX_LINE_BYTES
    (back,) = read(tmp_path / "run.jsonl", Lines().head(HEAD), line).history
    assert (back.energy_joules, back.metrics) == (many.energy_joules, {})
    assert "more metrics than fit into a line" in caplog.text


def test_energy_that_cannot_be_is_none_and_a_bound_below_nothing_is_nothing(tmp_path, lines):
    odd = {
        "a": device(float("inf"), low_joules=None, high_joules=None),
        "b": device(-1.0, low_joules=-2.0, high_joules=float("nan")),
    }
    (back,) = read(tmp_path / "run.jsonl", Lines().head(HEAD), lines.record(record(0, devices=odd))).history
    assert [(each.joules, each.low_joules, each.high_joules) for each in back.devices.values()] == [
        (None, None, None),
        (None, 0.0, None),
    ]


def test_a_head_comes_back(tmp_path):
    head = Head(
        run_id="run-1",
        version="1.2.3",
        plan=Plan(
            epochs=9,
            min_epochs=1,
            steps=900,
            epoch_steps=100,
            seconds=60.5,
            emissions_kg=0.1,
            learning_rate_drops=(3, 6),
            anneals=True,
            schedule_unreadable=True,
            spent_before_kg=1.5,
            spent_before_kwh=2.5,
        ),
        monitor="val_loss",
        mode="min",
        pue_source="argument",
        host="node-1",
        devices={"gpu:0": DeviceInfo("GPU-1", "A GPU", 400.0), "cpu:0": DeviceInfo()},
        labels={"project": "é\n"},
        versions={"python": "3.11"},
    )
    contents = read(tmp_path / "run.jsonl", Lines().head(head))
    for name in ("run_id", "version", "plan", "monitor", "mode", "pue_source", "host", "devices", "labels", "versions"):
        assert getattr(contents, name) == getattr(head, name), name


def test_every_phase_of_the_accountant_can_be_read():
    assert set(protocol.PHASES) == PHASES


def test_every_field_of_a_plan_is_written():
    assert {*PLAN_COUNTS, *PLAN_AMOUNTS, *PLAN_SPENT, *PLAN_FLAGS, PLAN_DROPS, PLAN_LANDING, PLAN_SHARED} == set(
        Plan.__slots__
    )


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -1, 10**400])
def test_a_plan_of_numbers_that_cannot_be_costs_no_ledger(tmp_path, odd):
    plan = Plan(anneals=True)
    for name in ("epochs", "seconds", "spent_before_kg"):
        object.__setattr__(plan, name, odd)  # a plan refuses it by itself
    assert read(tmp_path / "run.jsonl", Lines().head(Head(run_id="r", version="1", plan=plan))).plan == Plan(
        anneals=True
    )


def test_all_kinds_of_lines_end_with_a_line_break(lines):
    made = [
        lines.head(HEAD),
        lines.record(record(0)),
        lines.heartbeat(record(None)),
        lines.verdicts(verdicts(0)),
        lines.rewind(3, None),
        lines.plan(Plan(epochs=3)),
        lines.checkpoints("val_acc", Checkpoints("max", {"/a": 0}), Path("/logs")),
        lines.end("Enough.", None, 0),
    ]
    assert all(isinstance(each, bytes) and each.endswith(b"\n") for each in made)


def test_everything_in_a_record_comes_back(tmp_path, lines):
    rows = [hostile.record(place if place % 2 else None, place) for place in range(6)]
    history = read(tmp_path / "run.jsonl", Lines().head(HEAD), *map(lines.record, rows)).history
    assert [comparable(each) for each in history] == [comparable(each) for each in rows]
