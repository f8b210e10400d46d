"""Where a run stands sets whether the stopping rule may decide, and how sure it must be."""

import math
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import direct_rule
from support.random_history import RandomRun

from green_callbacks.policies import MarginalGain, _run_stage, replay
from green_callbacks.policies._gain_trend import Trend
from green_callbacks.policies._learning_curve import Curve
from green_callbacks.policies._run_stage import Stage
from green_callbacks.policies._warm_up import has_done, is_warmed_up
from green_callbacks.records import EpochRecord, History, Intensity, Plan

PLAN = Plan(epochs=100)
NEVER_GIVES_UP = {"not_learning_after": None}


def run(values, metric="val_acc", kg=0.01):
    return History(
        EpochRecord.scripted(epoch=at, emissions_kg=kg, metrics={metric: value}) for at, value in enumerate(values)
    )


def stop_epoch(values, policy, plan=PLAN, metric="val_acc"):
    stop = replay(run(values, metric), policy, plan)
    return math.inf if stop is None else stop.record.epoch


def leveling_off(level, speed=8, count=100):
    return [level * (1 - math.exp(-at / speed)) for at in range(count)]


def noisy(amplitude, level=0.9):
    return [value + (amplitude if at % 2 else -amplitude) for at, value in enumerate(leveling_off(level, 3))]


# the shares


@pytest.mark.parametrize("tenths", range(1, 11))
def test_equal_parts_of_a_plan_reach_their_share_whatever_the_rounding(tenths):
    for before in (0.0, 0.7, 1e3, 1e5):
        spent = before
        for _ in range(tenths):
            spent += 0.1
        assert has_done(spent - before, tenths / 10)
        assert not has_done(spent - before, 1.0001 * tenths / 10)


def test_the_warm_up_takes_three_tenths_of_the_plan_or_ten_values():
    assert [is_warmed_up(done, 3) for done in (0.2999, 0.3 - 1e-12, 0.3, 1.2)] == [False, True, True, True]
    assert [is_warmed_up(None, values) for values in (9, 10)] == [False, True]


@pytest.mark.parametrize(("epochs", "first"), [(10, 3), (11, 4), (30, 9), (90, 27), (100, 30), (2, 1), (1000, 300)])
def test_the_first_epoch_that_is_said_is_the_one_that_decides(epochs, first):
    policy, plan = MarginalGain("val_acc"), Plan(epochs=epochs)
    assert f"from epoch {first} of {epochs} on" in policy.decide(History(), plan).reason
    if first >= 5:
        flat = run([0.5] * first)
        assert policy.decide(flat, plan).stop
        assert not policy.decide(History(flat[:-1]), plan).stop


@pytest.mark.parametrize("share", [0.3, 0.4, 0.5, 0.6, 0.7])
def test_a_run_that_does_not_learn_is_given_up_in_a_second_fit_where_it_is_in_a_first(share):
    policy, plan = MarginalGain("val_acc", acceptable=0.8, not_learning_after=share), Plan(emissions_kg=2.0)
    stops = []
    for other in ([], [EpochRecord.scripted(epoch=at, emissions_kg=0.7, metrics={"val_acc": 0.1}) for at in range(3)]):
        history = History(other)
        for count, record in enumerate(run([0.1] * 20, kg=0.1), start=1):
            history.append(record)
            if policy.decide(history, plan).stop:
                stops.append(count)
                break
    assert stops == [max(20 * share, 10)] * 2


# the way to an acceptable value


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("values", "acceptable", "is_acceptable", "has_learned"),
    [
        ([0.0, 0.1999], 0.8, False, False),
        ([0.0, 0.2], 0.8, False, True),
        ([0.1, 0.3, 0.2], 0.9, False, True),
        ([0.6, 0.65, 0.7, 0.1], 1.0, False, True),
        ([0.5, 0.8], 0.8, True, True),
        ([0.9, 0.1], 0.8, True, True),
        ([0.1, 0.05], 0.8, False, False),
        ([0.1], None, True, True),
        ([-1e308, 0.0], 1e308, False, False),
    ],
)
def test_a_run_has_learned_from_a_quarter_of_the_way_on(values, acceptable, is_acceptable, has_learned, sign):
    curve = Curve.of(run([sign * value for value in values]), "val_acc", rises=sign > 0)
    stage = Stage.of(curve, acceptable and sign * acceptable, 0.5)
    assert (stage.is_acceptable, stage.has_learned) == (is_acceptable, has_learned)


