from math import exp, inf, isfinite, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import direct_rule

from green_callbacks.analysis import Front, FrontPoint, NextDoubling, chosen, front, knee, worth_keeping
from green_callbacks.metrics import Metric
from green_callbacks.records import EpochRecord, History
from green_callbacks.summary.pareto_sentences import doubling, on_the_way


def learning(*values, metric="val_acc", kg=1.0):
    """Epochs of 1 kg each after which the metric has these values."""
    return History(EpochRecord.scripted(epoch=e, emissions_kg=kg, metrics={metric: v}) for e, v in enumerate(values))


def test_the_front_is_every_new_best():
    assert front(learning(0.5, 0.8, 0.7, float("nan"), 0.9, 0.9), Metric("val_acc", "max")) == [
        FrontPoint(0, 1.0, 0.5, 0),
        FrontPoint(1, 2.0, 0.8, 1),
        FrontPoint(4, 5.0, 0.9, 4),
    ]
    assert [point.value for point in front(learning(2.0, 3.0, 1.0), Metric("val_acc", "min"))] == [2.0, 1.0]
    assert front(learning(0.5), Metric("another", "max")) == []


def test_a_better_value_at_no_further_cost_takes_the_place_of_the_one_before():
    assert front(learning(0.5, 0.8, kg=0.0), Metric("val_acc", "max")) == [FrontPoint(1, 0.0, 0.8, 1)]


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan"))), st.sampled_from(["max", "min"]))
def test_every_point_is_dearer_and_better_than_the_one_before(values, mode):
    points = front(learning(*values), Metric("val_acc", mode))
    kg, kept = [point.kg for point in points], [point.value for point in points]
    assert kg == sorted(set(kg))
    assert kept == sorted(set(kept), reverse=mode == "min")
    known = [value for value in values if isfinite(value)]
    assert kept[-1:] == sorted(known, reverse=mode == "min")[-1:]


@pytest.mark.parametrize(("values", "mode"), [((0.1, 0.8, 0.85, 0.9), "max"), ((2.0, 0.6, 0.5, 0.4), "min")])
def test_the_knee_is_where_quality_gets_dear(values, mode):
    assert knee(front(learning(*values), Metric("val_acc", mode))).epoch == 1


@pytest.mark.parametrize("values", [(), (0.5,), (0.5, 0.9), (0.1, 0.2, 0.9)])
def test_a_front_that_does_not_bend_has_no_knee(values):
    assert knee(front(learning(*values), Metric("val_acc", "max"))) is None


def test_the_next_doubling_brings_about_three_fifths_of_the_last():
    following = NextDoubling.of(learning(0.5, 0.8, 0.83, 0.84), Metric("val_acc", "max"))
    assert following.kg == 4.0
    assert (following.low, following.expected, following.high) == pytest.approx((0.004, 0.024, 0.072))


@pytest.mark.parametrize(("values", "mode", "high"), [((0.5, 0.9), "max", 0.1), ((4.0, 1.0), "min", 1.0)])
def test_the_next_doubling_ends_at_the_end_of_the_scale(values, mode, high):
    following = NextDoubling.of(learning(*values), Metric("val_acc", mode))
    assert following.high == pytest.approx(high)


def test_a_metric_without_a_scale_has_no_end():
    assert NextDoubling.of(learning(-50.0, 150.0), Metric("val_acc", "max")).high == pytest.approx(360)
    assert NextDoubling.of(learning(5.0, -5.0), Metric("val_acc", "min")).high == pytest.approx(18)


@pytest.mark.parametrize("history", [History(), learning(0.5), learning(0.5, 0.6, kg=0.0)])
def test_of_half_a_doubling_nothing_is_said(history):
    assert NextDoubling.of(history, Metric("val_acc", "max")) is None
    assert doubling(history, Metric("val_acc", "max")) is None


def test_the_next_doubling_is_said_in_points():
    assert doubling(learning(0.5, 0.8, 0.83, 0.84), Metric("val_acc", "max")) == (
        "Doubling the 4.00 kg would likely gain another 2.4 points of val_acc (0.40 to 7.2)."
    )
    assert "2.4 points of" in doubling(learning(50.0, 80.0, 83.0, 84.0), Metric("val_acc", "max"))


def test_without_a_scale_it_is_said_in_units_of_the_metric():
    text = doubling(learning(4.0, 3.0, 2.5, 2.0, metric="val_loss"), Metric("val_loss", "min"))
    assert text == "Doubling the 4.00 kg would likely gain another 0.60 of val_loss (0.10 to 1.8)."


