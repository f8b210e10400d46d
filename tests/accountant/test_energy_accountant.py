import gc
import json
import logging
import threading
from math import isnan

import pytest
from support.runs import KG_PER_JOULE, WATTS, ListSink, scripted, train

from green_callbacks import EnergyAccountant, Plan, read_ledger
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError
from green_callbacks.sources import PowerSteps, ScriptedSource


def test_an_epoch_is_accounted_to_the_joule():
    accountant, clock = scripted(pue=1.2)
    accountant.start()
    accountant.begin_epoch(0)
    clock.advance(3600)
    accountant.observe({"val_acc": 0.9}, learning_rate=0.1, samples=100, step=7)
    record = accountant.end_epoch()
    assert record.epoch == 0
    assert record.complete
    assert record.duration_seconds == 3600
    assert record.energy_joules == WATTS * 3600
    assert record.energy_kwh == pytest.approx(0.3)
    assert record.facility_kwh == pytest.approx(0.36)
    assert record.emissions_kg == pytest.approx(0.36)
    assert record.mean_watts == WATTS
    assert record.measured_share == 1.0
    assert record.metrics == {"val_acc": 0.9}
    assert (record.learning_rate, record.samples, record.step) == (0.1, 100, 7)
    assert record.intensity.g_per_kwh == 1000.0
    assert record.devices["scripted:0"].joules == WATTS * 3600
    assert list(accountant.history) == [record]
    accountant.close()


def test_epochs_and_what_lies_outside_are_the_run():
    accountant, clock = scripted()
    accountant.start()
    clock.advance(5)
    train(accountant, clock, range(3), seconds=10, between=2)
    run = accountant.close()
    assert [(record.epoch, record.duration_seconds) for record in accountant.history] == [
        (None, 5.0),
        (0, 10.0),
        (None, 2.0),
        (1, 10.0),
        (None, 2.0),
        (2, 10.0),
        (None, 2.0),
    ]
    assert run.energy_joules == WATTS * 41
    assert run.epochs_joules == WATTS * 30
    assert run.outside_joules == WATTS * 11
    assert (run.epochs, run.duration_seconds) == (3, 41.0)
    assert run.emissions_kg == pytest.approx(WATTS * 41 * KG_PER_JOULE)
    assert run.devices["scripted:0"].joules == WATTS * 41


def test_phases_add_up_to_the_record():
    clock = ScriptedClock()
    source = ScriptedSource(PowerSteps([(0, 100), (6, 50), (8, 300)]), clock=clock)
    accountant, _ = scripted(clock, sources=[source])
    accountant.start()
    accountant.begin_epoch(0)
    clock.advance(6)
    with accountant.phase("validation"):
        clock.advance(2)
    clock.advance(1)
    accountant.phase("validation")
    clock.advance(1)
    record = accountant.end_epoch()
    assert {name: (phase.joules, phase.seconds) for name, phase in record.phases.items()} == {
        "train": (900.0, 7.0),
        "validation": (400.0, 3.0),
    }
    assert record.energy_joules == 1300.0
    accountant.close()


def test_phases_outside_epochs_are_named_too():
    accountant, clock = scripted()
    accountant.start()
    clock.advance(1)
    with accountant.phase("test"):
        clock.advance(4)
    accountant.close()
    (record,) = accountant.history
    assert {name: phase.seconds for name, phase in record.phases.items()} == {"other": 1.0, "test": 4.0}


def test_a_phase_that_there_is_not_is_refused():
    accountant, _ = scripted()
    accountant.start()
    with pytest.raises(ConfigurationError, match=r"no phase 'dreaming'\. The phases are train, validation"):
        accountant.phase("dreaming")
    accountant.close()


def test_a_phase_before_the_start_changes_nothing():
    accountant, _ = scripted()
    with accountant.phase("validation"):
        assert not accountant.is_live


def test_edges_within_a_millisecond_are_one():
    accountant, clock = scripted()
    accountant.start()
    accountant.begin_epoch(0)
    clock.advance(10)
    accountant.end_epoch()
    clock.advance(0.0005)
    accountant.begin_epoch(1)
    clock.advance(10)
    second = accountant.end_epoch()
    clock.advance(0.002)
    accountant.begin_epoch(2)
    clock.advance(10)
    accountant.end_epoch()
    assert second.duration_seconds == pytest.approx(10.0005)
    assert [record.epoch for record in accountant.history] == [0, 1, None, 2]
    assert accountant.close().energy_joules == pytest.approx(WATTS * 30.0025)


