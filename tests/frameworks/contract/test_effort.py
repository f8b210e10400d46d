"""What every adapter must know of the energy of a step and of a sample."""

import pytest
from frameworks.contract.driver import BATCH_SIZE, BATCHES, TRAIN_JOULES

from green_callbacks import read_ledger
from green_callbacks.sources import ScriptedSource

STEPS = 100
NEAR = 0.01


def exactly(joules):
    return pytest.approx(joules, rel=1e-9)


def values_of(effort):
    return {name: ratio.value for name, ratio in effort.ratios().items() if name.startswith("joules_per_s")}


def test_the_energy_of_a_step_and_of_a_sample_is_that_of_training(driver, training):
    monitor = driver.monitor(training)
    driver.fit(monitor, training)

    each = {"joules_per_step": exactly(TRAIN_JOULES / BATCHES)}
    each["joules_per_sample"] = exactly(TRAIN_JOULES / BATCHES / BATCH_SIZE)
    history = monitor.accountant.history
    rows = [row for row in range(len(history)) if history.epoch_at(row) is not None]
    assert [values_of(history.effort_at(row)) for row in rows] == [each] * training.epochs
    run = monitor.accountant.close()
    assert values_of(run.effort) == each
    assert read_ledger(run.ledger).history.effort == run.effort


def test_over_many_steps_of_changing_power_it_is_near_the_truth(driver, training):
    if type(driver).__name__ == "TwoRanks":
        pytest.skip("The other process has a clock of its own, which no function of this process can read.")
    training.epochs = STEPS // BATCHES
    clock, began = training.clock, training.clock.monotonic()

    def watts(seconds):
        return 200.0 + 100.0 * (int(seconds - began) % 7)

    monitor = driver.monitor(training, sources=[ScriptedSource(watts, clock=clock)])
    driver.fit(monitor, training)

    history = monitor.accountant.history
    joules = sum(record.phases["train"].joules for record in history if record.epoch is not None)
    effort = monitor.accountant.close().effort
    assert effort.steps.units == STEPS
    assert effort.joules_per_step.value == pytest.approx(joules / STEPS, rel=NEAR)
    assert effort.joules_per_sample.value == pytest.approx(joules / STEPS / BATCH_SIZE, rel=NEAR)
    assert effort.joules_per_step.low <= joules / STEPS <= effort.joules_per_step.high


def test_a_resumed_run_counts_each_step_once(driver, training):
    training.epochs = 2
    driver.fit(driver.monitor(training), training)
    training.epochs = 4
    monitor = driver.monitor(training)
    driver.fit(monitor, training, is_resumed=True)

    effort = monitor.accountant.close().effort
    assert effort.steps.units == 4 * BATCHES
    assert effort.samples.units == 4 * BATCHES * BATCH_SIZE
    assert effort.joules_per_step.value == exactly(TRAIN_JOULES / BATCHES)


def test_a_second_training_counts_its_own_steps(driver, training):
    training.epochs = 2
    monitor = driver.monitor(training)
    driver.fit(monitor, training)
    driver.fit(monitor, training)

    effort = monitor.accountant.close().effort
    assert effort.steps.units == 4 * BATCHES
    assert effort.joules_per_step.value == exactly(TRAIN_JOULES / BATCHES)


def test_parts_of_an_epoch_share_its_steps_and_samples(driver, training):
    training.epochs = 2
    monitor = driver.monitor(training, decide_every=BATCHES // 2)
    driver.fit(monitor, training)

    effort = monitor.accountant.close().effort
    assert effort.steps.units == 2 * BATCHES
    assert effort.joules_per_step.value == exactly(TRAIN_JOULES / BATCHES)
    assert effort.joules_per_sample.value == exactly(TRAIN_JOULES / BATCHES / BATCH_SIZE)


def test_what_the_user_knows_of_a_sample_gives_tokens_and_operations(driver, training):
    monitor = driver.monitor(training, tokens_per_sample=10, flops_per_sample=1e15)
    driver.fit(monitor, training)

    run = monitor.accountant.close()
    assert run.tokens == 10 * run.samples
    assert run.effort.joules_per_token.value == exactly(TRAIN_JOULES / BATCHES / BATCH_SIZE / 10)
    grams = TRAIN_JOULES * training.epochs / 3.6e6 * 1000.0
    assert run.effort.grams_per_exaflop.value == exactly(grams / (run.samples * 1e15 / 1e18))
