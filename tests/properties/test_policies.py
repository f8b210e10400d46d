import math

from hypothesis import given, settings
from hypothesis import strategies as st

from green_callbacks.policies import CarbonBudget, MarginalGain
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