def test_metrics_observed_between_two_epochs_are_not_lost():
    accountant, clock = scripted()
    accountant.start()
    train(accountant, clock, [0])
    accountant.observe({"val_acc": 0.5})
    train(accountant, clock, [1])
    accountant.close()
    assert [(record.epoch, dict(record.metrics)) for record in accountant.history] == [
        (0, {}),
        (None, {"val_acc": 0.5}),
        (1, {}),
    ]


def test_observing_adds_samples_and_keeps_the_last_of_the_rest():
    accountant, clock = scripted()
    accountant.start()
    accountant.begin_epoch(0)
    accountant.observe({"a": 1, "b": 1}, learning_rate=0.1, samples=10, step=1)
    accountant.observe({"b": 2}, samples=5)
    accountant.observe(learning_rate=0.2, step=2)
    clock.advance(1)
    record = accountant.end_epoch()
    assert record.metrics == {"a": 1.0, "b": 2.0}
    assert (record.learning_rate, record.samples, record.step) == (0.2, 15, 2)
    assert accountant.close().samples == 15


class Scalar:
    """A number of another library: no float, but it can be made one."""

    def __init__(self, value):
        self.value = value

    def __float__(self):
        return float(self.value)

    def __int__(self):
        return int(self.value)


def test_numbers_of_other_libraries_reach_the_ledger():
    accountant, clock = scripted(ledger="run.jsonl", strict=True)
    accountant.start()
    accountant.begin_epoch(0)
    accountant.observe({"acc": Scalar(0.5)}, learning_rate=Scalar(0.1), samples=Scalar(3), step=Scalar(4))
    clock.advance(1)
    accountant.end_epoch()
    accountant.close()
    (record,) = read_ledger("run.jsonl").history
    assert (record.metrics, record.learning_rate, record.samples, record.step) == ({"acc": 0.5}, 0.1, 3, 4)


def test_metrics_may_be_nan_and_what_is_no_number_is_left_out():
    accountant, clock = scripted(ledger="run.jsonl", strict=True)
    accountant.start()
    accountant.begin_epoch(0)
    accountant.observe({"loss": float("nan"), "note": "good", "none": None, "inf": float("inf")})
    clock.advance(1)
    record = accountant.end_epoch()
    accountant.close()
    for metrics in (record.metrics, accountant.history[0].metrics, read_ledger("run.jsonl").history[0].metrics):
        assert isnan(metrics["loss"])
        assert metrics["inf"] == float("inf")
        assert metrics.keys() == {"loss", "inf"}


def test_starting_twice_is_starting_once():
    accountant, clock = scripted()
    assert accountant.start() is accountant
    clock.advance(1)
    assert accountant.start() is accountant
    run_id = accountant.run_id
    clock.advance(1)
    assert accountant.close().energy_joules == WATTS * 2
    assert accountant.run_id == run_id


def test_an_epoch_starts_a_run_that_was_not():
    accountant, clock = scripted()
    assert not accountant.is_live
    assert accountant.run_id == ""
    assert train(accountant, clock, [0])[0].energy_joules == WATTS * 10
    assert accountant.is_live
    accountant.close()
    assert not accountant.is_live


def test_closing_ends_an_open_epoch_as_incomplete():
    accountant, clock = scripted()
    accountant.start()
    clock.advance(1)
    accountant.begin_epoch(0)
    clock.advance(3)
    run = accountant.close()
    outside, record = accountant.history
    assert (outside.epoch, outside.energy_joules) == (None, WATTS)
    assert (record.epoch, record.complete, record.energy_joules) == (0, False, WATTS * 3)
    assert run.epochs == 0
    assert run.energy_joules == WATTS * 4
    assert accountant.close() == run


def test_an_epoch_that_is_still_open_is_ended_as_incomplete_by_the_next():
    accountant, clock = scripted()
    accountant.start()
    accountant.begin_epoch(0)
    clock.advance(3)
    accountant.begin_epoch(1)
    clock.advance(4)
    accountant.end_epoch()
    accountant.close()
    assert [(r.epoch, r.complete, r.energy_joules) for r in accountant.history] == [
        (0, False, WATTS * 3),
        (1, True, WATTS * 4),
    ]


