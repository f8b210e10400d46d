"""What users' models, optimisers and callbacks may hand to Keras, and what must not end a training."""

import math
import sys

import keras
import numpy as np
import pytest

from green_callbacks.keras import FrontCheckpoint


class Puts(keras.callbacks.Callback):
    """Puts a value into the logs, before the monitor sees them."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def on_epoch_end(self, epoch, logs=None):
        logs["odd"] = self.value


class Takes(keras.callbacks.Callback):
    """Takes it out again, as Keras's own History cannot hold everything."""

    def on_epoch_end(self, epoch, logs=None):
        logs.pop("odd", None)


def done(monitor):
    return [record for record in monitor.accountant.history if record.epoch is not None]


@pytest.mark.parametrize(
    "value",
    ["0.5", {"a": 1}, [0.5], 1j, np.array([0.5, 0.6]), np.array(["0.5"]), object(), 10**400],
    ids=["text", "dict", "list", "complex", "two", "text in NumPy", "object", "too large"],
)
def test_a_metric_that_is_no_number_is_left_out_and_named_once(fit, monitor_of, value, caplog):
    monitor = monitor_of()
    fit(monitor, before=[Puts(value)], after=[Takes()])
    assert [sorted(record.metrics) for record in done(monitor)] == [["loss", "val_loss"]] * 3
    [warning] = [message for message in caplog.messages if "odd" in message]
    assert "Log a scalar" in warning


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.array([0.5])], ids=["float", "scalar", "array"])
def test_a_number_of_any_kind_is_recorded(fit, monitor_of, value, caplog):
    monitor = monitor_of()
    fit(monitor, before=[Puts(value)], after=[Takes()])
    assert [record.metrics["odd"] for record in done(monitor)] == [0.5] * 3
    assert caplog.messages == []


class OfTheUsersOwn(keras.optimizers.schedules.PolynomialDecay):
    """A schedule that does more than to answer."""

    def __init__(self):
        super().__init__(0.1, 10)
        self.callers = []

    def __call__(self, step):
        frame = sys._getframe()
        while frame is not None:
            self.callers.append(frame.f_globals["__name__"].split(".")[0])
            frame = frame.f_back
        return super().__call__(step)


def test_a_schedule_of_the_users_own_is_called_by_keras_only(fit, monitor_of, model_of, caplog):
    plans = []
    schedule = OfTheUsersOwn()
    monitor = monitor_of(policies=[lambda history, plan: plans.append(plan)])
    fit(monitor, model=model_of(keras.optimizers.SGD(schedule)))

    assert "keras" in schedule.callers
    assert "green_callbacks" not in schedule.callers
    assert [record.learning_rate for record in done(monitor)] == [None] * 3
    assert all(plan.schedule_unreadable for plan in plans)
    assert caplog.messages == []


def test_a_schedule_of_keras_with_odd_values_is_unreadable(fit, monitor_of, model_of, caplog):
    plans, schedule = [], keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.1, 0.01])
    model = model_of(keras.optimizers.SGD(schedule))
    schedule.boundaries = ["many"]
    monitor = monitor_of(policies=[lambda history, plan: plans.append(plan)])
    monitor.set_model(model)
    monitor.set_params({"epochs": 3, "steps": 3})
    monitor.on_train_begin()
    monitor.on_epoch_begin(0)
    monitor.on_epoch_end(0)
    monitor.on_train_end()

    assert plans[0].schedule_unreadable
    assert len([message for message in caplog.messages if message.startswith("The learning-rate schedule")]) == 1


class Unreadable(keras.optimizers.SGD):
    """An optimizer that tells nobody of its learning rate but Keras."""

    @property
    def learning_rate(self):
        if sys._getframe(1).f_globals["__name__"].startswith("green_callbacks"):
            raise ZeroDivisionError
        return super().learning_rate


@pytest.mark.backend
def test_an_optimizer_that_raises_has_no_learning_rate(fit, monitor_of, model_of, caplog):
    monitor = monitor_of()
    fit(monitor, model=model_of(Unreadable(0.01)))
    assert [record.learning_rate for record in done(monitor)] == [None] * 3
    assert len([message for message in caplog.messages if "learning rate cannot be read" in message]) == 1


@pytest.mark.backend
@pytest.mark.parametrize("count", [math.nan, math.inf, "many"])
def test_a_loss_that_counts_oddly_tells_no_samples(fit, monitor_of, model_of, count):
    class Counts(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            tracker = type("Tracker", (), {"count": count})()
            object.__setattr__(self.model, "_loss_tracker", tracker)

    model = model_of()
    monitor = monitor_of()
    own = model._loss_tracker

    class Restores(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            object.__setattr__(self.model, "_loss_tracker", own)

    fit(monitor, model=model, before=[Counts()], after=[Restores()], steps_per_epoch=1)
    assert [record.samples for record in done(monitor)] == [None] * 3


def test_logs_that_take_nothing_more_cost_nothing(fit, monitor_of, caplog):
    class Frozen(dict):
        def update(self, *_):
            raise TypeError

    monitor = monitor_of()
    monitor.accountant.start()
    monitor.on_epoch_begin(0)
    monitor.on_epoch_end(0, Frozen(loss=0.5))
    monitor.accountant.close()
    assert done(monitor)[0].metrics == {"loss": 0.5}
    assert "Adding to the logs of Keras failed" in caplog.text


def test_the_checkpoints_of_a_run_with_a_strange_name_stay_in_the_folder(fit, monitor_of, tmp_path):
    monitor = monitor_of()
    monitor.accountant._run_id = "../../pwned"
    front = FrontCheckpoint("val_loss")
    fit(monitor, after=[front])
    assert front.points
    assert all(tmp_path in map(type(tmp_path), [*type(tmp_path)(path).parents]) for path in front.points)


def test_a_fit_within_code_of_no_module_is_found(fit, monitor_of):
    monitor = monitor_of()
    exec("fit(monitor)", {"__name__": 7, "fit": fit, "monitor": monitor})
    assert len(done(monitor)) == 3
