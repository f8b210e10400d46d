import copy
import csv
import threading
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from green_callbacks import CarbonBudget, EnergyAccountant
from green_callbacks.errors import BudgetSpentError
from green_callbacks.keras import EmissionsMonitor
from green_callbacks.sources import ScriptedSource

pytestmark = pytest.mark.backend

EPOCH_JOULES = 300.0 * (3 * 1.0 + 2 * 0.5)
EPOCH_WH = EPOCH_JOULES / 3600


def joules(history, epoch):
    return [record.energy_joules for record in history if record.epoch == epoch]


def test_history_has_the_emissions_of_every_epoch(fit, monitor_of):
    logs = fit(monitor_of()).history

    assert logs["green/energy_wh"] == pytest.approx([EPOCH_WH] * 3, rel=1e-9)
    assert logs["green/emissions_total_g"] == pytest.approx([n * EPOCH_WH for n in (1, 2, 3)], rel=1e-9), (
        "at 1000 g/kWh"
    )


def test_callbacks_after_it_see_the_emissions(fit, monitor_of, tmp_path):
    stopping = keras.callbacks.EarlyStopping("green/emissions_total_g", mode="min", patience=1)
    logs = fit(monitor_of(), after=[keras.callbacks.CSVLogger(tmp_path / "log.csv"), stopping], epochs=9)

    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["green/energy_wh"]) for row in rows] == logs.history["green/energy_wh"]
    assert len(rows) == 2, "a total only grows: the first epoch stays the best"


def test_the_plain_loop_reports_the_same_joules(fit, monitor_of, clock):
    monitor = monitor_of()
    fit(monitor)
    with EnergyAccountant(sources=[ScriptedSource(300.0, clock=clock)], clock=clock, ledger=False, sinks=[]) as plain:
        for _ in plain.epochs(3):
            for _ in range(3):
                clock.advance(1.0)
            with plain.phase("validation"):
                clock.advance(0.5)
                clock.advance(0.5)

    ours, theirs = monitor.accountant.close(), plain.close()
    assert ours.energy_joules == pytest.approx(theirs.energy_joules, rel=1e-9) == 3 * EPOCH_JOULES
    assert ours.epochs_joules + (ours.outside_joules or 0.0) == pytest.approx(ours.energy_joules, rel=1e-9)


def test_a_metric_counts_only_where_it_is_fresh(fit, monitor_of):
    monitor = monitor_of()
    fit(monitor, epochs=4, validation_freq=2)

    assert ["val_loss" in record.metrics for record in monitor.accountant.history] == [False, True, False, True]
    assert all("loss" in record.metrics for record in monitor.accountant.history)


def test_epochs_have_keras_numbers(fit, monitor_of):
    monitor = monitor_of()
    fit(monitor, initial_epoch=3, epochs=5)

    assert [record.epoch for record in monitor.accountant.history] == [3, 4]


def test_samples_learning_rate_and_steps_are_known(fit, monitor_of, model_of):
    monitor = monitor_of()
    optimizer = keras.optimizers.SGD(keras.optimizers.schedules.PiecewiseConstantDecay([3, 6], [0.5, 0.25, 0.125]))
    fit(monitor, model=model_of(optimizer))

    history = list(monitor.accountant.history)
    assert [record.samples for record in history] == [20, 20, 20]
    assert [record.step for record in history] == [3, 6, 9]
    assert [record.learning_rate for record in history] == [0.5, 0.25, 0.125]
    assert monitor.accountant.close().samples == 60


def test_samples_are_known_without_validation_and_in_an_epoch_cut_short(fit, monitor_of):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    monitor = monitor_of()
    fit(monitor, validation_data=None, after=[Stop()])

    assert [(record.samples, record.complete) for record in monitor.accountant.history] == [(16, False)]


def test_an_epoch_at_whose_end_another_callback_stops_is_whole(fit, monitor_of):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    monitor = monitor_of()
    fit(monitor, before=[Stop()], validation_data=None)

    assert [(record.samples, record.complete) for record in monitor.accountant.history] == [(20, True)]


@pytest.mark.parametrize("optimizer", ["sgd", SimpleNamespace(built=True, variables=[])])
def test_a_train_step_of_the_users_own_tells_of_no_steps(optimizer, monitor_of, passing, data):
    class Own(keras.Model):
        def train_step(self, *arguments):
            return ({"loss": 0.25}, arguments[0]) if keras.backend.backend() == "jax" else {"loss": 0.25}

        def call(self, x):
            return x

    monitor, model = monitor_of(), Own()
    model.compile(run_eagerly=True)
    if optimizer != "sgd":
        model.optimizer = optimizer
    model.fit(*data, batch_size=10, epochs=2, callbacks=[monitor, passing], verbose=0)

    last = monitor.accountant.history[-1]
    assert (last.samples, last.step, last.learning_rate) == (10, None, None)
    assert last.energy_joules == 300.0


def test_evaluate_and_predict_have_their_own_rows(fit, monitor_of, model_of, passing, data):
    monitor, model = monitor_of(), model_of()
    fit(monitor, model=model)
    model.evaluate(*data, batch_size=5, callbacks=[monitor, passing], verbose=0)
    model.predict(data[0], batch_size=5, callbacks=[monitor, passing], verbose=0)
    fit(monitor, model=model)

    rows = list(monitor.accountant.history)
    assert [record.epoch for record in rows] == [0, 1, 2, None, None, 0, 1, 2]
    assert rows[3].phases["test"].joules == pytest.approx(300.0 * 2 * 0.5, rel=1e-9)
    assert rows[4].phases["predict"].joules == pytest.approx(300.0 * 2 * 0.25, rel=1e-9)
    run = monitor.accountant.close()
    assert run.outside_joules == pytest.approx(450.0, rel=1e-9)
    assert run.epochs_joules + run.outside_joules == pytest.approx(run.energy_joules, rel=1e-9)


