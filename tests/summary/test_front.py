from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.records import EpochRecord, History
from green_callbacks.summary import FrontPoint, NextDoubling, front, knee
from green_callbacks.summary._front import bought, doubling


def learning(*values, metric="val_acc", kg=1.0):
    """Epochs of 1 kg each after which the metric has these values."""
    return History(EpochRecord.scripted(epoch=e, emissions_kg=kg, metrics={metric: v}) for e, v in enumerate(values))


def test_the_front_is_every_new_best():
    assert front(learning(0.5, 0.8, 0.7, float("nan"), 0.9, 0.9), "val_acc", "max") == [
        FrontPoint(0, 1.0, 0.5, 0),
        FrontPoint(1, 2.0, 0.8, 1),
        FrontPoint(4, 5.0, 0.9, 4),
    ]
    assert [point.value for point in front(learning(2.0, 3.0, 1.0), "val_acc", "min")] == [2.0, 1.0]
    assert front(learning(0.5), "another", "max") == []


def test_a_better_value_at_no_further_cost_takes_the_place_of_the_one_before():
    assert front(learning(0.5, 0.8, kg=0.0), "val_acc", "max") == [FrontPoint(1, 0.0, 0.8, 1)]


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan"))), st.sampled_from(["max", "min"]))
def test_every_point_is_dearer_and_better_than_the_one_before(values, mode):
    points = front(learning(*values), "val_acc", mode)
    kg, kept = [point.kg for point in points], [point.value for point in points]
    assert kg == sorted(set(kg))
    assert kept == sorted(set(kept), reverse=mode == "min")
    known = [value for value in values if isfinite(value)]
    assert kept[-1:] == sorted(known, reverse=mode == "min")[-1:]


@pytest.mark.parametrize(("values", "mode"), [((0.1, 0.8, 0.85, 0.9), "max"), ((2.0, 0.6, 0.5, 0.4), "min")])
def test_the_knee_is_where_quality_gets_dear(values, mode):
    assert knee(front(learning(*values), "val_acc", mode)).epoch == 1


@pytest.mark.parametrize("values", [(), (0.5,), (0.5, 0.9), (0.1, 0.2, 0.9)])
def test_a_front_that_does_not_bend_has_no_knee(values):
    assert knee(front(learning(*values), "val_acc", "max")) is None


def test_the_next_doubling_brings_about_three_fifths_of_the_last():
    following = NextDoubling.of(learning(0.5, 0.8, 0.83, 0.84), "val_acc", "max")
    assert following.kg == 4.0
    assert (following.low, following.expected, following.high) == pytest.approx((0.004, 0.024, 0.072))


@pytest.mark.parametrize(("values", "mode", "high"), [((0.5, 0.9), "max", 0.1), ((4.0, 1.0), "min", 1.0)])
def test_the_next_doubling_ends_at_the_end_of_the_scale(values, mode, high):
    following = NextDoubling.of(learning(*values), "val_acc", mode)
    assert following.high == pytest.approx(high)


def test_a_metric_without_a_scale_has_no_end():
    assert NextDoubling.of(learning(-50.0, 150.0), "val_acc", "max").high == pytest.approx(360)
    assert NextDoubling.of(learning(5.0, -5.0), "val_acc", "min").high == pytest.approx(18)


@pytest.mark.parametrize("history", [History(), learning(0.5), learning(0.5, 0.6, kg=0.0)])
def test_of_half_a_doubling_nothing_is_said(history):
    assert NextDoubling.of(history, "val_acc", "max") is None
    assert doubling(history, "val_acc", "max") is None


def test_the_next_doubling_is_said_in_points():
    assert doubling(learning(0.5, 0.8, 0.83, 0.84), "val_acc", "max") == (
        "Doubling the 4.00 kg would likely buy another 2.4 points of val_acc (0.40 to 7.2)."
    )
    assert "2.4 points of" in doubling(learning(50.0, 80.0, 83.0, 84.0), "val_acc", "max")


def test_without_a_scale_it_is_said_in_units_of_the_metric():
    text = doubling(learning(4.0, 3.0, 2.5, 2.0, metric="val_loss"), "val_loss", "min")
    assert text == "Doubling the 4.00 kg would likely buy another 0.60 of val_loss (0.10 to 1.8)."


def test_a_second_half_that_bought_nothing_is_told_so():
    text = doubling(learning(0.5, 0.8, 0.7, 0.8), "val_acc", "max")
    assert (
        text == "The second half of the emissions bought nothing better, and another 4.00 kg would likely buy little."
    )


def test_what_was_bought_on_the_way_is_said_with_the_knee():
    history = learning(0.1, 0.8, 0.85, 0.9, 0.905, 0.91, 0.915, 0.92)
    assert bought(history, "val_acc", "max") == (
        "val_acc 0.8000 at 2.00 kg (epoch 1, the knee), 0.9000 at 4.00 kg (epoch 3), 0.9200 at 8.00 kg (epoch 7)."
    )


def test_a_point_outside_epochs_has_no_number():
    history = learning(0.5)
    history.append(EpochRecord.scripted(emissions_kg=1.0, metrics={"val_acc": 0.6}))
    assert bought(history, "val_acc", "max") == "val_acc 0.5000 at 1.00 kg (epoch 0), 0.6000 at 2.00 kg."


@pytest.mark.parametrize(("history", "metric"), [(learning(0.5), "val_acc"), (learning(0.5, 0.6), None)])
def test_without_two_points_there_was_no_choice(history, metric):
    assert bought(history, metric, "max") is None


def test_without_emissions_there_was_no_choice():
    assert bought(learning(0.5, 0.6, kg=0.0), "val_acc", "max") is None
