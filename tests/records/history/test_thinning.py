"""The state of a long history: small, and exact for whatever rules and summaries read."""

import json
import random
from dataclasses import replace

import pytest
from support.scripted_run import GERMANY, device, record
from support.strategies import comparable, totals_of

from green_callbacks import CarbonBudget, EpochRecord, History, MarginalGain, Plan
from green_callbacks.analysis import front
from green_callbacks.analysis.last_gain import last_gain
from green_callbacks.metrics import Metric
from green_callbacks.policies import Forecast
from green_callbacks.records import PhaseEnergy
from green_callbacks.records.history.state.thinning import MOST_EPOCHS

EPOCHS = 14_000
POLICIES = [
    MarginalGain("val_acc"),
    MarginalGain("val_acc", min_gain_per_kwh=1e-6),
    MarginalGain("val_acc", min_gain_per_kg=1e-6),
    MarginalGain("val_loss", acceptable=0.001),
    CarbonBudget("15 kg"),
    CarbonBudget("100 kWh", hard=False),
    Forecast((CarbonBudget("20 kg"),)),
]


def rows_of(epochs, seed, *, first=0):
    """Epochs with noise in everything, each with a row outside before it."""
    chance = random.Random(seed)
    for epoch in range(first, first + epochs):
        yield EpochRecord.scripted(emissions_kg=1e-5 * chance.random(), duration_seconds=0.1 + chance.random())
        yield EpochRecord.scripted(
            epoch=epoch,
            step=100 * epoch,
            emissions_kg=1e-3 * (1 + 0.1 * chance.random()),
            duration_seconds=9 + chance.random(),
            learning_rate=0.1 if epoch < EPOCHS // 4 else 0.01,
            metrics={
                "val_acc": 1 - 1 / (2 + epoch) ** 0.3 + chance.gauss(0, 0.01),
                "val_loss": 1 / (2 + epoch) ** 0.2 + chance.gauss(0, 0.001),
            },
        )._replace(samples=50, phases={"train": PhaseEnergy(1.0 + epoch, 3.0)})


def read_back(history):
    """The history as a checkpoint brings it back."""
    return History.from_columns(json.loads(json.dumps(history.to_columns(), allow_nan=False)))


@pytest.fixture(scope="module")
def long():
    return History(rows_of(EPOCHS, seed=1))


@pytest.fixture(scope="module")
def thinned(long):
    return read_back(long)


def told_by_rules(history):
    plans = (Plan(), Plan(epochs=2 * EPOCHS), Plan(steps=200 * EPOCHS, seconds=4e6))
    return [policy.decide(history, plan) for plan in plans for policy in POLICIES]


def test_a_history_of_up_to_ten_thousand_epochs_comes_back_whole():
    history = History(rows_of(MOST_EPOCHS, seed=2))
    back = read_back(history)
    assert not back.is_thinned
    assert len(back) == back.recorded_rows == 2 * MOST_EPOCHS
    assert totals_of(back) == totals_of(history)
    assert comparable(back[777]) == comparable(history[777])


def test_a_longer_one_is_thinned_and_says_of_how_many_records(long, thinned):
    assert thinned.is_thinned
    assert not long.is_thinned
    assert len(thinned) < 0.7 * len(long)
    assert thinned.recorded_rows == long.recorded_rows == 2 * EPOCHS


def test_rules_decide_as_by_the_whole_history(long, thinned):
    assert told_by_rules(thinned) == told_by_rules(long)


@pytest.mark.no_cover
def test_rules_decide_alike_as_the_run_goes_on_from_it_and_is_thinned_again(long, thinned):
    whole, resumed = long.copy(), read_back(thinned)
    for more in range(3):
        rows = list(rows_of(300, seed=more, first=EPOCHS + 300 * more))
        whole.extend(rows)
        resumed.extend(rows)
        assert told_by_rules(resumed) == told_by_rules(whole)
        resumed = read_back(resumed)
        assert told_by_rules(resumed) == told_by_rules(whole)
    assert resumed.recorded_rows == len(whole)
    assert resumed.finished_epochs == whole.finished_epochs
    assert resumed.outside_joules == pytest.approx(whole.outside_joules, rel=1e-9)


@pytest.mark.parametrize(("metric", "mode"), [("val_acc", "max"), ("val_loss", "min")])
def test_the_front_and_the_last_gain_are_those_of_the_whole_history(long, thinned, metric, mode):
    def points(history):
        return [(point.epoch, point.kg, point.value) for point in front(history, Metric(metric, mode))]

    assert points(thinned) == points(long)
    assert last_gain(thinned, Metric(metric, mode)) == last_gain(long, Metric(metric, mode))


