"""Groups of runs, read from ledgers."""

import shutil
from pathlib import Path

import pytest
from support.runs import scripted, train

from green_callbacks.analysis.comparing import ComparedRun, Group, RunConditions, metric_of_groups, read_group
from green_callbacks.errors import ConfigurationError, LedgerError
from green_callbacks.ledger import LedgerContents
from green_callbacks.records import DeviceInfo, EpochRecord, History, Plan
from green_callbacks.records.activity import DeviceActivity


@pytest.fixture
def ledger(tmp_path):
    """Write the ledger of a run at 300 W and 1000 g/kWh with epochs of a minute."""

    def write(name, epochs=4, *, metrics=lambda epoch: {"val_acc": 0.5 + 0.1 * epoch}, **options):
        path = tmp_path / "runs" / f"{name}.jsonl"
        accountant, clock = scripted(ledger=path, **options)
        accountant.start()
        train(accountant, clock, range(epochs), seconds=60.0, metrics=metrics)
        accountant.close()
        return path

    return write


def test_points_hold_the_cost_until_then(ledger):
    [run] = read_group("one", [ledger("a")], "val_acc").runs

    assert [point.epoch for point in run.points] == [0, 1, 2, 3]
    assert [point.value for point in run.points] == pytest.approx([0.5, 0.6, 0.7, 0.8])
    assert [point.seconds for point in run.points] == pytest.approx([60.0, 120.0, 180.0, 240.0])
    assert [point.kwh for point in run.points] == pytest.approx([0.005, 0.01, 0.015, 0.02])
    assert [point.kg for point in run.points] == pytest.approx([0.005, 0.01, 0.015, 0.02])
    assert run.points[-1] == run.points[3]
    assert run.points[1:3] == [run.points[1], run.points[2]]
    assert (run.epochs, run.kwh, run.is_closed) == (4, pytest.approx(0.02), True)


def test_a_folder_is_a_group_and_other_files_are_skipped(ledger):
    folder = ledger("a").parent
    ledger("b")
    (folder / "notes.jsonl").write_text('{"type":"note"}\n')
    assert len(read_group("all", [folder], "val_acc").runs) == 2


def test_a_pattern_and_its_folder_count_each_file_once(ledger):
    folder = ledger("a1").parent
    ledger("a2")
    ledger("b1")
    assert len(read_group("a", [folder / "a*.jsonl"], "val_acc").runs) == 2
    assert len(read_group("all", [folder / "a*.jsonl", folder, folder / "a1.jsonl"], "val_acc").runs) == 3


def test_a_pattern_of_folders_leads_to_the_ledgers_below_them(ledger):
    folder = ledger("new/a").parent
    ledger("new/below/b")
    ledger("old/c")
    assert len(read_group("new", [folder.parent / "n*"], "val_acc").runs) == 2
    assert len(read_group("all", [folder.parent / "*"], "val_acc").runs) == 3


def test_copies_of_a_run_are_united_and_said(ledger, caplog):
    path = ledger("a")
    shutil.copy(path, path.with_name("copy.jsonl"))
    [run] = read_group("one", [path.parent], "val_acc").runs
    assert run.kwh == pytest.approx(0.02)
    assert caplog.text.count("copy.jsonl") == 1


def test_labels_choose_runs(ledger):
    folder = ledger("a", labels={"method": "new", "seed": "1"}).parent
    ledger("b", labels={"method": "old", "seed": "1"})
    ledger("c")
    [run] = read_group("new", [folder], "val_acc", {"method": ["new"]}).runs
    assert (run.labels["method"], run.seed) == ("new", "1")
    assert len(read_group("both", [folder], "val_acc", {"method": ["new", "old"], "seed": ["1"]}).runs) == 2
    with pytest.raises(LedgerError, match=r"No run has the label method=none\. .* \(method=new, method=old\)"):
        read_group("x", [folder], "val_acc", {"method": ["none"]})
    with pytest.raises(LedgerError, match=r"No run has the label lr=1, nor another value of it\. Check"):
        read_group("x", [folder], "val_acc", {"lr": ["1"]})


def test_what_is_no_ledger_is_refused(tmp_path):
    with pytest.raises(LedgerError, match="There is no ledger"):
        read_group("x", [tmp_path], "val_acc")
    with pytest.raises(LedgerError, match="There is no ledger"):
        read_group("x", [tmp_path / "none.jsonl"], "val_acc")
    (tmp_path / "text.jsonl").write_text("no ledger")
    with pytest.raises(LedgerError, match="ledger"):
        read_group("x", [tmp_path / "text.jsonl"], "val_acc")


