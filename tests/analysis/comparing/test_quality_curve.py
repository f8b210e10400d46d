"""A run's quality against its spending is never extrapolated, and holds until the next value."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.analysis.comparing import ComparedRun, RunConditions, RunPoint, RunPoints
from green_callbacks.analysis.comparing.bands import band_of
from green_callbacks.analysis.comparing.equal_spending import CurveGroup, contrasts, groups_at, smallest_total
from green_callbacks.analysis.comparing.quality_curve import QualityCurve
from green_callbacks.analysis.comparing.same_amount import SameAmount, amount_of
from green_callbacks.errors import ConfigurationError, UnitError
from green_callbacks.metrics import Metric

ACC, LOSS = Metric("val_acc", "max"), Metric("val_loss", "min")


def run(values, *, kwh=1.0, total=None, **fields):
    points = [
        RunPoint(at, value, kwh * (at + 1), kwh * (at + 1) / 3, 60.0 * (at + 1)) for at, value in enumerate(values)
    ]
    whole = kwh * len(values) if total is None else total
    return ComparedRun(
        run_id=fields.pop("run_id", "run"),
        path=Path("run.jsonl"),
        points=RunPoints(points),
        kwh=whole,
        kg=whole / 3,
        seconds=60.0 * len(values),
        **fields,
    )


def curve(values, metric=ACC, axis="energy", kept="best", **fields):
    return QualityCurve.of(run(values, **fields), metric, axis, kept)


def test_the_best_until_then_or_the_last():
    values = [0.5, 0.8, float("nan"), 0.7]
    assert [curve(values).value_at(kwh) for kwh in (0.9, 1.0, 1.9, 2.0, 3.5, 4.0)] == [None, 0.5, 0.5, 0.8, 0.8, 0.8]
    assert curve(values, kept="last").value_at(4.0) == 0.7
    assert curve(values, kept="last").value_at(3.5) is None
    assert [curve(values[:last]).ends_in_none for last in (0, 2, 3, 4)] == [False, False, True, False]
    assert [point.amount for point in band_of([curve(values, kept="last")])] == [1.0, 2.0, 4.0]
    assert curve([0.5, 0.3, 0.4], LOSS).value_at(3.0) == 0.3
    assert curve([float("nan"), float("inf")]).value_at(2.0) is None


def test_each_axis_has_its_own_unit():
    values = [0.5, 0.8]
    assert curve(values, axis="emissions").total == pytest.approx(2 / 3)
    assert curve(values, axis="time").value_at(100.0) == 0.5


def test_nothing_is_extrapolated_but_totals_that_differ_by_little_are_the_same():
    short = curve([0.5, 0.8], kwh=0.47)
    assert short.total == 0.94
    assert short.value_at(1.0) is None
    assert short.is_short_of(1.0)
    near = curve([0.5, 0.8], kwh=0.52)
    assert near.value_at(1.0) == 0.8, "its last epoch ended 4 % later, and it is a whole run"
    assert curve([0.5, 0.8], kwh=0.53).value_at(1.0) == 0.5, "this one is read inside its plan"


def test_an_amount_that_was_copied_from_a_table_gives_the_same_value():
    long = curve([0.1 * at for at in range(1, 10)], kwh=2.2222)
    assert long.value_at(4 * 2.2222) == long.value_at(8.89) == pytest.approx(0.4)
    assert long.value_at(8.88) == pytest.approx(0.4), "8.888 is 8.89 in three digits"
    assert long.value_at(8.8) == pytest.approx(0.3)


def test_a_run_without_energy_has_no_value_by_energy_but_one_by_time():
    unmeasured = run([0.5, 0.8], kwh=0.0)
    unmeasured = ComparedRun(**{name: getattr(unmeasured, name) for name in ("run_id", "path", "points", "seconds")})
    assert QualityCurve.of(unmeasured, ACC, "energy").value_at(1.0) is None
    assert QualityCurve.of(unmeasured, ACC, "time").value_at(120.0) == 0.8
    assert band_of([QualityCurve.of(unmeasured, ACC, "energy")]) == []


def test_the_smallest_median_total_is_not_that_of_a_run_that_was_killed():
    groups = [
        CurveGroup("a", [curve([0.5] * 10, kwh=0.1), curve([0.5] * 10, kwh=0.101), curve([0.5], kwh=0.1)]),
        CurveGroup("b", [curve([0.5] * 20, kwh=0.1)]),
    ]
    assert smallest_total(groups) == 1.0
    assert smallest_total([]) is None
    assert smallest_total([*groups, CurveGroup("empty", [])]) is None


def test_one_run_a_side_tells_nothing_of_chance_and_needs_no_library():
    groups = [CurveGroup("trick", [curve([0.5, 0.9])]), CurveGroup("fewer", [curve([0.5, 0.7])], is_reference=True)]
    (found,) = contrasts(groups_at(groups, 2.0), rises=True)
    assert (found.difference.why, found.verdict) == ("few", "open")
    assert found.difference.value == pytest.approx(0.2)


def test_equal_runs_tell_nothing_of_chance():
    alike = [curve([0.5, 0.9], run_id=name) for name in "ab"]
    groups = [CurveGroup("trick", alike), CurveGroup("fewer", [curve([0.5, 0.7]), curve([0.5, 0.7])])]
    (found,) = contrasts(groups_at(groups, 2.0), rises=True)
    assert (found.difference.why, found.verdict) == ("equal", "open")


def test_groups_without_a_value_are_told_and_not_compared():
    groups = [CurveGroup("a", [curve([0.5], run_id="x")]), CurveGroup("b", [curve([0.5, 0.7])])]
    first, second = groups_at(groups, 2.0)
    assert (first.mean, first.share, [short.run_id for short in first.short], first.values) == (None, None, ["x"], [])
    assert second.share == 1.0
    assert contrasts([first, second], rises=True) == []


@pytest.mark.parametrize("anneals", [True, False])
def test_a_run_inside_a_longer_plan_is_known(anneals):
    full = curve([0.5, 0.6, 0.7, 0.8], conditions=RunConditions(anneals=anneals))
    (inside,), (ended,) = (groups_at([CurveGroup("full", [full])], kwh) for kwh in (2.0, 4.0))
    assert (inside.share, inside.is_unfinished) == (0.5, anneals)
    assert (ended.share, ended.is_unfinished) == (1.0, False)


@pytest.mark.parametrize("text", ["0 kWh", "-1 g", "1e999 kWh"])
def test_an_amount_is_above_zero_and_finite(text):
    with pytest.raises(ConfigurationError, match="cannot be compared at"):
        amount_of(text)


def test_an_amount_has_a_unit():
    with pytest.raises(UnitError, match=r"Cannot read '0\.5' as an amount"):
        amount_of("0.5")


def test_unmeasured_groups_are_refused_with_their_name():
    empty = CurveGroup("a\x1b[2J", [QualityCurve("x", [], [], None)])
    with pytest.raises(ConfigurationError, match=r"The energy of 'a\\x1b\[2J' was not measured"):
        SameAmount.of([empty], ACC, axis="energy", kept="best", amount=None)


def test_a_band_needs_half_of_the_runs():
    curves = [curve([0.1 * at] * 4) for at in range(1, 4)] + [curve([0.9])]
    points = band_of(curves)
    assert [point.runs for point in points] == [4, 3, 3, 3]
    assert points[-1] == (4.0, pytest.approx(0.2), pytest.approx(0.1), pytest.approx(0.3), 3)
    assert band_of([curve([0.5]), curve([0.5]), curve([0.5]), curve([0.5, 0.6])])[-1].amount == 1.0
    assert band_of([]) == []


@given(st.lists(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=8), min_size=1, max_size=5), st.integers(2, 9))
def test_a_band_lies_between_its_runs(runs, most):
    curves = [curve(values, kept="last", kwh=0.1 + at) for at, values in enumerate(runs)]
    points = band_of(curves, most)
    assert len(points) <= most
    assert [point.amount for point in points] == sorted({point.amount for point in points})
    everything = [value for values in runs for value in values]
    for point in points:
        assert min(everything) <= point.low <= point.high <= max(everything)
        assert point.low - 1e-9 * abs(point.low) <= point.mean <= point.high + 1e-9 * abs(point.high)
