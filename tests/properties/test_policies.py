import functools
import math
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import direct_rule
from support.random_history import RandomRun

from green_callbacks.analysis import Front
from green_callbacks.metrics import Metric
from green_callbacks.policies import CarbonBudget, Forecast, MarginalGain
from green_callbacks.records import EpochRecord, History, Plan

costs = st.lists(st.floats(0, 0.3, allow_subnormal=False), max_size=25)
metrics = st.lists(st.one_of(st.none(), st.floats(width=32)), max_size=25)


def run(values, kg=0.05):
    return History(
        EpochRecord.scripted(epoch=at, emissions_kg=kg, metrics={} if value is None else {"val_acc": value})
        for at, value in enumerate(values)
    )


@given(costs, st.booleans(), st.floats(0, 1))
def test_a_spent_budget_stays_spent(costs_kg, hard, before_kg):
    policy, plan, history, spent = CarbonBudget("1 kg", hard=hard), Plan(spent_before_kg=before_kg), History(), False
    for at, cost in enumerate(costs_kg):
        history.append(EpochRecord.scripted(epoch=at, emissions_kg=cost))
        spent = spent or before_kg + history.emissions_kg >= 1.0
        verdict = policy.decide(history, plan)
        assert verdict.stop >= spent
        assert verdict.values["green/budget_share"] >= before_kg


@given(st.floats(0.01, 0.5), st.integers(1, 40))
def test_a_hard_budget_is_kept_where_epochs_cost_the_same(cost_kg, count):
    policy, history = CarbonBudget("1 kg"), History()
    for at in range(count):
        history.append(EpochRecord.scripted(epoch=at, emissions_kg=cost_kg))
        if policy.decide(history, Plan()).stop:
            break
    assert history.emissions_kg <= 1.0


@given(metrics, st.sampled_from([Plan(), Plan(epochs=10), Plan(emissions_kg=0.5)]), st.booleans())
def test_marginal_gain_survives_every_metric(values, plan, gated):
    policy = MarginalGain("val_acc", acceptable=0.5 if gated else None)
    verdict = policy.decide(run(values), plan)
    assert verdict == policy.decide(run(values), plan)
    assert all(not math.isnan(value) for value in verdict.values.values())


@settings(max_examples=50)
@given(
    st.lists(st.floats(0, 1), min_size=12, max_size=25),
    st.integers(-6, 6).map(lambda power: 2.0**power),
    st.integers(-6, 6).map(lambda power: 2.0**power),
)
def test_the_doubling_form_knows_no_scale(values, metric_scale, cost_scale):
    policy = MarginalGain("val_acc")
    plain = policy.decide(run(values), Plan(epochs=25))
    scaled = policy.decide(run([metric_scale * v for v in values], kg=0.05 * cost_scale), Plan(epochs=25))
    assert plain.stop == scaled.stop


POLICIES = [
    MarginalGain("val_acc"),
    MarginalGain("val_loss", min_gain_per_kg=0.2, acceptable=0.4),
    MarginalGain("val_acc", min_gain_on_doubling=0.0, report_only=True, acceptable=0.99),
    CarbonBudget("3 kg"),
    CarbonBudget("50 kWh", hard=False),
    Forecast((CarbonBudget("3 kg"), CarbonBudget("1 kWh"))),
]
PLANS = [
    Plan(),
    Plan(epochs=60),
    Plan(epochs=80, learning_rate_drops=(20, 40, 90)),
    Plan(steps=900),
    Plan(seconds=99.0),
]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(PLANS))
def test_what_is_kept_with_a_history_changes_no_decision(seed, plan):
    made, chance = RandomRun(seed), random.Random(seed)
    for _ in range(120):
        made.go_on()
        if not len(made.history) or chance.random() < 0.3:
            continue
        anew = History.from_columns(made.history.to_columns())
        assert [each.decide(made.history, plan) for each in POLICIES] == [each.decide(anew, plan) for each in POLICIES]
        assert list(Front(made.history, Metric("val_acc", "max"))) == list(Front(anew, Metric("val_acc", "max")))
        assert [(p.row, p.value) for p in Front(anew, Metric("val_loss", "min"))] == direct_rule.front(
            anew, "val_loss", "min"
        )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.booleans(), st.sampled_from(PLANS))
