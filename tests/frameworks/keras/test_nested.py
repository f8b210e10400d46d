"""Fits and evaluations inside a fit, the same monitor at several places, and loops of fits."""

import keras
import numpy as np
import pytest

from green_callbacks import CarbonBudget, Verdict
from green_callbacks.keras import EmissionsMonitor, FrontCheckpoint
from green_callbacks.sources import ScriptedSource

EPOCH_JOULES = 300.0 * (3 * 1.0 + 2 * 0.5)
EVALUATION_JOULES = 300.0 * 2 * 0.5


class Does(keras.callbacks.Callback):
    """Does something at the end of every epoch, or after the second batch."""

    def __init__(self, work, at="epoch"):
        super().__init__()
        self.work = work
        self.at = at

    def on_epoch_end(self, epoch, logs=None):
        if self.at == "epoch":
            self.work(self.model)

    def on_train_batch_end(self, batch, logs=None):
        if self.at == "batch" and batch == 1:
            self.work(self.model)


def epochs(monitor):
    return [(record.epoch, record.complete) for record in monitor.accountant.history if record.epoch is not None]


@pytest.fixture
def evaluation(data, passing):
    """Evaluate a model, with or without a monitor."""

    def run(model, *callbacks):
        return model.evaluate(*data, batch_size=5, callbacks=[*callbacks, passing], verbose=0)

    return run


@pytest.mark.parametrize("at", ["epoch", "batch"])
@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize("stands", [pytest.param("before", marks=pytest.mark.backend), "after"])
def test_an_evaluation_inside_a_fit_leaves_its_epochs_alone(fit, monitor_of, evaluation, at, is_told, stands):
    monitor = monitor_of()
    does = Does(lambda model: evaluation(model, *[monitor] * is_told), at)
    fit(monitor, **{stands: [does]})

    run = monitor.accountant.close()
    assert epochs(monitor) == [(0, True), (1, True), (2, True)]
    assert [record.samples for record in monitor.accountant.history if record.epoch is not None] == [20] * 3
    assert run.energy_joules == pytest.approx(3 * (EPOCH_JOULES + EVALUATION_JOULES), rel=1e-9)
    assert run.notices == ()


def test_an_evaluation_with_the_monitor_is_no_training(fit, monitor_of, evaluation):
    monitor = monitor_of()
    fit(monitor, after=[Does(lambda model: evaluation(model, monitor), "batch")], epochs=1)

    [record] = monitor.accountant.history
    assert record.phases["train"].joules == pytest.approx(900.0, rel=1e-9)
    assert record.phases["validation"].joules == pytest.approx(EVALUATION_JOULES * 2, rel=1e-9)


def test_a_budget_stops_the_model_of_the_fit_though_another_was_evaluated(fit, monitor_of, model_of, evaluation):
    monitor, other = monitor_of(policies=[CarbonBudget("4 kJ")]), model_of()
    history = fit(monitor, before=[Does(lambda _: evaluation(other, monitor))], epochs=9)

    assert len(history.epoch) == 2
    assert monitor.accountant.stop_reason is not None


def test_checkpoints_of_the_front_are_kept_though_the_monitor_was_used_elsewhere(
    fit, monitor_of, model_of, evaluation, tmp_path
):
    monitor, other = monitor_of(), model_of()
    front = FrontCheckpoint("val_loss", tmp_path)
    fit(monitor, before=[Does(lambda _: evaluation(other, monitor))], after=[front])

    assert front.points


@pytest.mark.backend
def test_a_fit_inside_a_fit_with_the_same_monitor_is_counted_within_it(fit, monitor_of, model_of, data, passing):
    monitor, other = monitor_of(), model_of()
    inner = Does(lambda _: other.fit(*data, batch_size=5, epochs=2, callbacks=[monitor, passing], verbose=0))
    fit(monitor, before=[inner])

    run = monitor.accountant.close()
    assert epochs(monitor) == [(0, True), (1, True), (2, True)]
    assert run.epochs_joules == pytest.approx(3 * (EPOCH_JOULES + 4 * 300.0), rel=1e-9)
    [notice] = run.notices
    assert "EmissionsMonitor of its own" in notice


