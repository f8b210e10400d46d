"""Keras 3 on any backend, as the contract drives it."""

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from frameworks.contract.driver import BATCH_SIZE, BATCHES, METRIC, RATE, VALIDATION_BATCHES, Training, scripted
from frameworks.keras.slope import slope_of, weight_of

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


class _Steps(keras.callbacks.Callback):
    """Notes how far the weight moves in each batch, which is the learning rate, and how many epochs have ended."""

    def __init__(self, used: list[float], epochs_done: int) -> None:
        super().__init__()
        self.epochs_done = epochs_done
        self._used, self._weight = used, 0.0

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._weight = weight_of(self.model)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._used.append(self._weight - weight_of(self.model))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epochs_done = epoch + 1


class Keras:
    """``green_callbacks.keras``. A run goes on by its ledger, because Keras keeps no state of callbacks."""

    hints = ("__array__ implementation",)
    notes_rates = True

    def __init__(self) -> None:
        self._epochs_done = 0

    def monitor(self, training: Training, **options: Any) -> EmissionsMonitor:
        defaults = {"ledger": training.folder / "run.jsonl"}
        return EmissionsMonitor(**scripted(training, **{**defaults, **options}))

    def fit(self, monitor: Any, training: Training, *, is_resumed: bool = False) -> None:
        steps = _Steps(training.used, self._epochs_done if is_resumed else 0)
        x, x_val = (np.ones((BATCH_SIZE * batches, 1), "float32") for batches in (BATCHES, VALIDATION_BATCHES))
        try:
            told = _model().fit(
                x,
                x,
                batch_size=BATCH_SIZE,
                validation_data=(x_val, x_val),
                initial_epoch=steps.epochs_done,
                epochs=training.epochs,
                callbacks=[steps, _Script(training), monitor],
                verbose=0,
            )
        finally:
            self._epochs_done = steps.epochs_done
        training.logged = {key: values[-1] for key, values in told.history.items() if key.startswith("green/")}

    def evaluate(self, monitor: Any, training: Training) -> None:
        x = np.ones((BATCH_SIZE * VALIDATION_BATCHES, 1), "float32")
        callbacks = [_Script(training), monitor]
        _model().evaluate(x, x, batch_size=BATCH_SIZE, callbacks=callbacks, verbose=0)


def _model() -> keras.Model:
    return slope_of(keras.optimizers.SGD(RATE))