def test_a_second_fit_continues_the_totals(fit, monitor_of):
    monitor = monitor_of()
    first = fit(monitor, epochs=2).history
    second = fit(monitor, epochs=2).history

    totals = first["green/emissions_total_g"] + second["green/emissions_total_g"]
    assert totals == pytest.approx([n * EPOCH_WH for n in (1, 2, 3, 4)], rel=1e-9)
    assert len(monitor.accountant.close().devices) == 1


def test_a_second_fit_on_a_spent_budget_sees_no_batch(fit, monitor_of, clock):
    monitor = monitor_of(policies=[CarbonBudget("3 kJ")])
    fit(monitor)
    before = clock.monotonic()

    with pytest.raises(BudgetSpentError, match="budget"):
        fit(monitor)

    assert clock.monotonic() == before, "no batch has run"
    assert not monitor.accountant.is_live


def test_a_copy_is_a_new_run(fit, monitor_of, clock):
    monitor = monitor_of()
    fit(monitor, epochs=1)
    other = copy.deepcopy(monitor, {id(clock): clock})
    logs = fit(other, epochs=1).history

    assert other.accountant.run_id != monitor.accountant.run_id
    assert len(monitor.accountant.history) == 1
    assert logs["green/emissions_total_g"] == pytest.approx([EPOCH_WH], rel=1e-9)


def test_a_copy_leaves_the_model_behind(fit, monitor_of):
    monitor = monitor_of()
    fit(monitor, epochs=1)

    assert copy.deepcopy(monitor).model is None


def test_a_copy_of_a_users_own_kind_is_whole(fit, monitor_of):
    class Named(EmissionsMonitor):
        def __init__(self, name):
            super().__init__(sinks=[], ledger=False, carbon_intensity=100.0)
            self.name = name

    monitor = Named("first")
    fit(monitor, epochs=1)
    other = copy.deepcopy(monitor)
    fit(other, epochs=1)

    assert other.name == "first"
    assert other.accountant.history.finished_epochs == 1


def test_a_fit_may_run_in_a_thread(fit, monitor_of):
    monitor = monitor_of()
    thread = threading.Thread(target=fit, args=(monitor,))
    thread.start()
    thread.join()

    assert joules(monitor.accountant.history, 2) == [pytest.approx(EPOCH_JOULES, rel=1e-9)]


def test_the_monitor_given_last_counts_when_there_are_two(fit, monitor_of, caplog):
    first, second = monitor_of(), monitor_of()
    logs = fit(first, after=[second]).history

    assert "One monitor per training" in caplog.text
    assert len(first.accountant.history) == 0
    assert logs["green/emissions_total_g"][-1] == pytest.approx(3 * EPOCH_WH, rel=1e-9)


def test_a_loop_that_calls_the_hooks_itself(monitor_of, model_of, clock):
    model, monitor = model_of(), monitor_of()
    callbacks = keras.callbacks.CallbackList([monitor], model=model, epochs=2)
    callbacks.on_train_begin()
    for epoch in range(2):
        callbacks.on_epoch_begin(epoch)
        clock.advance(3.0)
        callbacks.on_test_begin()
        clock.advance(1.0)
        callbacks.on_test_end()
        callbacks.on_epoch_end(epoch)
    callbacks.on_train_end()

    assert [record.energy_joules for record in monitor.accountant.history] == [EPOCH_JOULES, EPOCH_JOULES]
    assert monitor.accountant.history[-1].phases["validation"].joules == 300.0


def test_gradients_that_are_accumulated_count_as_one_step(fit, monitor_of, model_of):
    monitor = monitor_of()
    fit(monitor, model=model_of(keras.optimizers.SGD(0.5, gradient_accumulation_steps=3)), epochs=2)

    assert [record.step for record in monitor.accountant.history] == [1, 2]


def test_batches_of_a_generator_are_accounted_like_any(monitor_of, model_of, clock):
    class Slow(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return np.ones((5, 4), "float32"), np.ones((5, 1), "float32")

    monitor = monitor_of()
    clock_of_batches = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: clock.advance(0.1))
    model_of().fit(Slow(), epochs=2, callbacks=[monitor, clock_of_batches], verbose=0)

    assert [record.energy_joules for record in monitor.accountant.history] == pytest.approx([120.0] * 2, rel=1e-9)
    assert monitor.accountant.close().samples is None, "a batch may be anything"


def test_it_needs_no_option(fit):
    monitor = EmissionsMonitor()
    logs = fit(monitor, epochs=1).history

    assert "loss" in logs
    assert monitor.accountant.close().ledger.exists()


@pytest.mark.parametrize("phase", ["train", "test", "predict"])
def test_batches_cost_nothing(phase):
    """A batch hook would also make Keras wait for every batch, with the backends that do not."""
    for hook in (f"on_{phase}_batch_begin", f"on_{phase}_batch_end"):
        assert getattr(EmissionsMonitor, hook) is getattr(keras.callbacks.Callback, hook)
