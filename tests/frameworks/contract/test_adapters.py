"""What every adapter must do, whatever its framework."""

import pickle
import threading
from dataclasses import replace

import pytest
from frameworks.contract.driver import (
    BATCH_SIZE,
    BATCHES,
    EPOCH_JOULES,
    METRIC,
    TRAIN_JOULES,
    VALIDATION_JOULES,
    WATTS,
    LoopError,
)

from green_callbacks import CarbonBudget, MarginalGain, read_ledger
from green_callbacks.errors import BudgetSpentError

PATIENCE_SECONDS = 60
SCORES = [0.1, 0.2, 0.3]
LEVEL_SCORES = [1 - 0.5**epoch for epoch in range(20)]
"""A metric that soon gains nothing more."""


def exactly(joules):
    return pytest.approx(joules, rel=1e-9)


def epochs_of(history):
    return [record for record in history if record.epoch is not None]


def our_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("green_callbacks")]


def test_each_epoch_has_a_record_with_its_phases_and_counts(driver, training):
    monitor = driver.monitor(training)

    driver.fit(monitor, training)

    records = epochs_of(monitor.accountant.history)
    assert [record.epoch for record in records] == [0, 1, 2]
    assert [record.step for record in records] == [BATCHES, 2 * BATCHES, 3 * BATCHES]
    for record in records:
        assert record.complete
        assert record.energy_joules == exactly(EPOCH_JOULES)
        assert record.phases["train"].joules == exactly(TRAIN_JOULES)
        assert record.phases["validation"].joules == exactly(VALIDATION_JOULES)
        assert record.samples == BATCHES * BATCH_SIZE


def test_each_metric_stands_in_the_epoch_that_it_judges(driver, training):
    training.scores = SCORES
    monitor = driver.monitor(training)

    driver.fit(monitor, training)

    told = [record.metrics[METRIC] for record in epochs_of(monitor.accountant.history)]
    assert told == pytest.approx(SCORES)


def test_epochs_and_rows_outside_them_are_the_run(driver, training):
    monitor = driver.monitor(training)

    driver.fit(monitor, training)
    driver.evaluate(monitor, training)

    run = monitor.accountant.close()
    assert run.epochs_joules == exactly(3 * EPOCH_JOULES)
    assert run.outside_joules == exactly(VALIDATION_JOULES)
    assert run.energy_joules == exactly(run.epochs_joules + run.outside_joules)
    assert read_ledger(run.ledger).history.energy_joules == run.energy_joules


def test_parts_of_an_epoch_add_up_to_it(driver, training):
    training.epochs = 2
    monitor = driver.monitor(training, decide_every=2)

    driver.fit(monitor, training)

    records = epochs_of(monitor.accountant.history)
    assert [record.epoch for record in records if record.closes_epoch] == [0, 1]
    assert len(records) > 2
    assert sum(record.energy_joules for record in records) == exactly(2 * EPOCH_JOULES)


def test_the_stream_of_the_framework_shows_energy_and_emissions(driver, training):
    lacks = getattr(driver, "lacks", {})
    if "stream" in lacks:
        pytest.skip(lacks["stream"])
    driver.fit(driver.monitor(training), training)

    assert training.logged["green/energy_wh"] == pytest.approx(EPOCH_JOULES / 3600)
    assert training.logged["green/emissions_total_g"] == pytest.approx(3 * EPOCH_JOULES / 3600)


def test_a_budget_stops_the_fit_before_it_is_overspent(driver, training):
    training.epochs = 9
    monitor = driver.monitor(training, policies=[CarbonBudget(f"{2.5 * EPOCH_JOULES} J")])

    driver.fit(monitor, training)

    run = monitor.accountant.close()
    assert (run.epochs, run.energy_joules) == (2, exactly(2 * EPOCH_JOULES))
    assert "budget" in run.stop_reason
    assert read_ledger(run.ledger).stop_reason == run.stop_reason


