"""Whatever a checkpoint says: it is read, or refused in one sentence of ours."""

import tracemalloc

import pytest
from support.hostile_states import damaged, plan_state, thinned_state, whole_state
from support.scripted_run import record

from green_callbacks import History, MarginalGain, Plan
from green_callbacks.errors import ConfigurationError
from green_callbacks.policies import CarbonBudget, Forecast
from green_callbacks.records.plan import decode_plan

SEEDS = 40
MOST_BYTES = 600e6
"""A state may not take more memory than this while it is read."""


def read(state):
    """Read a state; return the history, or None if it was refused."""
    try:
        return History.from_columns(state)
    except ConfigurationError as refusal:
        message = str(refusal)
        assert message.startswith("The account in the checkpoint is damaged: "), message
        assert message.endswith(". Resume without it, or from another checkpoint."), message
        assert message.count("\n") == 0
        assert len(message) < 300, message
        return None


def use(history):
    """Do with a history what a run does."""
    history.append(record(1, metrics={"val_acc": 0.5}, step=3))
    list(history)
    plan = Plan(epochs=20)
    for policy in (MarginalGain("val_acc"), MarginalGain("a", mode="max"), CarbonBudget("500 g"), Forecast()):
        policy.decide(history, plan)
    history.device_totals()
    history.rewind(1)
    History.from_columns(history.to_columns())


@pytest.mark.no_cover
@pytest.mark.parametrize("make", [whole_state, thinned_state])
def test_a_damaged_state_is_read_or_refused_in_one_sentence(make):
    state = make()
    assert len(History.from_columns(state)) > 0
    refused = 0
    for seed in range(SEEDS):
        history = read(damaged(state, seed))
        refused += history is None
        if history is not None and make is whole_state:
            use(history)
    assert refused > SEEDS / 2


def read_plan(state):
    """Read a plan; return it, or None if it was refused."""
    try:
        return decode_plan(state)
    except ValueError as refusal:
        message = str(refusal)
    assert message.startswith(("The plan is damaged, because ", "The landing is damaged, because "))
    assert len(message) < 300
    return None


def test_a_damaged_plan_is_read_or_refused_in_one_sentence():
    state = plan_state()
    plans = [read_plan(damaged(state, seed)) for seed in range(SEEDS)]
    assert plans.count(None) > SEEDS / 4
    for plan in plans:
        if plan is not None:
            plan.progress(History([record(0)]))


@pytest.mark.parametrize("rows", [10**12, 50_000_000, 300_000])
def test_a_state_that_claims_to_be_huge_takes_no_memory(rows):
    state = whole_state() | {"rows": rows}
    tracemalloc.start()
    try:
        assert read(state) is None
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
