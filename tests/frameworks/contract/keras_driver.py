"""Keras 3 on any backend, as the contract drives it."""

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from frameworks.contract.driver import BATCH_SIZE, BATCHES, METRIC, VALIDATION_BATCHES, Training, scripted

from green_callbacks.keras import EmissionsMonitor


class _Script(keras.callbacks.Callback):
    """Lets batches take scripted time, and adds the scripted metric to the logs of each epoch."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self._script, self._epoch = training, 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._script.batch(self._epoch, batch)

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._script.clock.advance(0.5)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs[METRIC] = self._script.score(epoch)


class Keras:
    """``green_callbacks.keras``. A run goes on by its ledger, because Keras keeps no state of callbacks."""

    hints = ("__array__ implementation",)

    def __init__(self) -> None:
        self._epochs_done = 0

    def monitor(self, training: Training, **options: Any) -> EmissionsMonitor:
        defaults = {"ledger": training.folder / "run.jsonl"}
        return EmissionsMonitor(**scripted(training, **{**defaults, **options}))

    def fit(self, monitor: Any, training: Training, *, is_resumed: bool = False) -> None:
        first = self._epochs_done if is_resumed else 0
        x, x_val = (np.ones((BATCH_SIZE * batches, 4), "float32") for batches in (BATCHES, VALIDATION_BATCHES))
        told = _model().fit(
            x,
            x[:, :1],
            batch_size=BATCH_SIZE,
            validation_data=(x_val, x_val[:, :1]),
            initial_epoch=first,
            epochs=training.epochs,
            callbacks=[_Script(training), monitor],
            verbose=0,
        )
        self._epochs_done = first + len(told.epoch)
        training.logged = {key: values[-1] for key, values in told.history.items() if key.startswith("green/")}

    def evaluate(self, monitor: Any, training: Training) -> None:
        x = np.ones((BATCH_SIZE * VALIDATION_BATCHES, 4), "float32")
        callbacks = [_Script(training), monitor]
        _model().evaluate(x, x[:, :1], batch_size=BATCH_SIZE, callbacks=callbacks, verbose=0)


def _model() -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model
