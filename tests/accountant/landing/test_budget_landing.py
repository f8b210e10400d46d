"""A budget that lands, in loops whose epochs, steps and electricity cost anything."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.hooked_optimizer import HookedOptimizer

from green_callbacks import CarbonBudget, EnergyAccountant
from green_callbacks.accountant.landing import OptimizerRates
from green_callbacks.clock import ScriptedClock
from green_callbacks.records import Verdict
from green_callbacks.sources import ScriptedSource

KG_PER_SECOND = 300.0 / 3.6e6 * 0.4
"""Emissions of the scripted device, in kgCO2e/s."""


def train(budget, *, epochs=1_000, steps=20, seconds=1.0, validation=0.0, watts=None, asks=True, **options):
    """Train a loop until its budget ends it."""
    clock, optimizer = ScriptedClock(), HookedOptimizer()
    power = watts if watts is not None else itertools.repeat(300.0)
    source = ScriptedSource(300.0, clock=clock)
    options = {"sinks": [], "ledger": False, "carbon_intensity": 400.0, "policies": [budget], **options}
    accountant = EnergyAccountant(sources=[source], clock=clock, **options)
    with accountant:
        accountant.scale_learning_rates(optimizer)
        for _ in accountant.epochs(epochs):
            for _ in accountant.steps(range(steps)) if asks else range(steps):
                clock.advance(seconds * next(power) / 300.0)
                optimizer.step()
            if validation:
                with accountant.phase("validation"):
                    clock.advance(validation)
    return accountant, optimizer


def test_a_budget_lands_within_itself():
    accountant, optimizer = train(CarbonBudget(1_000 * KG_PER_SECOND, landing=0.1), validation=2.0)
    begin = next(at for at, rate in enumerate(optimizer.used) if rate < 1)
    length = len(optimizer.used) - begin
    expected = [1 - (at + 0.5) / length for at in range(length)]
    assert optimizer.used[begin:] == pytest.approx(expected, abs=1e-9)
    assert 0.97 < accountant.history.emissions_kg / (1_000 * KG_PER_SECOND) <= 1.0
    assert 0.08 < length / begin < 0.11
    assert optimizer.hook_count == 0
    assert "ends this run" in accountant.stop_reason


def test_a_run_that_becomes_more_expensive_lands_sooner():
    watts = itertools.chain(itertools.repeat(300.0, 880), itertools.repeat(900.0))
    accountant, optimizer = train(CarbonBudget(1_000 * KG_PER_SECOND, landing=0.1), watts=watts)
    assert accountant.history.emissions_kg <= 1_000 * KG_PER_SECOND * (1 + 1e-9)
    assert optimizer.used[-1] < 0.1
    assert all(after <= before for before, after in itertools.pairwise(optimizer.used))


def test_a_plan_within_the_budget_does_not_land():
    accountant, optimizer = train(CarbonBudget(1_001 * KG_PER_SECOND, landing=0.1), epochs=50)
    assert set(optimizer.used) == {1.0}
    assert accountant.stop_reason is None
    assert len(optimizer.used) == 1_000


def test_a_loop_that_does_not_ask_stops_at_once_and_says_why():
    accountant, optimizer = train(CarbonBudget(1_000 * KG_PER_SECOND, landing=0.1), asks=False)
    plain, _ = train(CarbonBudget(1_000 * KG_PER_SECOND), asks=False)
    assert set(optimizer.used) == {1.0}
    assert accountant.history.emissions_kg == pytest.approx(plain.history.emissions_kg)
    (said,) = [text for text in accountant.close().notices if "cannot land" in text]
    assert "accountant.steps(batches)" in said


@settings(max_examples=60, deadline=None)
@given(
    total=st.integers(30, 3_000),
    steps=st.integers(1, 300),
    validation=st.sampled_from([0.0, 0.5, 5.0]),
    landing=st.sampled_from([0.05, 0.1, 0.3, 1.0]),
    changes=st.lists(st.tuples(st.integers(1, 500), st.floats(50.0, 900.0)), max_size=5),
)
def test_a_landing_never_overspends_more_than_a_hard_stop(total, steps, validation, landing, changes):
    """Overspending is at most the last step, the validation after it, and the time between two checks."""

    def watts():
        for count, power in changes:
            yield from itertools.repeat(power, count)
        yield from itertools.repeat(300.0)

    amount, run = total * KG_PER_SECOND, {"steps": steps, "validation": validation}
    landed, optimizer = train(CarbonBudget(amount, landing=landing), watts=watts(), **run)
    dearest_kg = max([300.0, *(power for _, power in changes)]) / 300.0 * KG_PER_SECOND
    assert landed.history.emissions_kg <= amount + 2 * dearest_kg + validation * KG_PER_SECOND + 1e-12
    used = optimizer.used
    begin = next((at for at, rate in enumerate(used) if rate < 1), len(used))
    assert all(after <= before + 1e-12 for before, after in itertools.pairwise(used[begin:]))
    assert optimizer.param_groups[0]["lr"] == 1.0
    assert optimizer.hook_count == 0


class Lands:
    """A rule that lands after a number of epochs."""

    landing = 0.5

    def decide(self, history, plan):
        if plan.landing is None and history.epochs_done() >= 4:
            return Verdict(stop=False, code="landing", reason="Enough.", landing=0.5)
        return Verdict(stop=False, code="active", reason="It goes on.")


def test_a_watch_beside_the_training_never_ends_it_by_a_shorter_landing():
    """Only a decision to stop may stop a framework from the watching thread. A landing changes at the next edge."""
    clock, stopped = ScriptedClock(), []
    budget = CarbonBudget(120 * KG_PER_SECOND, hard=True)
    options = {"sinks": [], "ledger": False, "carbon_intensity": 400.0, "policies": [Lands(), budget], "clock": clock}
    accountant = EnergyAccountant(sources=[ScriptedSource(300.0, clock=clock)], **options)
    accountant.start(on_spent=lambda: stopped.append(accountant.stop_reason))
    accountant.start_scaling(OptimizerRates(lambda: [HookedOptimizer()]))
    step = 0
    for epoch in range(5):
        accountant.begin_epoch(epoch)
        for _ in range(20):
            clock.advance(1.0 if epoch < 4 else 1.9)
            step += 1
            accountant.observe(step=step)
            accountant.at_step(step)
            accountant._run.epochs.watch()
            if stopped:
                break
        if stopped:
            break
        accountant.end_epoch()
    assert accountant.landing is not None
    assert None not in stopped, "a training that is stopped has a reason"
    assert accountant.close().stop_reason is not None