def test_a_second_half_that_bought_nothing_is_told_so():
    text = doubling(learning(0.5, 0.8, 0.7, 0.8), Metric("val_acc", "max"))
    assert text == "The second half of the emissions gained nothing, and another 4.00 kg would likely gain little."


def test_what_was_bought_on_the_way_is_said_with_the_knee():
    history = learning(0.1, 0.8, 0.85, 0.9, 0.905, 0.91, 0.915, 0.92)
    assert on_the_way(history, Metric("val_acc", "max")) == (
        "val_acc 0.8000 at 2.00 kg (epoch 1, the knee), 0.9000 at 4.00 kg (epoch 3), 0.9200 at 8.00 kg (epoch 7)."
    )


def test_a_point_outside_epochs_has_no_number():
    history = learning(0.5)
    history.append(EpochRecord.scripted(emissions_kg=1.0, metrics={"val_acc": 0.6}))
    assert on_the_way(history, Metric("val_acc", "max")) == "val_acc 0.5000 at 1.00 kg (epoch 0), 0.6000 at 2.00 kg."


@pytest.mark.parametrize(("history", "metric"), [(learning(0.5), Metric("val_acc", "max")), (learning(0.5, 0.6), None)])
def test_without_two_points_there_was_no_choice(history, metric):
    assert on_the_way(history, metric) is None


def test_without_emissions_there_was_no_choice():
    assert on_the_way(learning(0.5, 0.6, kg=0.0), Metric("val_acc", "max")) is None


def fronts():
    """Fronts of whole numbers, so that no rounding decides, with gaps of any length."""
    steps = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=12)

    def points(gaps):
        kg, value, made = 0, 0, []
        for row, (dearer, better) in enumerate(gaps):
            kg, value = kg + dearer, value + better
            made.append(FrontPoint(row, float(kg), float(value), row))
        return made

    return steps.map(points)


@given(fronts(), st.integers(1, 8), st.data())
def test_kept_are_the_best_the_knee_and_no_more_than_asked_for(points, count, data):
    rows = {point.row for point in points}
    among = data.draw(st.none() | st.sets(st.sampled_from(sorted(rows))))
    kept = worth_keeping(points, count, among)
    choice = [point for point in points if among is None or point.row in among]
    assert len(kept) == min(count, len(choice))
    assert kept == [point for point in choice if point in kept], "in the order of the front"
    assert (points[-1] in kept) == (points[-1] in choice)
    if count > 1 and knee(points, among):
        assert knee(points, among) in kept


@given(fronts(), st.integers(1, 8), st.sampled_from([0.125, 64.0]), st.sampled_from([0.5, 32.0, -1.0]))
def test_what_is_kept_depends_on_no_unit_and_no_direction(points, count, of_kg, of_value):
    others = [FrontPoint(p.epoch, of_kg * p.kg, of_value * p.value, p.row) for p in points]
    rows = [point.row for point in worth_keeping(points, count)]
    assert [point.row for point in worth_keeping(others, count)] == rows


@given(fronts(), st.integers(2, 8))
def test_fewer_are_kept_of_those_that_more_would_keep(points, count):
    assert set(worth_keeping(points, count - 1)) <= set(worth_keeping(points, count))


def test_of_a_plateau_its_beginning_and_its_end_are_kept():
    points = front(learning(0.1, 0.8, 0.81, 0.82, 0.83, 0.9, 0.91, 0.92), Metric("val_acc", "max"))
    assert [point.epoch for point in worth_keeping(points, 3)] == [1, 5, 7]
    assert [point.epoch for point in worth_keeping(points, 1)] == [7]
    assert worth_keeping([], 3) == []


def area(points, kept):
    """What the kept ones leave of the quality that was to be had for any emissions, above that of the first."""
    ends = [*(point.kg for point in kept[1:]), points[-1].kg]
    return sum((point.value - points[0].value) * (end - point.kg) for point, end in zip(kept, ends, strict=True))


def largest_area(points, count):
    """The same of the best choice of all, by going through the points from the last back."""
    best = {len(points) - 1: 0.0}
    for _ in range(count - 1):
        longer = dict(best)
        for at, point in enumerate(points):
            gains = ((point.value - points[0].value) * (points[to].kg - point.kg) + best[to] for to in best if to > at)
            longer[at] = max(longer.get(at, -inf), max(gains, default=-inf))
        best = longer
    return max(best.values())