def test_at_a_price_of_zero_only_an_acceptable_value_opens_the_gate():
    stages = [Stage(0.5, 50, is_acceptable=good, has_learned=True) for good in (True, False)]
    assert [stage.is_open(0.0) for stage in stages] == [True, False]
    assert [stage.is_open(1e-300) for stage in stages] == [True, True]
    assert not Stage(0.5, 50, is_acceptable=False, has_learned=False).is_open(1.0)


@pytest.mark.parametrize(
    ("done", "is_acceptable", "margin"),
    [(0.3, True, 1.5), (0.3999, True, 1.5), (0.4 - 1e-12, True, 1.0), (1.1, True, 1.0), (1.0, False, 1.5)],
)
def test_the_margin_is_wide_early_and_below_acceptable(done, is_acceptable, margin):
    assert Stage(done, 50, is_acceptable=is_acceptable, has_learned=True).margin == margin


@pytest.mark.parametrize(
    ("done", "is_acceptable", "margin"), [(0.3, True, 0.75), (1.0, True, 0.75), (1.0, False, 1.5), (None, True, 1.5)]
)
def test_a_rule_that_lands_may_be_less_sure(done, is_acceptable, margin):
    assert Stage(done, 50, is_acceptable=is_acceptable, has_learned=True, lands=True).margin == margin


def test_the_margin_is_wide_without_a_plan():
    assert Stage(None, 10_000, is_acceptable=True, has_learned=True).margin == 1.5


# what runs come to


def test_a_noisy_run_is_held_longer_early_without_a_plan_and_below_acceptable():
    values, price = noisy(0.04), {"min_gain_per_kg": 0.1}
    policy = MarginalGain("val_acc", **price)
    with mock.patch.object(_run_stage, "_WIDE", 1.0):
        assert stop_epoch(values, policy) == 36
    assert stop_epoch(values, policy) == 40
    assert stop_epoch(values, policy, Plan(epochs=90)) == 36, "the same epoch is later in a shorter plan"
    assert stop_epoch(values, policy, Plan()) == 52
    assert stop_epoch(values, MarginalGain("val_acc", acceptable=0.89, **price)) == 40
    assert stop_epoch(values, MarginalGain("val_acc", acceptable=0.99, **price, **NEVER_GIVES_UP)) == 52


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("price", [{"min_gain_per_kg": 0.5}, {"min_gain_per_kwh": 0.5}, {}])
@pytest.mark.parametrize("plan", [PLAN, Plan()])
def test_a_run_that_flattened_below_acceptable_is_stopped_and_told_so(sign, price, plan):
    metric = "val_acc" if sign > 0 else "val_loss"
    policy = MarginalGain(metric, acceptable=sign * 0.8, **price, **NEVER_GIVES_UP)
    history = run([sign * value for value in leveling_off(0.6)], metric)
    stop = replay(history, policy, plan)
    best = sign * 0.6 * (1 - math.exp(-stop.record.epoch / 8))
    assert stop.verdict.reason.startswith(
        f"{metric} has flattened and is not acceptable yet. Its best value is {best:.4g}, and {sign * 0.8} would be "
        "acceptable. The next "
    )
    assert "would gain at most 0.0" in stop.verdict.reason
    assert "the least that pays is 0.0" in stop.verdict.reason


