"""A run by its epochs. Each row takes 4000 J at 360 gCO2e/kWh and a PUE of 1.25, which is 0.5 g."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hostile import hostile_ledgers
from support.landing_runs import gain, landed
from support.overviews import row, trained
from support.scripted_run import GERMANY, device, record
from support.strategies import records

from green_callbacks.errors import LedgerError
from green_callbacks.ledger import Head, LedgerContents, RunBudget, read_ledger
from green_callbacks.ledger.overview import overview_of
from green_callbacks.ledger.reader import read_quietly
from green_callbacks.page.rows import runs_of, shown_row
from green_callbacks.page.run_detail import run_of
from green_callbacks.page.stops import stop_of
from green_callbacks.records import Checkpoints, DeviceInfo, History, Plan
from green_callbacks.units import Amount

LISTS = ("epoch", "g", "low_g", "high_g", "total_g", "kwh", "total_kwh", "pue", "g_per_kwh", "measured", "q")
ROW_KWH = 4000 / 3.6e6


def contents(history, **fields):
    known = {"stop_reason": None, "is_closed": True, "plan": Plan(), "monitor": None, "mode": "max"}
    head = fields.pop("head", Head(run_id="run-1", version="1.2.3"))
    known |= {"pue_source": "argument", "checkpoints": {}, "head": head, **fields}
    return LedgerContents(run_id="run-1", history=history, **known)


def detail(history, *, most=1_000, **fields):
    found = run_of(contents(history, **fields), "k", most=most)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert {len(found[name]) for name in LISTS} == {found["points"]}
    return found


def facts(found):
    return {title: dict(pairs) for title, pairs in found["facts"]}


def test_each_epoch_is_a_point():
    found = detail(trained(4))
    assert (found["points"], found["epochs_a_point"], found["epoch"]) == (4, 1, [0, 1, 2, 3])
    assert found["g"] == pytest.approx([0.5] * 4)
    assert found["total_g"] == pytest.approx([1.0, 1.5, 2.0, 2.5])
    assert found["kwh"] == pytest.approx([ROW_KWH] * 4, rel=1e-4)
    assert found["total_kwh"] == pytest.approx([ROW_KWH * rows for rows in (2, 3, 4, 5)], rel=1e-4)
    assert (found["pue"], found["g_per_kwh"]) == ([1.25] * 4, [360.0] * 4)
    assert (found["measured"], found["q"]) == ([0.75] * 4, [0.5, 0.6, 0.7, 0.8])
    assert found["outside_g"] == pytest.approx(1.0)
    assert all(low < mid < high for low, mid, high in zip(found["low_g"], found["g"], found["high_g"], strict=True))


def test_a_long_run_has_means_of_equal_buckets():
    found = detail(trained(25), most=10)
    assert (found["points"], found["epochs_a_point"]) == (9, 3)
    assert found["epoch"] == [2, 5, 8, 11, 14, 17, 20, 23, 24]
    assert found["g"] == pytest.approx([0.5] * 9)
    assert found["total_g"][-1] == pytest.approx(13.0)
    assert found["q"][:2] == pytest.approx([0.7, 1.0])


@pytest.mark.no_cover
@given(st.lists(records(), max_size=8), st.integers(1, 5))
def test_points_and_the_rest_are_the_whole(given_records, most):
    history = History(given_records)
    found, ends = detail(history, most=most), len(history.epoch_rows)
    assert found["points"] <= most
    if history.energy_joules is None:
        assert (found["outside_g"], set(found["total_g"]) <= {None}) == (None, True)
        return
    whole = detail(history)
    assert len(whole["g"]) == ends or ends > 1_000
    inside = sum(value for value in whole["g"] if value is not None)
    total_g = 1000 * history.emissions_kg
    assert inside + found["outside_g"] == pytest.approx(total_g, rel=1e-4, abs=1e-12 * total_g + 1e-300)


def test_parts_belong_to_their_epoch():
    parts = [record(0, closes_epoch=False, metrics={"val_acc": 0.4}), record(0, metrics={"val_acc": 0.5}), record(1)]
    found = detail(History(parts))
    assert found["epoch"] == [0, 1]
    assert found["g"] == pytest.approx([1.0, 0.5])
    assert found["q"] == [0.5, None]
    assert found["outside_g"] == 0.0


def test_an_epoch_that_was_cut_short_lies_outside():
    found = detail(History([record(0), record(1, complete=False)]))
    assert found["epoch"] == [0]
    assert found["outside_g"] == pytest.approx(0.5)


def test_an_open_epoch_lies_outside_until_it_ends():
    found = detail(History([record(0), record(1, closes_epoch=False)]))
    assert (found["epoch"], found["outside_g"]) == ([0], pytest.approx(0.5))


def test_repeated_epochs_lie_outside():
    history = History([record(0), record(1), record(2)])
    history.rewind(1)
    history.append(record(1))
    found = detail(history)
    assert found["epoch"] == [0, 1]
    assert found["outside_g"] == pytest.approx(1.0)
    assert found["total_g"] == pytest.approx([0.5, 2.0])


def test_energy_between_two_epochs_is_in_the_sum_and_in_no_point():
    found = detail(History([record(0), record(None), record(1)]))
    assert found["g"] == pytest.approx([0.5, 0.5])
    assert found["total_g"] == pytest.approx([0.5, 1.5])


def test_a_grid_that_changes_is_seen():
    green = replace(GERMANY, g_per_kwh=90.0)
    found = detail(History([record(0), record(1, intensity=green, pue=1.5), record(2)]), most=2)
    assert found["g_per_kwh"] == pytest.approx([(360 * 1.25 + 90 * 1.5) / 2.75, 360.0], rel=1e-4)
    assert found["pue"] == pytest.approx([1.375, 1.25])


def test_an_epoch_without_energy_is_no_zero():
    history = History([record(0), record(1, gpu_joules=None, cpu_joules=None), record(2)])
    found = detail(history)
    assert found["g"] == [pytest.approx(0.5), None, pytest.approx(0.5)]
    assert (found["kwh"][1], found["pue"][1], found["g_per_kwh"][1], found["measured"][1]) == (None,) * 4
    assert detail(history, most=1)["g"] == pytest.approx([0.5])


def test_a_gpu_that_was_not_measured_leaves_the_share_unknown():
    found = detail(History([record(0), record(1, gpu_joules=None), record(2)]))
    assert found["measured"] == [0.75, None, 0.75]
    note = "This counts the CPU only: the GPU is not measured."
    assert facts(detail(History([record(0, gpu_joules=None)])))["Totals"]["note"] == note


def test_a_run_without_records_has_no_points():
    found = detail(History())
    assert (found["points"], found["epochs_a_point"], found["outside_g"]) == (0, 1, None)


def test_the_metric_is_the_metric_of_the_command_line():
    metrics = {"val_loss": 0.3, "val_acc": 0.6, "train_acc": 0.9}
    history = History([record(0, metrics=metrics)])
    assert detail(history)["q"] == [0.6]
    assert detail(history, monitor="train_acc")["q"] == [0.9]
    assert detail(History([record(0, metrics={"val_odd": 1.0})]))["q"] == [None]


def test_landing_and_stop_are_told(tmp_path):
    path = tmp_path / "runs" / "run.jsonl"
    landed(gain(), ledger=path)
    found = run_of(read_ledger(path), "k")
    assert found["verdicts"] == [[11, "landing"], [14, "stopping"]]
    assert facts(found)["Totals"]["landing"].startswith("the learning rate went to zero. It took 3 epochs")
    assert detail(trained(2))["verdicts"] == []


def test_facts_are_the_facts_of_the_page_in_tensorboard():
    from support.scripted_run import finished, run_context

    from green_callbacks.sinks.tensorboard.provenance_page import final_page

    history = trained(3)
    page = final_page(finished(history), run_context("logs", history, pue_source="argument"))
    told = facts(detail(history))
    for title in ("Totals", "Origin of the numbers"):
        for label, value in told[title].items():
            if label not in ("quality on the charts", "run"):
                assert f"| {label} | {value} |" in page
    assert told["Origin of the numbers"]["quality on the charts"] == "val_acc, more is better"


def test_facts_name_devices_budgets_checkpoints_notices_and_versions():
    budgets = (RunBudget(Amount(0.01, "emissions_kg"), None), RunBudget(Amount(1.0, "facility_kwh"), "logs"))
    found = detail(
        trained(2),
        head=Head(run_id="run-1", version="1.2.3", budgets=budgets),
        checkpoints={"val_acc": Checkpoints("max", {"/home/me/secret/best.ckpt": 2})},
        devices={"gpu:0": DeviceInfo(product="NVIDIA A100")},
        notices={"gpu": "One GPU is not measured."},
        labels={"project": "digits"},
        version="1.2.3",
        versions={"torch": "2.9.0"},
        host="node01",
    )
    told = facts(found)
    assert told["Devices"]["gpu:0"] == "NVIDIA A100, gpu, energy counter, ± 5 %"
    assert told["Budgets"]["of this run"] == "10.0 g. This run spent 2.00 g, 20 %"
    assert told["Budgets"]["of all runs of logs"] == "1.00 kWh. This run spent 5.56 Wh, 0.56 %"
    assert told["Checkpoints"] == {"best.ckpt": "epoch 1, val_acc 0.6000, 1.50 g CO2e"}
    assert told["Notices"] == {"note": "One GPU is not measured."}
    assert told["Labels"] == {"project": "digits"}
    assert told["Versions"] == {"green_callbacks": "1.2.3", "torch": "2.9.0"}
    assert told["Origin of the numbers"]["machine"] == "node01"
    assert "secret" not in json.dumps(found)


def test_a_spending_that_is_not_known_is_said():
    budgets = (RunBudget(Amount(0.01, "emissions_kg"), None),)
    history = History([record(0, gpu_joules=None, cpu_joules=None)])
    told = facts(detail(history, head=Head(run_id="run-1", version="1", budgets=budgets)))
    assert told["Budgets"]["of this run"] == "10.0 g. The spending of this run is not known"
    assert "Checkpoints" not in told


def test_invisible_and_endless_texts_do_not_reach_the_page():
    notices = {str(number): f"a\u202e{number}" for number in range(60)}
    found = detail(trained(1), notices=notices, labels={"x\x1b": "y" * 5_000})
    told = dict(found["facts"])
    assert told["Notices"][0] == ["note", "a\\u202e0"]
    assert told["Notices"][-1] == ["more", "10 more are in the ledger"]
    assert told["Labels"] == [["x\\x1b", "y" * 997 + "..."]]


def test_a_device_that_was_shared_has_its_note():
    shared = {"gpu:0": device(3000.0, "gpu", "modelled", flags=("shared",))}
    assert facts(detail(History([record(0, devices=shared)])))["Devices"]["gpu:0"].endswith("shared")


def test_a_tolerance_that_is_not_stated_is_named():
    unknown = {"gpu:0": device(3000.0, "gpu", "counter")._replace(tolerance=0.0)}
    assert "tolerance not stated" in facts(detail(History([record(0, devices=unknown)])))["Devices"]["gpu:0"]


def test_a_second_fit_follows_the_first():
    found = detail(History([record(0), record(1), record(0), record(1)]))
    assert found["epoch"] == [0, 1, 0, 1]
    assert found["total_g"] == pytest.approx([0.5, 1.0, 1.5, 2.0])


def test_whatever_a_ledger_holds_the_page_has_plain_json(tmp_path):
    path, answered = tmp_path / "run.jsonl", 0
    for _, data in hostile_ledgers(150, seed=3):
        path.write_bytes(data)
        try:
            known, remark = read_quietly(path)
        except LedgerError:
            continue
        whole = row(overview_of(path, known, remark))
        found = [shown_row(whole), run_of(known, "k"), run_of(known, "k", most=2)]
        found += [stop_of(known, "k", rule) for rule in ("budget=1 g", "marginal-gain:val_acc,landing=0.2")]
        json.dumps([*found, runs_of([whole], folder="logs", read=1, of=1)], allow_nan=False)
        answered += 1
    assert answered > 100
