"""Which points of a long front and a long curve a closing line keeps."""

import pytest

from green_callbacks.ledger.closing_points import Point, curve, front, thinned_curve, thinned_front
from green_callbacks.metrics import Metric
from green_callbacks.records import EpochRecord, History


def points(values):
    return [Point(float(at), value, at) for at, value in enumerate(values)]


@pytest.mark.parametrize("most", [3, 4, 5, 10])
def test_up_to_the_greatest_number_all_points_stay(most):
    few = points([float(at) for at in range(most)])
    assert thinned_front(few, most) == few
    assert thinned_curve(few, most) == few


@pytest.mark.parametrize(("most", "kept"), [(3, [0, 100]), (4, [0, 50, 100]), (6, [0, 25, 50, 75, 100])])
def test_a_front_keeps_points_that_gain_an_equal_share(most, kept):
    steady = points([float(at) for at in range(101)])
    assert [point.epoch for point in thinned_front(steady, most)] == kept


def test_a_front_that_falls_is_thinned_by_the_same_shares():
    falling = points([float(-at) for at in range(101)])
    assert [point.epoch for point in thinned_front(falling, 6)] == [0, 25, 50, 75, 100]


def test_a_front_always_keeps_its_first_and_its_last_point():
    jumping = points([0.0] * 50 + [1.0] * 50)
    assert [point.epoch for point in thinned_front(jumping, 10)] == [0, 50, 99]


@pytest.mark.parametrize(
    ("length", "most", "kept"), [(10, 5, [1, 3, 5, 7, 9]), (7, 3, [2, 4, 6]), (5, 4, [1, 2, 3, 4])]
)
def test_a_curve_keeps_points_at_equal_distances_and_the_last(length, most, kept):
    assert [point.epoch for point in thinned_curve(points([0.0] * length), most)] == kept


def history(values, costs=None):
    costs = costs or [0.1] * len(values)
    return History(
        EpochRecord.scripted(epoch=at, emissions_kg=cost, metrics={"val_acc": value})
        for at, (value, cost) in enumerate(zip(values, costs, strict=True))
    )


def test_a_front_holds_each_new_best_value():
    nan = float("nan")
    best = front(history([0.5, 0.5, 0.4, nan, 0.7, 0.6]), Metric("val_acc", "max"))
    assert [(point.value, point.epoch) for point in best] == [(0.5, 0), (0.7, 4)]
    least = front(history([0.5, 0.5, 0.4, nan, 0.7, 0.6]), Metric("val_acc", "min"))
    assert [(point.value, point.epoch) for point in least] == [(0.5, 0), (0.4, 2)]


def test_a_better_value_at_no_cost_replaces_the_point_before():
    free = front(history([0.5, 0.6, 0.7], [0.1, 0.0, 0.1]), Metric("val_acc", "max"))
    assert [(point.value, point.epoch) for point in free] == [(0.6, 1), (0.7, 2)]


def test_a_curve_has_a_point_for_each_epoch_and_no_value_without_a_metric():
    nan = float("nan")
    whole = list(curve(history([0.5, nan, 0.7]), "val_acc"))
    assert [(point.value, point.epoch) for point in whole] == [(0.5, 0), (None, 1), (0.7, 2)]
    assert [point.kg for point in whole] == pytest.approx([0.1, 0.2, 0.3])
    assert [point.value for point in curve(history([0.5, 0.6]), None)] == [None, None]