def test_a_run_that_gets_worse_below_acceptable_is_not_called_flat():
    values = [*leveling_off(0.6, count=30), *(0.6 - 0.01 * at for at in range(40))]
    policy = MarginalGain("val_acc", acceptable=0.8, min_gain_per_kg=0.1, **NEVER_GIVES_UP)
    verdict = policy.decide(run(values), PLAN)
    assert verdict.stop
    assert verdict.reason.startswith("val_acc gets worse and is not acceptable yet. Its best value is 0.6, and 0.8")
    assert "would gain at most 0, and" in verdict.reason


def test_a_run_that_flattened_only_reports_where_it_is_told_to():
    policy = MarginalGain("val_acc", acceptable=0.8, min_gain_per_kg=0.5, report_only=True)
    verdict = policy.decide(run(leveling_off(0.6, count=45)), PLAN)
    assert (verdict.stop, verdict.code) == (False, "warning")
    assert "It would stop here, but only reports. val_acc has flattened" in verdict.reason


def test_flattened_below_acceptable_is_not_learning_once_that_is_decided():
    policy = MarginalGain("val_acc", acceptable=0.8, min_gain_per_kg=1e-9)
    assert not policy.decide(run(leveling_off(0.6, count=49)), PLAN).stop
    verdict = policy.decide(run(leveling_off(0.6, count=60)), PLAN)
    assert verdict.reason.startswith("val_acc is not learning. Its best value is 0.59")


@pytest.mark.parametrize("option", ["min_gain_per_kg", "min_gain_per_kwh", "min_gain_on_doubling"])
def test_a_threshold_of_zero_waits_for_an_acceptable_value(option):
    values = leveling_off(0.6, 2, 50) + [0.5] * 50
    policy = MarginalGain("val_acc", acceptable=0.8, **{option: 0.0}, **NEVER_GIVES_UP)
    verdict = policy.decide(run(values), PLAN)
    assert verdict.code == "waiting"
    assert verdict.reason.endswith("0.8 would be acceptable. The rule decides once it is acceptable.")
    assert stop_epoch(values, policy) == math.inf
    assert stop_epoch(values, MarginalGain("val_acc", acceptable=0.59, **{option: 0.0})) < 100


def test_on_a_grid_without_emissions_a_price_per_kg_waits_for_an_acceptable_value():
    clean = Intensity(g_per_kwh=0.0, source="scripted", found_by="scripted")
    history = History(record._replace(intensity=clean) for record in run(leveling_off(0.6)))
    policy = MarginalGain("val_acc", acceptable=0.8, min_gain_per_kg=1.0, **NEVER_GIVES_UP)
    assert policy.decide(run(leveling_off(0.6)), PLAN).stop
    assert policy.decide(history, PLAN).code == "waiting"


# what always holds

CURVES = st.lists(st.floats(0, 1), min_size=12, max_size=60)
PRICES = st.sampled_from([{}, {"min_gain_per_kg": 0.3}, {"min_gain_per_kwh": 2.0}, {"min_gain_on_doubling": 0.3}])
PLANS = st.sampled_from([Plan(), Plan(epochs=40), PLAN, Plan(emissions_kg=0.5)])
LEARNED = st.tuples(st.floats(0.2, 1), st.floats(0.5, 20), st.lists(st.floats(-0.05, 0.05), min_size=60, max_size=60))
"""Level, speed and scatter of a curve that levels off."""
SHAPES = CURVES | LEARNED.map(
    lambda drawn: [value + odd for value, odd in zip(leveling_off(drawn[0], drawn[1], 60), drawn[2], strict=True)]
)


@given(st.floats(-1e300, 1e300), st.floats(0, 1e300), st.lists(st.floats(1, 10), min_size=2, max_size=2))
def test_a_wider_interval_ends_no_lower(slope, half_width, margins):
    trend = Trend(slope, slope + half_width)
    low, high = (trend.upper_at(margin) for margin in sorted(margins))
    assert trend.upper <= low <= high