def test_a_spent_budget_refuses_a_fit_before_its_first_batch(driver, training):
    training.epochs = 9
    monitor = driver.monitor(training, policies=[CarbonBudget(f"{2.5 * EPOCH_JOULES} J")])
    driver.fit(monitor, training)
    spent_seconds = training.clock.monotonic()

    with pytest.raises(BudgetSpentError):
        driver.fit(monitor, training)

    assert training.clock.monotonic() == spent_seconds
    assert not monitor.accountant.is_live


def test_a_policy_that_only_reports_stops_nothing(driver, training, caplog):
    training.epochs, training.scores = 15, LEVEL_SCORES
    stopping = driver.monitor(training, ledger=False, policies=[MarginalGain(METRIC)])
    reporting = driver.monitor(training, ledger=False, policies=[MarginalGain(METRIC, report_only=True)])

    driver.fit(stopping, training)
    driver.fit(reporting, training)

    assert stopping.accountant.close().epochs < 15
    assert reporting.accountant.close().epochs == 15
    assert reporting.accountant.stop_reason is None
    assert any("only reports" in record.getMessage() for record in caplog.records)


def test_a_resumed_run_goes_on_with_its_totals(driver, training):
    driver.fit(monitor := driver.monitor(training), replace(training, epochs=2))
    first = monitor.accountant.close()

    driver.fit(resumed := driver.monitor(training), replace(training, epochs=4), is_resumed=True)

    run = resumed.accountant.close()
    assert (run.run_id, run.ledger, run.epochs) == (first.run_id, first.ledger, 4)
    assert run.energy_joules == exactly(4 * EPOCH_JOULES)
    assert [record.epoch for record in epochs_of(resumed.accountant.history)] == [0, 1, 2, 3]


def test_a_second_fit_goes_on_with_the_run(driver, training):
    monitor = driver.monitor(training)

    driver.fit(monitor, training)
    first = monitor.accountant.close()
    driver.fit(monitor, training)

    run = monitor.accountant.close()
    assert (run.run_id, run.epochs) == (first.run_id, 6)
    assert run.energy_joules == exactly(6 * EPOCH_JOULES)


def test_a_pickled_monitor_is_a_run_of_its_own(driver, training):
    monitor = driver.monitor(training, ledger=False)
    driver.fit(monitor, training)

    copied = pickle.loads(pickle.dumps(monitor))

    assert len(copied.accountant.history) == 0
    assert copied.accountant.run_id != monitor.accountant.run_id
    assert monitor.accountant.close().energy_joules == exactly(3 * EPOCH_JOULES)


def test_a_loop_that_fails_is_recorded_up_to_that_moment(driver, training):
    training.fails_at = (1, 2)
    monitor = driver.monitor(training)

    with pytest.raises(LoopError):
        driver.fit(monitor, training)
    for thread in our_threads():
        thread.join(PATIENCE_SECONDS)

    assert not monitor.accountant.is_live
    rows = [(record.epoch, record.complete) for record in monitor.accountant.history]
    assert rows == [(0, True), (1, False)]
    run = monitor.accountant.close()
    assert run.energy_joules == exactly(EPOCH_JOULES + 2 * WATTS)
    assert list(read_ledger(run.ledger).history) == list(monitor.accountant.history)


def test_no_thread_is_left_after_a_fit(driver, training):
    driver.fit(driver.monitor(training), training)

    assert our_threads() == []


def test_the_off_switch_measures_and_writes_nothing(driver, training, monkeypatch):
    monkeypatch.setenv("GREEN_CALLBACKS_DISABLE", "1")
    training.epochs = 2
    monitor = driver.monitor(training, policies=[CarbonBudget("1 J")])

    driver.fit(monitor, training)

    assert training.clock.monotonic() == pytest.approx(2 * EPOCH_JOULES / WATTS)
    assert monitor.accountant.close().energy_joules is None
    assert monitor.accountant.stop_reason is None
    assert list(training.folder.rglob("*.jsonl")) == []