def test_a_fit_inside_a_fit_with_a_monitor_of_its_own_shares_what_both_use(clock, model_of, fit, data, passing):
    source = ScriptedSource(300.0, clock=clock)
    outer, inner = (
        EmissionsMonitor(clock=clock, sources=[source], carbon_intensity=1000.0, pue=1.0, sinks=[], ledger=False)
        for _ in range(2)
    )
    other = model_of()
    nested = Does(lambda _: other.fit(*data, batch_size=5, epochs=2, callbacks=[inner, passing], verbose=0))
    logs = fit(outer, after=[nested]).history

    assert epochs(outer) == [(0, True), (1, True), (2, True)]
    assert len(logs["green/energy_wh"]) == 3
    assert inner.accountant.history.finished_epochs == 6
    both = sum(each.accountant.close().energy_joules for each in (outer, inner))
    assert both == pytest.approx(3 * (EPOCH_JOULES + 4 * 300.0), rel=1e-9)


def test_a_budget_still_stops_a_fit_with_another_inside(fit, monitor_of, model_of, data, passing):
    monitor, other = monitor_of(policies=[CarbonBudget("6 kJ")]), model_of()
    inner = Does(lambda _: other.fit(*data, batch_size=5, epochs=2, callbacks=[monitor, passing], verbose=0))
    history = fit(monitor, before=[inner], epochs=9)

    assert len(history.epoch) == 2


def test_a_fit_inside_a_fit_that_fails_costs_nothing(fit, monitor_of, model_of, data):
    def fail(_):
        with pytest.raises(ZeroDivisionError):
            other.fit(*data, batch_size=5, callbacks=[monitor, Does(lambda _: 1 / 0)], verbose=0)

    monitor, other = monitor_of(), model_of()
    fit(monitor, before=[Does(fail)])

    assert epochs(monitor) == [(0, True), (1, True), (2, True)]


def test_a_monitor_that_is_given_twice_counts_once(fit, monitor_of):
    monitor = monitor_of()
    history = fit(monitor, after=[monitor]).history

    assert epochs(monitor) == [(0, True), (1, True), (2, True)]
    assert sum(history["green/energy_wh"]) == pytest.approx(3 * EPOCH_JOULES / 3600, rel=1e-9)
    [notice] = monitor.accountant.close().notices
    assert "twice" in notice