@settings(max_examples=80, deadline=None)
@given(SHAPES, PRICES, PLANS, st.none() | st.floats(0, 1), st.floats(1, 4))
def test_a_wider_margin_never_stops_earlier(values, price, plan, acceptable, wide):
    policy, stops = MarginalGain("val_acc", acceptable=acceptable, **price), []
    for margin in (1.0, wide):
        with mock.patch.object(_run_stage, "_WIDE", margin):
            stops.append(stop_epoch(values, policy, plan))
    assert stops[0] <= stops[1]


@settings(max_examples=80, deadline=None)
@given(SHAPES, PRICES, PLANS, st.lists(st.none() | st.floats(-1, 2), min_size=2, max_size=2))
def test_who_asks_for_more_is_never_stopped_earlier_because_it_does_not_pay(values, price, plan, asked):
    easy, hard = sorted(asked, key=lambda value: -math.inf if value is None else value)
    stops = [
        stop_epoch(values, MarginalGain("val_acc", acceptable=acceptable, **price, **NEVER_GIVES_UP), plan)
        for acceptable in (easy, hard)
    ]
    assert stops[0] <= stops[1]


@settings(max_examples=80, deadline=None)
@given(
    SHAPES,
    st.sampled_from(["min_gain_per_kg", "min_gain_per_kwh", "min_gain_on_doubling"]),
    PLANS,
    st.none() | st.floats(0, 1),
    st.lists(st.floats(0.01, 3), min_size=2, max_size=2),
)
def test_who_pays_less_for_a_gain_is_never_stopped_later(values, form, plan, acceptable, prices):
    low, high = (
        stop_epoch(values, MarginalGain("val_acc", acceptable=acceptable, **{form: price}), plan)
        for price in sorted(prices)
    )
    assert high <= low


@settings(max_examples=60, deadline=None)
@given(SHAPES, PRICES, PLANS, st.none() | st.floats(0, 1))
def test_a_metric_that_falls_is_decided_like_its_mirror(values, price, plan, acceptable):
    rising = MarginalGain("val_acc", acceptable=acceptable, **price)
    falling = MarginalGain("val_loss", acceptable=None if acceptable is None else -acceptable, **price)
    mirrored = stop_epoch([-value for value in values], falling, plan, "val_loss")
    assert stop_epoch(values, rising, plan) == mirrored


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.booleans(), PLANS, st.sampled_from([None, 0.5, 0.9]))
def test_a_run_stops_where_the_formula_says(seed, rises, plan, acceptable):
    made, sign, metric = RandomRun(seed, calm=True), 1 if rises else -1, "val_acc" if rises else "val_loss"
    accept = None if acceptable is None else sign * acceptable
    policy = MarginalGain(metric, min_gain_per_kwh=0.2, acceptable=accept, **NEVER_GIVES_UP)
    for _ in range(150):
        made.go_on()
        if len(made.history) and not policy._unknown(made.history):
            expected = formula(made.history, plan, metric, sign, accept)
            assert expected is None or policy.decide(made.history, plan).stop == expected


def formula(history, plan, metric, sign, acceptable):
    """Say whether the price ends the run. None where rounding may decide, or another gate holds."""
    found = direct_rule.judged(history, plan, metric, rises=sign > 0)
    if found is None:
        return False
    share = plan.progress(history)
    first = found.best - sign * found.whole_gain
    way = 0.0 if acceptable is None else sign * (acceptable - first)
    good = acceptable is None or sign * (found.best - acceptable) >= 0
    margin = 1.0 if good and share is not None and share >= 0.4 else 1.5
    least = 0.2 * 0.5 * found.spent_kwh / math.log(1.5)
    highest = max(found.slope + margin * (found.upper - found.slope), found.late_slope)
    edges = [(highest, least), (found.whole_gain, way / 4), (share or 0.0, 0.3), (share or 0.0, 0.4)]
    if any(math.isclose(*edge, rel_tol=1e-7, abs_tol=1e-12) for edge in edges[:1] + edges[2:]):
        return None
    if acceptable is not None and math.isclose(found.whole_gain, way / 4, rel_tol=1e-7):
        return None
    ready = found.count >= 10 if share is None else share >= 0.3
    return ready and found.whole_gain >= way / 4 and highest < least