def test_closing_without_having_started_gives_empty_totals():
    accountant, _ = scripted()
    run = accountant.close()
    assert (run.epochs, run.duration_seconds) == (0, 0.0)
    assert (run.energy_joules, run.energy_kwh, run.facility_kwh, run.emissions_kg, run.intensity) == (None,) * 5


def test_ending_an_epoch_that_never_began_measures_nothing_and_says_so(caplog):
    accountant, _ = scripted()
    for _ in range(2):
        record = accountant.end_epoch()
        assert not record.complete
        assert (record.epoch, record.energy_joules, record.emissions_kg) == (None, None, None)
        accountant.start()
    assert "Call begin_epoch() first" in caplog.text
    accountant.close()


def test_a_second_start_goes_on_with_the_totals():
    accountant, clock = scripted(ledger="run.jsonl")
    accountant.start()
    train(accountant, clock, range(2))
    first = accountant.close()
    clock.advance(1000)
    accountant.start()
    train(accountant, clock, range(2, 4))
    second = accountant.close()
    assert (first.energy_joules, second.energy_joules) == (WATTS * 20, WATTS * 40)
    assert second.run_id == first.run_id
    assert second.duration_seconds == 40.0
    assert [record.epoch for record in read_ledger("run.jsonl").history] == [0, 1, 2, 3]


def test_metrics_and_times_are_of_their_interval():
    accountant, clock = scripted()
    began = clock.now()
    accountant.start()
    first, second = train(accountant, clock, range(2), between=5)
    accountant.close()
    assert (first.started_at - began).total_seconds() == 0
    assert (second.started_at - began).total_seconds() == 15


def test_the_loop_begins_ends_and_counts_the_epochs():
    accountant, clock = scripted()
    with accountant:
        for epoch in accountant.epochs(3):
            clock.advance(10)
            accountant.observe({"val_acc": epoch / 10})
    assert [(r.epoch, r.metrics) for r in accountant.history] == [
        (0, {"val_acc": 0.0}),
        (1, {"val_acc": 0.1}),
        (2, {"val_acc": 0.2}),
    ]
    assert not accountant.is_live


@pytest.mark.parametrize("entered", [True, False])
def test_the_loop_tells_the_policies_how_long_it_is(entered):
    plans = []
    accountant, clock = scripted(policies=[lambda _, plan: plans.append(plan)], plan=Plan(min_epochs=2))
    if entered:
        accountant.start()
    for _ in accountant.epochs(3):
        clock.advance(1)
    accountant.close()
    assert plans == [Plan(epochs=3, min_epochs=2)] * 3


def test_what_the_user_plans_goes_before_what_the_framework_plans():
    plans = []
    accountant, clock = scripted(policies=[lambda _, plan: plans.append(plan)], plan=Plan(epochs=50))
    accountant.start(plan=Plan(epochs=1000, min_epochs=3))
    train(accountant, clock, [0])
    accountant.close()
    assert plans == [Plan(epochs=50, min_epochs=3)]


def test_an_exception_passes_through_and_the_epoch_is_kept():
    accountant, clock = scripted()

    def fail():
        with accountant:
            for _ in accountant.epochs(2):
                clock.advance(1)
                raise KeyError(0)

    with pytest.raises(KeyError, match="0"):
        fail()
    assert [(r.epoch, r.complete, r.energy_joules) for r in accountant.history] == [(0, False, WATTS)]
    assert not accountant.is_live


def test_the_loop_goes_on_after_the_last_epoch_of_its_ledger():
    first, clock = scripted(ledger="run.jsonl")
    with first:
        for epoch in first.epochs(5):
            if epoch == 2:
                clock.advance(2)
                break
            clock.advance(10)
    second, clock = scripted(ledger="run.jsonl")
    with second:
        done = [(epoch, clock.advance(10)) for epoch in second.epochs(5)]
    assert [epoch for epoch, _ in done] == [2, 3, 4]
    assert second.run_id == first.run_id
    assert second.close().energy_joules == WATTS * 52
    assert list(read_ledger("run.jsonl").history) == list(second.history)
    third, _ = scripted(ledger="run.jsonl")
    with third:
        assert list(third.epochs(5)) == []