CURVES = {
    "power": lambda n: 1 - n**-0.5,
    "exponential": lambda n: 1 - exp(-n / 10),
    "logarithmic": log,
    "linear": float,
    "late": lambda n: float(n**2),
    "stepped": lambda n: 1 - n**-0.5 + 0.3 * (n > 60),
}


def kept_by_a_run(points, count):
    """What a run keeps that chooses again at every new point, and cannot bring back what it has let go."""
    rows = set()
    for reached in range(1, len(points) + 1):
        rows.add(points[reached - 1].row)
        rows = {point.row for point in worth_keeping(points[:reached], count, rows)}
    return [point for point in points if point.row in rows]


def test_a_run_that_cannot_look_ahead_keeps_nearly_as_much_as_one_that_could():
    shares = []
    for curve in CURVES.values():
        for seed in range(4):
            noise = Random(seed)  # a script
            values = [curve(n) * (1 + noise.gauss(0, 0.03)) for n in range(1, 101)]
            points = front(learning(*values), Metric("val_acc", "max"))
            kept = kept_by_a_run(points, 5)
            shares.append(area(points, kept) / largest_area(points, 5))
    assert sum(shares) / len(shares) > 0.97
    assert min(shares) > 0.85


FILES = {1: "/logs/front-epoch=1.ckpt", 2: "/logs/front-epoch=2.ckpt", 7: "/logs/front-epoch=7.ckpt"}


def test_points_with_a_checkpoint_are_said_with_it_and_one_of_them_is_the_knee():
    history = learning(0.1, 0.8, 0.85, 0.9, 0.905, 0.91, 0.915, 0.92)
    assert on_the_way(history, Metric("val_acc", "max"), FILES) == (
        "val_acc 0.8000 at 2.00 kg (epoch 1, the knee, /logs/front-epoch=1.ckpt),\n"
        "0.8500 at 3.00 kg (epoch 2, /logs/front-epoch=2.ckpt),\n"
        "0.9200 at 8.00 kg (epoch 7, /logs/front-epoch=7.ckpt)."
    )
    assert on_the_way(history, Metric("val_acc", "max"), {2: FILES[2]}) == (
        "val_acc 0.8500 at 3.00 kg (epoch 2, the knee, /logs/front-epoch=2.ckpt),\n0.9200 at 8.00 kg (epoch 7)."
    )


def test_files_of_rows_that_are_not_on_the_front_are_as_if_there_were_none():
    history = learning(0.1, 0.8, 0.7, 0.9)
    assert on_the_way(history, Metric("val_acc", "max"), FILES | {1: "", 2: "/gone"}) != on_the_way(
        history, Metric("val_acc", "max")
    )
    assert on_the_way(history, Metric("val_acc", "max"), {2: "/logs/front-epoch=2.ckpt"}) == on_the_way(
        history, Metric("val_acc", "max")
    )


def test_a_file_in_the_working_folder_goes_by_its_path_from_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = on_the_way(
        learning(0.1, 0.8), Metric("val_acc", "max"), {1: str(tmp_path / "logs" / "best.ckpt"), 0: "s3://a/0.ckpt"}
    )
    assert said == "val_acc 0.1000 at 1.00 kg (epoch 0, s3://a/0.ckpt),\n0.8000 at 2.00 kg (epoch 1, logs/best.ckpt)."
    tmp_path.rmdir()
    assert str(tmp_path / "x.ckpt") in on_the_way(
        learning(0.1, 0.8), Metric("val_acc", "max"), {1: str(tmp_path / "x.ckpt")}
    )


@given(st.lists(st.tuples(st.floats(), st.sampled_from([0.0, 0.5, 1.0])), max_size=30), st.sampled_from(["max", "min"]))
def test_a_front_that_grows_with_its_history_is_the_front(rows, mode):
    history = History()
    for at, (value, kg) in enumerate(rows):
        history.append(EpochRecord.scripted(epoch=at, emissions_kg=kg, metrics={"val_acc": value}))
        grown = Front(history, Metric("val_acc", mode))
        assert [(point.row, point.value) for point in grown] == direct_rule.front(history, "val_acc", mode)
        assert list(grown) == front(History(history), Metric("val_acc", mode)) == grown[:]
        assert grown[-2:] == list(grown)[-2:]


def test_points_are_chosen_by_their_rows():
    points = Front(learning(0.1, 0.05, 0.2, 0.3), Metric("val_acc", "max"))
    assert chosen(points, None) is points
    assert [point.row for point in chosen(points, [3, 1, 0, 9, 3])] == [0, 3]
    with pytest.raises(IndexError):
        points[3]