def test_a_model_that_cannot_be_stopped_is_named(fit, monitor_of):
    class Endless(keras.Sequential):
        @property
        def stop_training(self):
            return False

        @stop_training.setter
        def stop_training(self, value):
            if value:
                raise PermissionError

    model = Endless([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    monitor = monitor_of(policies=[CarbonBudget("3 kJ")])
    history = fit(monitor, model=model, epochs=4)

    assert len(history.epoch) == 4
    assert any("does not accept stop_training" in notice for notice in monitor.accountant.close().notices)


def test_who_lets_a_stopped_training_go_on_is_overruled_and_that_is_said(fit, monitor_of):
    class GoesOn(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = False

    monitor = monitor_of(policies=[CarbonBudget("3 kJ")])
    history = fit(monitor, after=[GoesOn()], epochs=4)

    assert len(history.epoch) == 4
    assert any("Training went on" in notice for notice in monitor.accountant.close().notices)


def in_a_loop(model, monitor, passing, times, **options):
    x = np.ones((20, 4), "float32")
    for _ in range(times):
        model.fit(x, x[:, :1], batch_size=8, callbacks=[monitor, passing], verbose=0, **options)


@pytest.mark.backend
@pytest.mark.parametrize("own", [True, False])
def test_fits_of_one_epoch_in_a_loop_are_one_training(monitor_of, model_of, passing, own):
    class Own(keras.Sequential):
        def train_step(self, *arguments):
            return ({"loss": 0.25}, arguments[0]) if keras.backend.backend() == "jax" else {"loss": 0.25}

    monitor, model = monitor_of(), model_of()
    if own:
        model = Own([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
    in_a_loop(model, monitor, passing, 4, epochs=1)

    history = list(monitor.accountant.history)
    assert [record.epoch for record in history] == [0, 1, 2, 3]
    assert [record.step for record in history] == ([None] * 4 if own else [3, 6, 9, 12])
    assert monitor.accountant.history.finished_epochs == 4


def test_a_loop_that_goes_on_after_a_policy_has_ended_it_is_told_how_to_leave(monitor_of, model_of, passing):
    def after_two_epochs(history, plan):
        return Verdict(stop=history.finished_epochs >= 2, code="enough", reason="Two are enough.")

    monitor, model = monitor_of(policies=[after_two_epochs]), model_of()
    in_a_loop(model, monitor, passing, 2)
    assert not any("Leave the loop" in notice for notice in monitor.accountant.close().notices)

    in_a_loop(model, monitor, passing, 3)
    assert sum("Leave the loop" in notice for notice in monitor.accountant.close().notices) == 1


def test_a_model_that_is_compiled_anew_between_them_is_the_same(monitor_of, model_of, passing):
    monitor, model = monitor_of(), model_of()
    for rate in (0.1, 0.01, 0.001):
        model.compile(keras.optimizers.SGD(rate), "mse")
        in_a_loop(model, monitor, passing, 1)

    assert [record.epoch for record in monitor.accountant.history] == [0, 1, 2]


def test_evaluations_between_them_change_nothing(monitor_of, model_of, passing, evaluation):
    monitor, model = monitor_of(), model_of()
    for _ in range(3):
        in_a_loop(model, monitor, passing, 1)
        evaluation(model, monitor)

    assert [record.epoch for record in monitor.accountant.history] == [0, None, 1, None, 2, None]


def test_numbers_that_the_user_gives_them_are_kept(monitor_of, model_of, passing):
    monitor, model = monitor_of(), model_of()
    for epoch in (3, 4, 7):
        in_a_loop(model, monitor, passing, 1, initial_epoch=epoch, epochs=epoch + 1)

    assert [record.epoch for record in monitor.accountant.history] == [3, 4, 7]


def test_another_model_begins_at_its_own_first_epoch(monitor_of, model_of, passing):
    monitor = monitor_of()
    for _ in range(2):
        in_a_loop(model_of(), monitor, passing, 2)

    assert [record.epoch for record in monitor.accountant.history] == [0, 1, 0, 1]


@pytest.mark.backend
def test_a_loop_goes_on_where_a_saved_model_and_a_ledger_end(monitor_of, model_of, passing, tmp_path):
    first, model = monitor_of(ledger=tmp_path / "run.jsonl"), model_of()
    in_a_loop(model, first, passing, 2)
    model.save(tmp_path / "model.keras")
    second = monitor_of(ledger=tmp_path / "run.jsonl")
    in_a_loop(keras.saving.load_model(tmp_path / "model.keras"), second, passing, 1)

    assert [record.epoch for record in second.accountant.history] == [0, 1, 2]
    assert second.accountant.close().outside_joules is None, "nothing was lost"


def test_a_policy_sees_all_epochs_of_such_a_loop(monitor_of, model_of, passing):
    seen = []
    monitor = monitor_of(policies=[lambda history, plan: seen.append((len(history.epoch_rows), plan.epochs))])
    in_a_loop(model_of(), monitor, passing, 3)

    assert seen == [(1, None), (2, None), (3, None)]


def test_a_monitor_refuses_what_is_no_accountant():
    with pytest.raises(ValueError, match="accountant= takes an EnergyAccountant"):
        EmissionsMonitor("FR")


def test_a_loop_of_the_users_own_without_a_model_is_no_trouble(monitor_of, clock, caplog):
    monitor = monitor_of()
    monitor.on_train_begin()
    for epoch in range(2):
        monitor.on_epoch_begin(epoch)
        clock.advance(1.0)
        monitor.on_epoch_end(epoch, {"loss": 0.5})
    monitor.on_train_end()

    assert monitor.accountant.history.finished_epochs == 2
    assert "cannot be read" not in caplog.text
