"""A training on a scripted GPU, from the loader to the summary and back from the ledger."""

import json

import pytest

from green_callbacks import EnergyAccountant, read_ledger
from green_callbacks.analysis.findings import findings
from green_callbacks.clock import ScriptedClock
from green_callbacks.records import DeviceActivity
from green_callbacks.sources import ScriptedSource
from green_callbacks.summary import Summary

BUSY = {"utilization": 0.95, "thermal_share": 0.0, "power_cap_share": 0.0, "hardware_share": 0.0}


def loader(clock, seconds):
    for at in range(200):
        clock.advance(seconds)
        yield at


def trained(path, wait_seconds=0.0, after_seconds=0.0, outside=None, said=None, **facts):
    """Five epochs of 200 steps of 1 s each, on a GPU of 300 W that is observed all the time."""
    clock = ScriptedClock()
    busy = DeviceActivity(observed_seconds=1.0, **BUSY | facts)
    is_over = []

    def activity(seconds):
        return DeviceActivity(observed_seconds=1.0, utilization=0.0) if is_over else busy

    source = ScriptedSource({"gpu": 300.0}, clock=clock, component="gpu", activity=activity)
    accountant = EnergyAccountant(
        sources=[source],
        clock=clock,
        carbon_intensity=400.0,
        pue=1.0,
        sinks=[Summary(write=said.append)] if said is not None else [],
        ledger=path,
    )
    with accountant:
        for _ in accountant.epochs(5):
            for _ in accountant.steps(loader(clock, wait_seconds)):
                clock.advance(1.0)
        is_over.append(True)
        clock.advance(after_seconds)
    return accountant


PLANTED = {
    "data_wait": {"wait_seconds": 1.0, "utilization": 0.5},
    "overheated": {"thermal_share": 0.3},
    "braked": {"hardware_share": 0.3},
    "idle_outside": {"after_seconds": 3_600.0},
}


@pytest.mark.parametrize("key", PLANTED)
def test_a_fault_is_found_in_the_run_and_in_its_ledger(tmp_path, key):
    said = []
    accountant = trained(tmp_path / "a.jsonl", said=said, **PLANTED[key])
    (finding,) = findings(accountant.history)
    assert finding.key == key
    contents = read_ledger(tmp_path / "a.jsonl")
    assert findings(contents.history, contents.devices) == (finding,)
    assert " ".join(finding.text.split()) in " ".join(said[0].replace("\n", " ").split())


@pytest.mark.parametrize("facts", [{}, {"wait_seconds": 1.0}, {"utilization": 0.4}, {"after_seconds": 60.0}])
def test_a_healthy_run_has_no_finding(tmp_path, facts):
    said = []
    accountant = trained(tmp_path / "a.jsonl", said=said, **facts)
    assert findings(accountant.history) == ()
    assert "Finding" not in said[0]


def test_a_run_that_is_resumed_from_a_checkpoint_has_them_too(tmp_path):
    accountant = trained(tmp_path / "a.jsonl", **PLANTED["data_wait"])
    resumed = EnergyAccountant(ledger=False, sinks=[])
    resumed.load_state_dict(accountant.state_dict())
    assert findings(resumed.history) == findings(accountant.history)


def test_a_ledger_without_what_gpus_did_has_none(tmp_path):
    trained(tmp_path / "a.jsonl", **PLANTED["data_wait"])
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    old = [{name: value for name, value in line.items() if name != "activity"} for line in lines]
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in old))
    history = read_ledger(tmp_path / "b.jsonl").history
    assert (len(history.epoch_rows), findings(history)) == (5, ())
