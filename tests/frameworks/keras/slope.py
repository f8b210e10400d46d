"""A model whose weight moves by the learning rate in each batch, because its gradient is always 1."""

import keras
import numpy as np
import pytest

EXACT, STILL = 1e-6, 1e-7
RATE = 0.25


def constant(steps):
    return np.full(len(steps), RATE)


def decaying(steps):
    return 0.5 - 0.01 * np.minimum(steps, 40)


def schedule():
    return keras.optimizers.schedules.PolynomialDecay(0.5, 40, 0.1)


COMPILES = keras.backend.backend() != "torch"
"""Whether the backend compiles every model anew, which takes longer than all else in a test."""
RATES = pytest.mark.parametrize(
    ("rate", "of_steps"), [(lambda: RATE, constant), (schedule, decaying)], ids=["float", "schedule"]
)
RATE_OR_RATES = pytest.mark.parametrize(("rate", "of_steps"), [(schedule, decaying)]) if COMPILES else RATES
"""Both kinds of rates with torch. Where models are compiled, tests that look at every step try both."""


class Slope(keras.losses.Loss):
    """The mean of the output, whose gradient does not depend on the weight."""

    def call(self, y_true, y_pred):
        return keras.ops.mean(y_pred, axis=-1)


def slope_of(optimizer, kind=keras.Sequential, **options):
    model = kind([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer, Slope(), **options)
    return model


def weight_of(model):
    return float(keras.ops.convert_to_numpy(model.trainable_variables[0])[0, 0])


class Weights(keras.callbacks.Callback):
    """Notes the weight before the first batch and after each batch of a fit."""

    def __init__(self):
        super().__init__()
        self.weights = []

    def on_train_batch_begin(self, batch, logs=None):
        if not self.weights:
            self.weights.append(weight_of(self.model))

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(weight_of(self.model))

    @property
    def moves(self):
        return -np.diff(self.weights)