def test_a_ledger_lies_in_the_working_folder_unless_told(tmp_path):
    accountant, clock = scripted(ledger=None)
    accountant.start()
    train(accountant, clock, [0])
    run = accountant.close()
    assert run.ledger == tmp_path / "green-callbacks" / f"{run.run_id}.jsonl"
    assert list(read_ledger(run.ledger).history) == list(accountant.history)


def test_a_ledger_lies_in_the_frameworks_folder_if_there_is_one(tmp_path):
    sink = ListSink()
    accountant, _ = scripted(ledger=None, sinks=[sink])
    accountant.start(folder="logs/version_0")
    run = accountant.close()
    assert run.ledger == tmp_path / "logs" / "version_0" / "green-callbacks" / f"{run.run_id}.jsonl"
    assert sink.contexts[0].folder.parts[-3:] == ("logs", "version_0", "green-callbacks")


def test_there_is_no_ledger_if_none_is_wanted(tmp_path):
    accountant, clock = scripted(ledger=False)
    accountant.start()
    train(accountant, clock, [0])
    assert accountant.close().ledger is None
    assert list(tmp_path.iterdir()) == []


def test_sinks_are_told_of_everything_in_order():
    sink = ListSink()
    accountant, clock = scripted(sinks=[sink])
    accountant.start(plan=Plan(epochs=2), writer=sink)
    clock.advance(1)
    train(accountant, clock, range(2))
    run = accountant.close()
    (context,) = sink.contexts
    assert (context.run_id, context.plan, context.writer) == (run.run_id, Plan(epochs=2), sink)
    assert len(context.before) == 0
    assert context.history is accountant.history
    assert [record.epoch for record in sink.records] == [None, 0, 1]
    assert sink.runs == [run]
    assert sink.closed == 1


def test_a_start_that_fails_leaves_nothing_behind(monkeypatch):
    accountant, clock = scripted(carbon_intensity=None)
    monkeypatch.setenv("GREEN_CALLBACKS_LOCATION", "Atlantis")
    with pytest.raises(ConfigurationError, match="Atlantis"):
        accountant.start()
    assert not accountant.is_live
    monkeypatch.setenv("GREEN_CALLBACKS_LOCATION", "DE")
    with accountant:
        clock.advance(1)
    assert accountant.close().energy_joules == WATTS


def test_the_place_is_guessed_at_the_start_with_one_warning(caplog):
    accountant, clock = scripted(carbon_intensity=None)
    assert caplog.text == ""
    for _fit in range(2):
        with accountant:
            train(accountant, clock, range(3))
    assert len([r for r in caplog.records if "No location was given" in r.message]) == 1
    assert accountant.close().intensity.found_by in {"time zone", "world average"}


def test_nothing_is_measured_where_nothing_can_be():
    accountant, clock = scripted(sources=[])
    accountant.start()
    (record,) = train(accountant, clock, [0])
    assert (record.energy_joules, record.emissions_kg, record.mean_watts, record.measured_share) == (None,) * 4
    run = accountant.close()
    assert (run.energy_joules, run.emissions_kg, run.epochs, run.duration_seconds) == (None, None, 1, 10.0)


def test_a_run_that_nobody_holds_closes_itself(caplog):
    sink = ListSink()
    accountant, clock = scripted(sinks=[sink], ledger="run.jsonl")
    accountant.start()
    train(accountant, clock, [0])
    clock.advance(3)
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("green_callbacks")]
    assert threads
    del accountant
    gc.collect()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert [record.epoch for record in sink.records] == [0, None]
    assert sink.closed == 1
    assert len(read_ledger("run.jsonl").history) == 2
    assert caplog.text == ""


def test_the_machine_is_measured_by_default(caplog):
    with caplog.at_level(logging.INFO), EnergyAccountant(location="FR", ledger=False, sinks=[]) as accountant:
        for _ in accountant.epochs(1):
            sum(range(1000))
    (record,) = [record for record in accountant.history if record.epoch == 0]
    assert record.devices
    assert record.intensity.zone == "FR"


def test_a_state_is_plain_json():
    accountant, clock = scripted(ledger="run.jsonl")
    accountant.start()
    train(accountant, clock, range(3), metrics=lambda epoch: {"val_acc": epoch})
    state = accountant.state_dict()
    accountant.close()
    assert json.loads(json.dumps(state, allow_nan=False)) == state
    assert state["run_id"] == accountant.run_id
    assert state["ledger"].endswith("run.jsonl")