def test_the_direction_comes_from_the_user_the_run_or_the_name(ledger):
    group = read_group("one", [ledger("a", metrics=lambda epoch: {"val_acc": 0.5, "odd": epoch})], "val_acc")
    assert metric_of_groups([group], "val_acc").mode == "max"
    assert metric_of_groups([group], "val_acc", "min").mode == "min"
    with pytest.raises(ConfigurationError, match=r"No run has a value of accuracy\..*\(val_acc, odd\)"):
        metric_of_groups([group], "accuracy")
    with pytest.raises(ConfigurationError, match="Add --mode"):
        metric_of_groups([Group("one", group.runs)], "odd")


def test_a_run_without_an_epoch_has_no_points(ledger):
    [run] = read_group("one", [ledger("a", epochs=0)], "val_acc").runs
    assert (len(run.points), run.epochs, run.began_epochs) == (0, 0, False)


def test_the_conditions_of_a_run(ledger):
    [run] = read_group("one", [ledger("a", pue=1.5)], "val_acc").runs
    facts = run.conditions
    assert (facts.pue, facts.g_per_kwh, facts.modelled_share, facts.throttled_share) == (1.5, 1000.0, 0.0, None)
    assert facts.components == {"gpu"}
    assert (sum(facts.gpus.values()), facts.repeated_kwh_share, facts.fits) == (1, 0.0, False)
    assert "python" in {name.lower() for name in facts.versions}


def contents(*records, history=None, **fields):
    known = {"stop_reason": None, "is_closed": True, "plan": Plan(), "monitor": None, "mode": "max", "checkpoints": {}}
    history = History(records) if history is None else history
    return LedgerContents(run_id="run", history=history, pue_source="given", **known, **fields)


def test_what_gpus_did_is_a_condition():
    record = EpochRecord.scripted(epoch=7, emissions_kg=1.0)
    busy = DeviceActivity(60.0, throttled_share=0.5, limit_watts=300.0)
    idle = DeviceActivity(180.0, throttled_share=0.1, limit_watts=500.0)
    activity = {"gpu0": busy, "gpu1": idle, "gpu2": DeviceActivity(9.0)}
    facts = RunConditions.of(contents(record._replace(activity=activity)))
    assert facts.throttled_share == pytest.approx((60 * 0.5 + 180 * 0.1) / 240)
    assert (facts.limit_watts, facts.first_epoch) == (400.0, 7)


def test_products_and_samples_are_conditions():
    device = EpochRecord.scripted(epoch=0, emissions_kg=1.0).devices["scripted"]._replace(component="gpu")
    part = EpochRecord.scripted(epoch=0, emissions_kg=1.0)._replace(samples=40)
    parts = [part._replace(closes_epoch=False), part]
    records = [record._replace(devices={"gpu0": device, "gpu1": device}) for record in parts]
    info = {"gpu0": DeviceInfo(product="NVIDIA A100"), "gpu1": DeviceInfo(product="NVIDIA A100")}
    facts = RunConditions.of(contents(*records, devices=info))
    assert (facts.gpus, facts.epoch_samples) == ({"NVIDIA A100": 2}, 80)


def test_time_without_energy_and_repeated_epochs_are_shares():
    first = EpochRecord.scripted(epoch=0, emissions_kg=1.0, duration_seconds=30.0, metrics={"val_acc": 0.9})
    history = History([first, first._replace(epoch=1, devices={}, duration_seconds=10.0)])
    history.rewind(0)
    history.append(first)
    run = ComparedRun.of(Path("run.jsonl"), contents(history=history), "val_acc")
    assert run.unmeasured_share == pytest.approx(10 / 70)
    assert run.conditions.repeated_kwh_share == pytest.approx(0.5)
    assert [(point.epoch, point.kwh) for point in run.points] == [
        (0, pytest.approx(2.0))
    ]  # the repeated epoch was paid


def test_gaps_of_a_device_are_time_without_a_measurement():
    record = EpochRecord.scripted(epoch=0, emissions_kg=1.0, duration_seconds=30.0)
    device = record.devices["scripted"]._replace(gap_seconds=12.0)
    read = contents(record._replace(devices={"cpu": device, "gpu": record.devices["scripted"]}))
    assert ComparedRun.of(Path("run.jsonl"), read, "val_acc").unmeasured_share == pytest.approx(0.4)


def test_runs_without_a_name_are_not_taken_for_one_run(ledger, tmp_path):
    found = []
    for side in ("new", "old"):
        ledger(f"{side}/good")
        (tmp_path / "runs" / side / "cut.jsonl").write_bytes(b'{"type":"run","schema":2,"run_i')
        found.append({run.run_id for run in read_group(side, [tmp_path / "runs" / side], "val_acc").runs})
    assert len(found[0]) == len(found[1]) == 2
    assert not found[0] & found[1]
