"""How every adapter lands, whatever its framework."""

from dataclasses import replace

import pytest
from frameworks.contract.driver import BATCHES, EPOCH_JOULES, METRIC, RATE, WATTS, LoopError

from green_callbacks import CarbonBudget, MarginalGain, Verdict, read_ledger

BEGIN, LENGTH = 4 * BATCHES, 2 * BATCHES
"""Steps before the landing, and its length. It is half of them."""
FACTORS = [1.0] * BEGIN + [1 - (at + 0.5) / LENGTH for at in range(LENGTH)]

EXACT = 1e-6
"""Rounding of a rate that is the difference of two weights in float32."""


class LandsAfter:
    """Asks for a landing as soon as some epochs have ended."""

    landing = 0.5

    def __init__(self, epochs):
        self.epochs = epochs

    def decide(self, history, plan):
        if plan.landing is None and history.epochs_done() >= self.epochs:
            return Verdict(stop=False, code="landing", reason="Enough.", landing=self.landing)
        return Verdict(stop=False, code="active", reason="It goes on.")


@pytest.fixture(autouse=True)
def long_training(driver, training):
    if not getattr(driver, "notes_rates", False):
        pytest.skip("The driver of this framework does not note learning rates yet.")
    training.epochs = 12


def landed(rates):
    return pytest.approx([RATE * factor for factor in rates], rel=1e-5, abs=EXACT)


def test_the_rate_goes_to_zero_before_the_stop(driver, training):
    training.scores = [0.1 * epoch for epoch in range(12)]
    monitor = driver.monitor(training, policies=[LandsAfter(4)])

    driver.fit(monitor, training)

    assert training.used == landed(FACTORS)
    run, record = monitor.accountant.close(), monitor.accountant.history[-1]
    assert run.stop_reason == "Enough. The learning rate went to zero before the stop."
    assert (record.epoch, record.complete, record.step) == (5, True, BEGIN + LENGTH)
    assert record.metrics[METRIC] == pytest.approx(0.5)  # of the landed weights
    assert record.learning_rate == pytest.approx(0, abs=1e-9)
    assert read_ledger(run.ledger).plan.landing == monitor.accountant.landing


def test_a_run_that_does_not_land_uses_the_rate_of_the_user(driver, training):
    monitor = driver.monitor(training, policies=[LandsAfter(99)])

    driver.fit(monitor, training)

    assert training.used == landed([1.0] * 12 * BATCHES)
    assert monitor.accountant.landing is None


def test_a_budget_lands_within_itself(driver, training):
    budget = 9.3 * EPOCH_JOULES
    monitor = driver.monitor(training, policies=[CarbonBudget(f"{budget} J", landing=0.3)])

    driver.fit(monitor, training)

    landing, spent = monitor.accountant.landing, monitor.accountant.close().energy_joules
    assert budget - 4 * WATTS <= spent <= budget * (1 + 1e-9)
    factors = [1 - (at + 0.5) / landing.steps for at in range(landing.steps)]
    assert training.used == landed([1.0] * landing.first_step + factors)


def test_a_rule_lands_once_training_no_longer_pays(driver, training):
    training.epochs, training.scores = 40, [1 - 0.5**epoch for epoch in range(20)]
    monitor = driver.monitor(training, policies=[MarginalGain(METRIC, landing=0.2)])

    driver.fit(monitor, training)

    landing = monitor.accountant.landing
    assert landing.steps % BATCHES == 0
    assert len(training.used) == landing.end < 40 * BATCHES
    assert training.used[-1] == pytest.approx(RATE * 0.5 / landing.steps, abs=EXACT)


def test_a_fit_that_is_resumed_in_its_landing_uses_the_same_rates(driver, training):
    training.fails_at = (5, 1)
    with pytest.raises(LoopError):
        driver.fit(driver.monitor(training, policies=[LandsAfter(4)]), training)

    resumed = replace(training, fails_at=None, used=[])
    monitor = driver.monitor(resumed, policies=[LandsAfter(4)])
    driver.fit(monitor, resumed, is_resumed=True)

    assert resumed.used == landed(FACTORS[5 * BATCHES :])
    assert monitor.accountant.history.last_epoch == 5


def test_a_second_fit_lands_by_itself(driver, training):
    monitor = driver.monitor(training, policies=[LandsAfter(4)])

    for _ in range(2):
        training.used.clear()
        driver.fit(monitor, training)
        assert training.used == landed(FACTORS)
