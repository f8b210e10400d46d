"""What devices did besides using energy, from the source to record, history and ledger."""

from contextlib import ExitStack

import pytest

from green_callbacks import EnergyAccountant
from green_callbacks.clock import ScriptedClock
from green_callbacks.ledger import read_ledger
from green_callbacks.records import ActivityTotals, DeviceActivity
from green_callbacks.sources import ScriptedSource

BUSY = DeviceActivity(1.0, utilization=0.75, sm_mhz=1500.0, throttled_share=0.25, power_cap_share=0.25, limit_watts=300)
GPUS = {"gpu:0": 300.0, "gpu:1": 200.0}


class Told(ScriptedSource):
    """Says what it is told about its device, of any type."""

    told: object = None

    def activity(self):
        if isinstance(self.told, Exception):
            raise self.told
        return self.told


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def run_of(clock):
    with ExitStack() as ending:

        def started(*sources, **options):
            accountant = EnergyAccountant(
                sources=sources, location="DE", clock=clock, ledger=False, sinks=[], **options
            )
            accountant.start()
            ending.callback(accountant.close)
            return accountant

        yield started


def trained(accountant, clock, epochs=2, seconds=60.0, outside=20.0):
    for epoch in range(epochs):
        clock.advance(outside)
        accountant.begin_epoch(epoch)
        clock.advance(seconds)
        accountant.end_epoch()
    return accountant.history


def test_a_record_holds_what_its_device_did(clock, run_of):
    history = trained(run_of(ScriptedSource(GPUS, activity={"gpu:0": BUSY}, clock=clock)), clock)
    outside, first, *_ = history
    assert first.activity == {"gpu:0": BUSY._replace(observed_seconds=60.0)}
    assert outside.activity == {"gpu:0": BUSY._replace(observed_seconds=20.0)}
    assert history.activity()["gpu:0"].observed_seconds == 120.0
    assert history.activity(outside=True)["gpu:0"].observed_seconds == 40.0


def test_idle_time_outside_epochs_is_told_apart(clock, run_of):
    def script(seconds):
        return DeviceActivity(1.0, utilization=0.0 if seconds % 80 < 20 else 1.0)

    run = run_of(ScriptedSource(300.0, activity=script, clock=clock))
    history = trained(run, clock, epochs=3)
    assert history.activity()["scripted:0"].utilization == 1.0
    assert history.activity(outside=True)["scripted:0"].utilization == 0.0
    totals = run.close()
    assert totals.activity == history.activity()
    assert totals.outside_activity == history.activity(outside=True)


def test_a_source_that_knows_nothing_leaves_nothing(clock, run_of):
    history = trained(run_of(ScriptedSource(300.0, clock=clock)), clock)
    assert all(record.activity == {} for record in history)
    assert history.activity() == {}


def test_a_lost_device_is_not_observed(clock, run_of):
    source = ScriptedSource(300.0, activity=BUSY, lost_seconds=[(20.0, 50.0)], clock=clock)
    _, epoch, *_ = trained(run_of(source), clock)
    assert epoch.activity["scripted:0"].observed_seconds == pytest.approx(30.0, abs=1.0)


def test_parts_of_an_epoch_add_up(clock, run_of):
    run = run_of(ScriptedSource(300.0, activity=BUSY, clock=clock), decide_every="30 s")
    run.begin_epoch(0)
    for _ in run.steps(range(12)):
        clock.advance(10.0)
    run.end_epoch()
    assert len(run.history) > 2
    assert run.history.activity()["scripted:0"].observed_seconds == pytest.approx(120.0)


def test_marks_of_phases_change_nothing(clock, run_of):
    run = run_of(ScriptedSource(300.0, activity=BUSY, clock=clock))
    run.begin_epoch(0)
    clock.advance(30.0)
    with run.phase("validation"):
        clock.advance(30.0)
    assert run.end_epoch().activity["scripted:0"].observed_seconds == 60.0


def test_a_ledger_and_a_resumed_run_keep_it(clock, tmp_path):
    path = tmp_path / "run.jsonl"
    source = ScriptedSource(300.0, activity=BUSY, clock=clock)
    run = EnergyAccountant(sources=[source], location="DE", clock=clock, ledger=path, sinks=[])
    run.start()
    history = trained(run, clock)
    state = run.state_dict()
    told = [record.activity for record in history]
    run.close()
    assert [record.activity for record in read_ledger(path).history] == told

    again = EnergyAccountant(sources=[source], location="DE", clock=clock, ledger=path, sinks=[])
    again.load_state_dict(state)
    again.start()
    assert [record.activity for record in again.history][: len(told)] == told
    again.begin_epoch(2)
    clock.advance(10.0)
    assert again.end_epoch().activity["scripted:0"].observed_seconds == 10.0
    again.close()


def test_two_runs_of_a_process_see_the_same_device(clock, run_of):
    source = ScriptedSource(300.0, activity=BUSY, clock=clock)
    first = run_of(source)
    first.begin_epoch(0)
    clock.advance(30.0)
    record = first.end_epoch()
    assert record.activity["scripted:0"].utilization == 0.75


@pytest.mark.parametrize("told", [ValueError("no"), None, 5, {"scripted:0": 3}, {"scripted:0": None}])
def test_a_source_that_tells_nonsense_costs_a_message_and_no_training(clock, run_of, caplog, told):
    source = Told(300.0, clock=clock)
    source.told = told
    history = trained(run_of(source), clock)
    assert all(record.activity == {} for record in history)
    assert "Correct its activity()" in caplog.text
    assert [record.energy_joules for record in history if record.epoch is not None] == [18000.0, 18000.0]


def test_nonsense_within_totals_is_left_out(clock, run_of):
    source = Told(300.0, clock=clock)
    run = run_of(source)
    source.told = {"scripted:0": ActivityTotals(0.0)}
    run.begin_epoch(0)
    clock.advance(10.0)
    source.told = {"scripted:0": ActivityTotals(0.0, 5.0, ("x",) * 7, (5.0,) * 7, 3.0)}
    assert run.end_epoch().activity == {}