def test_sums_and_counts_stay_whole(long, thinned):
    exact = ["emissions_kg", "facility_kwh", "duration_seconds", "emissions_low_kg", "emissions_high_kg"]
    exact += ["finished_epochs", "last_epoch", "steps", "samples", "metric_names"]
    assert {name: getattr(thinned, name) for name in exact} == {name: getattr(long, name) for name in exact}
    near = ["energy_joules", "epochs_joules", "outside_joules", "measured_share"]
    assert {name: getattr(thinned, name) for name in near} == pytest.approx(
        {name: getattr(long, name) for name in near}, rel=1e-9
    )
    assert thinned.most_phase_joules("train") == long.most_phase_joules("train")
    assert sum(each.energy_joules for each in thinned) == pytest.approx(long.energy_joules, rel=1e-9)
    assert sum(each.phases["train"].joules for each in thinned if each.phases) == pytest.approx(
        sum(each.phases["train"].joules for each in long if each.phases), rel=1e-9
    )


def test_the_last_records_are_the_original_ones(long, thinned):
    assert [comparable(each) for each in thinned[-1_000:]] == [comparable(each) for each in long[-1_000:]]


def test_a_rewind_of_the_last_epochs_is_the_same(long, thinned):
    whole, resumed = long.copy(), read_back(thinned)
    for history in (whole, resumed):
        history.rewind(EPOCHS - 100)
        history.extend(rows_of(50, seed=3, first=EPOCHS - 100))
    assert told_by_rules(resumed) == told_by_rules(whole)
    assert resumed.finished_epochs == whole.finished_epochs


def test_emissions_stay_exact_where_carbon_intensity_pue_and_devices_change():
    chance = random.Random(4)
    history = History()
    for epoch in range(MOST_EPOCHS + 2_000):
        grams = 300 + 100 * chance.random()
        intensity = replace(GERMANY, g_per_kwh=grams, low_g_per_kwh=grams - 50, high_g_per_kwh=grams + 70)
        devices = {"gpu:0": device(2_000.0 + epoch % 7, low_joules=1_990.0, tolerance=0.05)}
        if epoch % 10 == 0:
            devices = {"cpu:0": device(5.0, "cpu", "modelled"), "gpu:0": device(None, gap_seconds=2.0)}
        pue = 1.1 if epoch < 9_000 else 1.3
        history.append(record(epoch, devices=devices, intensity=intensity, pue=pue, metrics={"a": epoch % 13}))
    back = read_back(history)
    assert back.is_thinned
    assert back.emissions_kg == history.emissions_kg
    for name in ("emissions_kg", "emissions_low_kg", "emissions_high_kg", "facility_kwh"):
        summed = sum(getattr(each, name) or 0.0 for each in back)
        assert summed == pytest.approx(getattr(history, name), rel=1e-6), name
    assert back.device_totals()["cpu:0"].joules == pytest.approx(history.device_totals()["cpu:0"].joules)
    assert back.device_totals()["gpu:0"].gap_seconds == pytest.approx(history.device_totals()["gpu:0"].gap_seconds)


def test_parts_and_a_second_fit_stay_what_they_were():
    parts = [(fit, epoch, part) for fit in range(2) for epoch in range(20) for part in range(700)]
    history = History(
        EpochRecord.scripted(epoch=epoch, step=700 * epoch + part, emissions_kg=1e-4)._replace(
            closes_epoch=part == 699, metrics={"val_acc": fit + epoch / 20} if part == 699 else {}
        )
        for fit, epoch, part in parts
    )
    back = read_back(history)
    assert back.is_thinned
    assert back.finished_epochs == history.finished_epochs == 40
    assert back.finished_parts == history.finished_parts == 20 * 699
    spent = [each.cumulative_kg[each.fit_row - 1] for each in (history, back)]
    assert spent[0] == spent[1] > 0
    assert told_by_rules(back) == told_by_rules(history)


@pytest.mark.no_cover
def test_a_hundred_thousand_epochs_take_less_than_five_megabytes():
    history = History(rows_of(100_000, seed=5))
    state = json.dumps(history.to_columns())
    assert len(state) < 5e6
    back = History.from_columns(json.loads(state))
    assert back.recorded_rows == 200_000
    assert told_by_rules(back) == told_by_rules(history)


def test_many_devices_take_no_more():
    names = [f"gpu:{at}" for at in range(64)]
    devices = {name: device(1_000.0 / (3 + at), low_joules=1.0 / (7 + at)) for at, name in enumerate(names)}
    history = History(record(epoch, devices=devices) for epoch in range(9_000))
    assert len(json.dumps(history.to_columns())) < 5e6
    assert read_back(history).device_totals()["gpu:9"].joules == pytest.approx(
        history.device_totals()["gpu:9"].joules, rel=1e-9
    )


@pytest.mark.no_cover
def test_many_metrics_take_no_more():
    chance = random.Random(6)
    history = History(
        EpochRecord.scripted(epoch=at, emissions_kg=1e-3, metrics={f"class {n}": chance.random() for n in range(200)})
        for at in range(4_000)
    )
    assert len(json.dumps(history.to_columns())) < 5e6
    back = read_back(history)
    assert back.metric_names == history.metric_names
    assert back.metric("class 7").values[-50:] == history.metric("class 7").values[-50:]
    for mode in ("min", "max"):
        assert front(back, Metric("class 7", mode))[-1].value == front(history, Metric("class 7", mode))[-1].value
