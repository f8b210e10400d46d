"""Fits with Keras's own ``SwapEMAWeights``: what the records, the model and the checkpoints hold."""

import logging

import keras
import numpy as np
import pytest
from frameworks.keras.slope import COMPILES

from green_callbacks import MarginalGain
from green_callbacks.keras import FrontCheckpoint

MOMENTUM = 0.9
EPOCHS = 6

pytestmark = pytest.mark.backend


class States(keras.callbacks.Callback):
    """Keeps the weights after each step."""

    def __init__(self):
        super().__init__()
        self.states = []

    def on_train_batch_end(self, batch, logs=None):
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        self.states.append(self.model.get_weights())

    def average(self, steps=None):
        average = self.states[0]
        for state in self.states[1:steps]:
            average = [MOMENTUM * old + (1 - MOMENTUM) * new for old, new in zip(average, state, strict=True)]
        return average


def stop_at(epoch):
    return lambda history, plan: f"epoch {epoch}" if history.last_epoch == epoch else None


@pytest.fixture
def averaged(fit, model_of, monitor_of, monkeypatch, tmp_path):
    """Fit with averaged weights, and return the model, its states and the monitor."""
    monkeypatch.chdir(tmp_path)

    def run(*others, policies=(), is_first=False, **swap):
        keras.utils.set_random_seed(1)
        model = model_of(keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=MOMENTUM))
        monitor, states = monitor_of(policies=policies), States()
        average = keras.callbacks.SwapEMAWeights(**swap)
        around = {"before": [states, average], "after": others} if is_first else {"after": [states, average, *others]}
        fit(monitor, model=model, epochs=EPOCHS, shuffle=False, **around)
        return model, states, monitor

    return run


def validated(weights, data, model_of):
    model = model_of()
    model.set_weights(weights)
    return model.evaluate(*data, verbose=0)


@pytest.fixture
def validation_data():
    rng = np.random.default_rng(0)
    _, x = (rng.normal(size=(n, 4)).astype("float32") for n in (20, 10))  # as the fixture fit makes them
    return x, x[:, :1]


def values(monitor):
    return [each.metrics["val_loss"] for each in monitor.accountant.history if each.epoch is not None]


def close(weights, others):
    return all(np.allclose(one, other, atol=1e-5) for one, other in zip(weights, others, strict=True))


@pytest.mark.parametrize(
    ("is_first", "swap_on_epoch"),
    [(False, True), (True, False), *([] if COMPILES else [(False, False), (True, True)])],
)
def test_every_record_has_the_value_of_the_average(averaged, model_of, validation_data, is_first, swap_on_epoch):
    _, states, monitor = averaged(is_first=is_first, swap_on_epoch=swap_on_epoch)

    steps = len(states.states) // EPOCHS
    expected = [validated(states.average(steps * (n + 1)), validation_data, model_of) for n in range(EPOCHS)]
    assert values(monitor) == pytest.approx(expected, rel=1e-4)
    assert values(monitor)[-1] != pytest.approx(validated(states.states[-1], validation_data, model_of), rel=1e-2)


@pytest.mark.parametrize("policies", [[], [stop_at(2)]], ids=["planned", "stopped"])
def test_the_average_is_in_the_model_after_the_fit(averaged, policies):
    model, states, monitor = averaged(policies=policies)

    assert len(values(monitor)) == (3 if policies else EPOCHS)
    assert close(model.get_weights(), states.average())
    assert not close(model.get_weights(), states.states[-1])


def test_a_rule_may_stop_by_the_average_under_an_annealed_rate(fit, model_of, monitor_of, validation_data):
    steps = 3 * 40
    rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
    model = model_of(keras.optimizers.SGD(rate, use_ema=True, ema_momentum=1 - 20 / steps))
    monitor = monitor_of(policies=[MarginalGain("val_loss", on_annealing="stop")])
    fit(monitor, model=model, epochs=40, after=[keras.callbacks.SwapEMAWeights()])

    assert 10 <= len(values(monitor)) < 40
    assert model.evaluate(*validation_data, verbose=0) == pytest.approx(values(monitor)[-1], rel=1e-4)


@pytest.mark.parametrize("policies", [[], [stop_at(2)]], ids=["planned", "stopped"])
def test_what_keras_loses_when_a_policy_stops_is_said(averaged, policies, caplog):
    with caplog.at_level(logging.WARNING):
        model, states, _ = averaged(policies=policies, swap_on_epoch=True)

    said = [message for message in caplog.messages if "leave swap_on_epoch out" in message]
    assert len(said) == len(policies)
    assert close(model.get_weights(), states.states[-1] if policies else states.average()), "Keras keeps it as said"


def test_a_front_after_the_swap_saves_the_average(averaged, validation_data, caplog):
    front = FrontCheckpoint("val_loss", mode="min")
    with caplog.at_level(logging.WARNING):
        _, _, monitor = averaged(front, swap_on_epoch=True)

    saved = keras.models.load_model(front.best_model_path)
    assert saved.evaluate(*validation_data, verbose=0) == pytest.approx(min(values(monitor)), rel=1e-4)
    assert "FrontCheckpoint saves the last weights" not in caplog.text


def test_a_front_that_saves_other_weights_says_so(averaged, caplog):
    with caplog.at_level(logging.WARNING):
        averaged(FrontCheckpoint("val_loss", mode="min"))

    (said,) = [message for message in caplog.messages if "FrontCheckpoint saves the last weights" in message]
    assert "SwapEMAWeights(swap_on_epoch=True), FrontCheckpoint(…)]" in said


def test_a_front_before_the_swap_says_so(fit, model_of, monitor_of, caplog, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    model = model_of(keras.optimizers.SGD(0.05, use_ema=True))
    after = [FrontCheckpoint("val_loss", mode="min"), keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]
    with caplog.at_level(logging.WARNING):
        fit(monitor_of(), model=model, after=after)

    assert "FrontCheckpoint saves the last weights" in caplog.text


def test_a_front_without_averages_says_nothing(fit, monitor_of, caplog, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.WARNING):
        fit(monitor_of(), after=[FrontCheckpoint("val_loss", mode="min")])

    assert "SwapEMAWeights" not in caplog.text
