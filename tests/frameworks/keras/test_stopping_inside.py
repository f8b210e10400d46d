"""A budget ends an epoch that would never end, without a hook at every batch."""

import time

import keras
import numpy as np
import pytest

from green_callbacks import CarbonBudget
from green_callbacks.keras import EmissionsMonitor
from green_callbacks.sources import ScriptedSource

pytestmark = pytest.mark.backend

PATIENCE_SECONDS = 60.0
STEP_SECONDS = 0.01
NEVER = 10**6
MOST_AHEAD = 3
"""Batches that Keras draws before it trains on them, and the one at hand."""


class Noting(keras.Sequential):
    """Notes after how many batches it is told to stop."""

    data = None
    told_at = None

    def __setattr__(self, name, value):
        if name == "stop_training" and value:
            object.__setattr__(self, "told_at", self.data.batches)
        super().__setattr__(name, value)


class Slow(keras.utils.PyDataset):
    """Batches that take a while, of an epoch that nobody sees the end of."""

    def __init__(self):
        super().__init__()
        self.batches = 0
        self.last = 0.0

    def __len__(self):
        return NEVER

    def __getitem__(self, index):
        self.batches += 1
        self.last = time.monotonic()
        time.sleep(STEP_SECONDS)
        return np.ones((2, 4), "float32"), np.ones((2, 1), "float32")


def fit_endlessly(model, monitor, **options):
    began, batches = time.monotonic(), Slow()
    history = model.fit(batches, shuffle=False, epochs=3, callbacks=[monitor], verbose=0, **options)
    assert time.monotonic() - began < PATIENCE_SECONDS
    return history, batches


@pytest.fixture
def monitor():
    return EmissionsMonitor(
        sources=[ScriptedSource(360.0)],
        carbon_intensity=100.0,
        sinks=[],
        ledger=False,
        policies=[CarbonBudget("300 J")],
    )


def test_keras_stops_after_the_batch_at_hand(monitor):
    model = Noting([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    object.__setattr__(model, "data", batches := Slow())
    model.fit(batches, shuffle=False, epochs=3, callbacks=[monitor], verbose=0)

    assert batches.batches - model.told_at <= MOST_AHEAD


@pytest.mark.parametrize("validates", [True, False])
def test_a_budget_ends_an_epoch_without_an_end(model_of, monitor, data, validates):
    history, _ = fit_endlessly(model_of(), monitor, validation_data=data if validates else None)

    run = monitor.accountant.close()
    assert history.epoch == [0]
    assert [(record.epoch, record.complete) for record in monitor.accountant.history if record.epoch is not None] == [
        (0, False)
    ]
    assert "budget" in run.stop_reason
    assert ("val_loss" in history.history) is validates


def test_steps_that_are_executed_together_end_together(monitor):
    if keras.backend.backend() == "torch":
        pytest.skip("torch executes one at a time")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=7)
    fit_endlessly(model, monitor)

    assert monitor.accountant.stop_reason is not None
    assert int(model.optimizer.iterations) % 7 == 0


def test_keras_waits_for_no_batch(model_of, monitor):
    hooks = keras.callbacks.CallbackList([monitor], model=model_of())
    assert hooks._async_train == hooks._async_test == hooks._async_predict == keras.src.backend.IS_THREAD_SAFE
