import json

import pytest
from support.scripted_run import device, record

from green_callbacks import EpochRecord, History
from green_callbacks.records import DeviceEnergy, PhaseEnergy


@pytest.fixture
def history():
    return History(
        [
            EpochRecord.scripted(emissions_kg=0.1, duration_seconds=5.0),
            EpochRecord.scripted(epoch=0, emissions_kg=0.4, metrics={"val_acc": 0.5}, learning_rate=0.1, step=10),
            EpochRecord.scripted(emissions_kg=0.1),
            EpochRecord.scripted(epoch=1, emissions_kg=0.4, metrics={"loss": 2.0}, step=20),
        ]
    )


def test_it_reads_as_a_sequence(history):
    assert len(history) == 4
    assert [r.epoch for r in history] == [None, 0, None, 1]
    assert history[1] == history[-3] == list(history)[1]
    assert history[1:3] == [history[1], history[2]]
    assert history[::-2] == [history[3], history[1]]
    assert history[1] in history
    assert history.index(history[2]) == 2


@pytest.mark.parametrize("row", [4, -5])
def test_a_row_that_there_is_not_is_said(history, row):
    with pytest.raises(IndexError, match=f"holds 4 records, and none at {row}"):
        history[row]


def test_an_empty_history_has_no_totals():
    history = History()
    assert not history
    assert list(history) == []
    assert (history.emissions_kg, history.facility_kwh, history.duration_seconds) == (0.0, 0.0, 0.0)
    assert (history.energy_joules, history.epochs_joules, history.outside_joules) == (None, None, None)
    assert (history.emissions_low_kg, history.emissions_high_kg, history.measured_share) == (None, None, None)
    assert (history.last_epoch, history.finished_epochs, history.samples, history.steps) == (None, 0, None, None)
    assert history.device_totals() == {}
    assert [len(each) for each in history.metric("val_acc")] == [0, 0]
    assert list(History.from_columns(history.to_columns())) == []


def test_running_sums_and_rows_are_those_of_the_records(history):
    assert list(history.cumulative_kg) == pytest.approx([0.1, 0.5, 0.6, 1.0])
    assert list(history.cumulative_kwh) == pytest.approx([0.1, 0.5, 0.6, 1.0])
    assert list(history.cumulative_seconds) == [5.0, 6.0, 7.0, 8.0]
    assert list(history.epoch_rows) == [1, 3]
    assert (history.finished_epochs, history.last_epoch, history.steps) == (2, 1, 20)
    assert [history.epoch_at(row) for row in range(4)] == [None, 0, None, 1]
    assert [history.rows_until_spend(kg) for kg in (0.0, 0.3, 0.55, 2.0)] == [0, 1, 2, 4]


def test_metrics_stand_where_they_were_fresh(history):
    rows, values = history.metric("val_acc")
    assert (list(rows), list(values)) == ([1], [0.5])
    assert history.metric_names == ("val_acc", "loss")
    assert [list(column) for column in history.learning_rates] == [[1], [0.1]]
    assert history[3].metrics == {"loss": 2.0}


def test_parts_of_an_epoch_close_it_once():
    history = History(
        [record(0, closes_epoch=False, step=5), record(0, step=10), record(1, complete=False), record(1, step=None)]
    )
    assert list(history.epoch_rows) == [1, 3]
    assert (history.finished_epochs, history.last_epoch, history.steps) == (2, 1, 10)


def test_a_rewind_makes_outside_rows_of_what_is_done_again(history):
    kg, joules = list(history.cumulative_kg), history.energy_joules
    history.rewind(1)
    assert [r.epoch for r in history] == [None, 0, None, None]
    assert [r.complete for r in history] == [True, True, True, False]
    assert (list(history.cumulative_kg), history.energy_joules) == (kg, joules)
    assert (history.last_epoch, history.finished_epochs) == (0, 1)
    assert [len(each) for each in history.metric("loss")] == [0, 0]
    assert list(history.metric("val_acc").values) == [0.5]
    history.rewind(0)
    assert (history.last_epoch, history.epochs_joules) == (None, None)


def test_a_device_that_comes_and_goes_is_in_its_own_rows_only():
    history = History([record(0), record(1, devices={"late": device(5.0)}), record(2)])
    assert [sorted(r.devices) for r in history] == [["cpu:0", "gpu:0"], ["late"], ["cpu:0", "gpu:0"]]
    assert history.device_totals()["late"].joules == 5.0
    assert history.device_totals()["gpu:0"].joules == 6000.0


def test_totals_of_a_device_carry_its_least_direct_method_and_all_flags():
    mixed = [
        device(10.0, method="counter", gap_seconds=1.0, flags=("shared",)),
        device(20.0, method="modelled", tolerance=0.5, flags=("reset",)),
        device(None, method="sampled", gap_seconds=10.0),
    ]
    history = History([record(epoch, devices={"gpu:0": each}) for epoch, each in enumerate(mixed)])
    total = history.device_totals()["gpu:0"]
    assert (total.joules, total.method, total.tolerance) == (30.0, "modelled", 0.5)
    assert (total.duration_seconds, total.gap_seconds, total.flags) == (30.0, 11.0, ("reset", "shared"))
    assert history.measured_share is None  # the GPU did not answer for a third of the time


def test_what_was_not_measured_is_none_in_every_total():
    history = History([record(0, gpu_joules=None, cpu_joules=None)])
    assert (history.energy_joules, history.epochs_joules, history.measured_share) == (None, None, None)
    assert history[0].energy_joules is None
    assert history.device_totals()["gpu:0"].joules is None
    assert history.emissions_kg == 0.0


def test_phases_come_and_go():
    phases = [{"train": PhaseEnergy(1.0, 2.0)}, {}, {"train": PhaseEnergy(None, 3.0), "test": PhaseEnergy(4.0, 5.0)}]
    history = History([record(epoch, phases=each) for epoch, each in enumerate(phases)])
    assert [r.phases for r in history] == phases


def test_the_columns_of_a_constant_take_little_room():
    history = History([record(0) for _ in range(1000)])
    columns = history.to_columns()
    assert len(json.dumps(columns)) < 25_000, "25 bytes a row, of the running sums"
    back = History.from_columns(columns)
    assert list(back) == list(history)
    assert isinstance(back[0].devices["gpu:0"], DeviceEnergy)


def test_tokens_and_operations_are_summed_where_they_are_known():
    history = History([record(0, tokens=2**40, flops=1e21), record(1), record(2, tokens=7)])
    assert [(r.tokens, r.flops) for r in history] == [(2**40, 1e21), (None, None), (7, None)]
    assert (history.tokens, history.flops) == (2**40 + 7, 1e21)
    back = History.from_columns(history.to_columns())
    assert (list(back), back.tokens, back.flops) == (list(history), history.tokens, history.flops)
    assert (History().tokens, History().flops) == (None, None)


def test_what_is_derived_from_a_history_is_made_once_and_dropped_by_a_rewind(history):
    made = []
    for _ in range(2):
        assert history.memo(("here", 1), lambda: made.append(1) or made) is made
    history.append(record(2))
    assert history.memo(("here", 1), list) is made
    history.rewind(2)
    assert history.memo(("here", 1), list) == []


def test_what_was_of_an_epoch_and_is_not_is_lost():
    history = History([EpochRecord.scripted(epoch=0), EpochRecord.scripted(), EpochRecord.scripted(epoch=1)])
    assert [history.was_lost(row) for row in range(3)] == [False, False, False]
    history.rewind(1)
    assert [history.was_lost(row) for row in range(3)] == [False, False, True]
