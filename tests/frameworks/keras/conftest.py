"""Fits whose every joule is known: 300 W, and a clock that only batches advance."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
keras = pytest.importorskip("keras")

import numpy as np  # noqa: E402

from green_callbacks.clock import ScriptedClock  # noqa: E402
from green_callbacks.keras import EmissionsMonitor  # noqa: E402
from green_callbacks.sources import ScriptedSource  # noqa: E402

TRAIN_SAMPLES, VALIDATION_SAMPLES, BATCH_SIZE = 20, 10, 8


NOTED = {"tensorflow": {"test_landing_rates.py", "test_samples.py"}, "jax": {"test_landing_rates.py"}}
"""Tests that execute lines of the package which no test does with torch."""


def pytest_collection_modifyitems(items):
    """Mark the tests of Keras, and pass over what Keras with torch says of itself on NumPy 2.

    To note which lines are executed takes a third of the time with TensorFlow. Most are noted with torch, in less time.
    """
    backend = keras.backend.backend()
    for item in items:
        if backend in NOTED and item.path.name not in NOTED[backend]:
            item.add_marker(pytest.mark.no_cover)
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.keras)
            item.add_marker(pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"))


class Passing(keras.callbacks.Callback):
    """Lets time pass with every batch: 1 s for training, 0.5 s for a test, 0.25 s for a prediction."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def on_train_batch_end(self, batch, logs=None):
        self.clock.advance(1.0)

    def on_test_batch_end(self, batch, logs=None):
        self.clock.advance(0.5)

    def on_predict_batch_end(self, batch, logs=None):
        self.clock.advance(0.25)


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def passing(clock):
    return Passing(clock)


@pytest.fixture
def monitor_of(clock):
    """A monitor of 300 W, with any other options."""

    def make(**options):
        defaults = {"carbon_intensity": 1000.0, "pue": 1.0, "sinks": [], "ledger": False, "strict": True}
        defaults["sources"] = [ScriptedSource(300.0, clock=clock)]
        return EmissionsMonitor(clock=clock, **{**defaults, **options})

    return make


@pytest.fixture
def model_of():
    """A linear model with any optimizer."""

    def make(optimizer="sgd", **options):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile(optimizer, "mse", **options)
        return model

    return make


@pytest.fixture
def fit(monitor_of, model_of, passing):
    """Fit a model: three batches of training and two of validation an epoch, unless told otherwise."""

    def run(monitor, *, model=None, before=(), after=(), **options):
        rng = np.random.default_rng(0)
        x, x_val = (rng.normal(size=(n, 4)).astype("float32") for n in (TRAIN_SAMPLES, VALIDATION_SAMPLES))
        defaults = {
            "batch_size": BATCH_SIZE,
            "validation_data": (x_val, x_val[:, :1]),
            "epochs": 3,
            "callbacks": [*before, monitor, passing, *after],
            "verbose": 0,
        }
        model = model or model_of()
        return model.fit(x, x[:, :1], **{**defaults, **options})

    return run


@pytest.fixture
def data():
    """Images of nothing, for ``evaluate`` and ``predict``."""
    x = np.ones((VALIDATION_SAMPLES, 4), "float32")
    return x, x[:, :1]