def test_a_window_is_what_the_whole_history_says(seed, calm, rises, plan):
    made, metric, judged = RandomRun(seed, calm=calm), "val_acc" if rises else "val_loss", 0
    for _ in range(350 if calm else 120):
        made.go_on()
        window = MarginalGain(metric)._window(made.history, plan)
        if not len(made.history) or MarginalGain(metric)._unknown(made.history):
            assert isinstance(window, str)
            continue
        expected = direct_rule.judged(made.history, plan, metric, rises=rises)
        assert isinstance(window, str) == (expected is None)
        if expected is not None:
            _assert_alike(window, expected)
            judged += 1
    assert judged or not calm


def _assert_alike(window, expected):
    curve, size = window.curve, abs(expected.best) + expected.whole_gain + 1e-300
    alike = functools.partial(pytest.approx, rel=1e-9, abs=1e-12 * size)
    assert (curve.best, len(curve), curve.spent_kwh, window.kwh) == (
        expected.best,
        expected.count,
        expected.spent_kwh,
        expected.kwh,
    )
    assert (curve.whole_gain, curve.gained_since(window.start)) == (expected.whole_gain, expected.gained)
    assert window.trend == alike((expected.slope, expected.upper))
    if len(curve) >= 10:
        assert (window.doubling and window.doubling.upper) == (expected.learns and alike(expected.learns))
    assert (window.bought, window.late_slope) == alike((expected.bought, expected.late_slope))


NUMBERS = st.floats() | st.sampled_from(
    [1.7e308, -1.7e308, 1e308, 5e-324, -5e-324, 1e-310, 0.0, -0.0, 1.0, math.nan, math.inf, -math.inf]
)
COSTS = st.floats(0, 1e290) | st.sampled_from([0.0, 5e-324, 1e-310, 1e-20, 0.01, 0.01, 1.0, 1e150, 1e280])
EXTREME = [
    *POLICIES,
    MarginalGain("val_acc", min_gain_per_kg=1e308),
    MarginalGain("val_acc", min_gain_per_kwh=5e-324, acceptable=-1.7e308),
    MarginalGain("val_acc", min_gain_on_doubling=1e308, acceptable=1.7e308),
    MarginalGain("val_acc", min_gain_per_kg=0.0, mode="min"),
    CarbonBudget(5e-324),
    CarbonBudget(1.7e308, spent_before=1e300),
    Forecast((CarbonBudget(5e-324), CarbonBudget(1.7e308))),
]
FEW = st.lists(NUMBERS, min_size=1, max_size=3)


@settings(max_examples=150, deadline=None)
@given(
    FEW | st.lists(NUMBERS, max_size=30),
    FEW.map(lambda few: [abs(each) if math.isfinite(each) else 0.0 for each in few]) | st.lists(COSTS, min_size=1),
    st.sampled_from([*PLANS, Plan(seconds=1e-300), Plan(emissions_kg=5e-324), Plan(epochs=2**63, anneals=True)]),
    st.sampled_from([0.1, 1e3, 1e300]),
)
def test_numbers_of_any_size_are_decided_on(values, costs, plan, seconds):
    history = History()
    for at in range(30):
        value, cost = values[at % len(values)] if values else None, min(costs[at % len(costs)], 1e290)
        metrics = {} if value is None else {"val_acc": value, "val_loss": value}
        history.append(EpochRecord.scripted(epoch=at, emissions_kg=cost, metrics=metrics, duration_seconds=seconds))
        for policy in EXTREME:
            verdict = policy.decide(history, plan)
            said = verdict.reason.replace(f"is {value}, so its gain is unknown", "")
            assert not re.search(r"\b(nan|inf)\b", said), (policy, verdict.reason)
            assert all(map(math.isfinite, verdict.values.values())), (policy, verdict.values)
