"""What every policy promises, run over all of them."""

import math
import pickle
from dataclasses import FrozenInstanceError, fields

import pytest

from green_callbacks.policies import CarbonBudget, Forecast, MarginalGain, Policy, as_policy
from green_callbacks.records import EpochRecord, History, Plan


def stop_after_ten(history, plan):
    return len(history) >= 10


POLICIES = {
    "budget": CarbonBudget("500 g"),
    "soft budget": CarbonBudget(0.5, hard=False),
    "energy budget": CarbonBudget("2 kWh", warn_at=()),
    "project's budget": CarbonBudget("500 g", project="logs", spent_before=0.3),
    "forecast": Forecast((CarbonBudget("500 g"), CarbonBudget("1 kWh"))),
    "doubling": MarginalGain("val_acc"),
    "price per kg": MarginalGain("val_acc", acceptable=0.8, min_gain_per_kg=0.1),
    "price per kWh": MarginalGain("val_loss", min_gain_per_kwh=0.1, acceptable=0.5),
    "threshold of zero": MarginalGain("val_acc", min_gain_on_doubling=0.0, on_annealing="stop"),
    "report only": MarginalGain("val_acc", report_only=True),
    "function": as_policy(stop_after_ten),
}
PLANS = [
    Plan(),
    Plan(epochs=10),
    Plan(epochs=10, min_epochs=8, learning_rate_drops=(4, 7)),
    Plan(steps=100, anneals=True),
    Plan(seconds=20.0, schedule_unreadable=True),
    Plan(emissions_kg=1.0, spent_before_kg=0.2, spent_before_kwh=0.2),
]


def epochs(values, kg=0.05, rate=None):
    return [
        EpochRecord.scripted(
            epoch=at, emissions_kg=kg, metrics={"val_acc": value, "val_loss": -value}, learning_rate=rate, step=at
        )
        for at, value in enumerate(values)
    ]


def unmeasured(record):
    return record._replace(devices={})


def parts(record):
    return [record._replace(closes_epoch=False, metrics={}), record]


PLAIN = epochs([0.1 * at for at in range(12)], rate=0.1)
HISTORIES = {
    "empty": [],
    "outside rows only": [EpochRecord.scripted(emissions_kg=0.1)] * 3,
    "plain": PLAIN,
    "one record": PLAIN[:1],
    "flat": epochs([0.9] * 12),
    "no metric": [EpochRecord.scripted(epoch=at, emissions_kg=0.05) for at in range(12)],
    "not a number": epochs([0.1, math.nan, 0.2, math.nan] * 3),
    "infinite": epochs([-math.inf] * 11 + [math.inf]),
    "once infinite": epochs([0.5] * 6 + [-math.inf] + [0.6] * 6),
    "no spend": epochs([0.5] * 12, kg=0.0),
    "not measured": [unmeasured(record) for record in PLAIN],
    "measured at first": PLAIN[:6] + [unmeasured(record) for record in PLAIN[6:]],
    "parts": [part for record in PLAIN for part in parts(record)],
    "cut short": [*PLAIN[:-1], PLAIN[-1]._replace(complete=False)],
    "checkpoints between": [row for record in PLAIN for row in (record, EpochRecord.scripted(emissions_kg=0.01))],
    "resumed without its beginning": PLAIN[6:],
    "rates of zero": epochs([0.5] * 12, rate=0.0),
}


@pytest.fixture(params=POLICIES.values(), ids=POLICIES)
def policy(request):
    return request.param


@pytest.fixture(params=HISTORIES.values(), ids=HISTORIES)
def history(request):
    return History(request.param)


def test_it_is_a_policy(policy):
    assert isinstance(policy, Policy)


def test_it_answers_the_same_for_the_same_history_and_never_raises(policy, history):
    restored = History.from_columns(history.to_columns())
    for plan in PLANS:
        verdict = policy.decide(history, plan)
        assert policy.decide(history, plan) == verdict
        assert policy.decide(restored, plan) == verdict
        assert pickle.loads(pickle.dumps(policy)).decide(history, plan) == verdict


def test_the_verdict_is_whole(policy, history):
    for plan in PLANS:
        verdict = policy.decide(history, plan)
        assert verdict.stop == (verdict.code == "stopping")
        assert verdict.reason == verdict.reason.strip()
        assert verdict.reason.endswith(".")
        assert "  " not in verdict.reason
        assert "None" not in verdict.reason
        assert all(key.startswith("green/") and math.isfinite(value) for key, value in verdict.values.items())


def test_it_is_frozen(policy):
    with pytest.raises(FrozenInstanceError):
        setattr(policy, fields(policy)[0].name, None)
    assert hash(policy) == hash(pickle.loads(pickle.dumps(policy)))
