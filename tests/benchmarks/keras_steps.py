"""What a batch of a Keras fit costs with the monitor, beside an empty callback and one that looks at every batch.

Run it with ``KERAS_BACKEND=torch python tests/benchmarks/keras_steps.py``. All take turns, on the same model.
"""

import logging
import os
import tempfile
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from green_callbacks import CarbonBudget
from green_callbacks.keras import EmissionsMonitor
from green_callbacks.sources import ScriptedSource

BATCHES, ROUNDS, SIZE = 500, 9, 8


class LooksAtBatches(keras.callbacks.Callback):
    """Has Keras wait for every batch."""

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Do nothing."""


def monitor(**options: object) -> EmissionsMonitor:
    """Make a monitor that keeps nothing."""
    source = ScriptedSource(300.0)
    return EmissionsMonitor(sources=[source], carbon_intensity=100.0, sinks=[], ledger=False, **options)


MAKERS: dict[str, Callable[[], keras.callbacks.Callback]] = {
    "Callback()": keras.callbacks.Callback,
    "EmissionsMonitor()": monitor,
    "  with a budget": lambda: monitor(policies=[CarbonBudget("1 MWh")]),
    "  with a budget that may land": lambda: monitor(policies=[CarbonBudget("1 MWh", landing=0.1)]),
    '  with decide_every="1 h"': lambda: monitor(decide_every="1 h"),
    "a callback with a batch hook": LooksAtBatches,
}


def seconds_a_batch(model: keras.Model, callback: keras.callbacks.Callback) -> float:
    """Return the mean time between the batches of an epoch, its beginning and end left out."""
    times: list[float] = []
    marks = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: times.append(time.perf_counter()),
        on_epoch_end=lambda epoch, logs: times.append(time.perf_counter()),
    )
    marks.async_safe = True  # Keras would take its empty hooks for ones that look
    x = np.ones((BATCHES * SIZE, 4), "float32")
    model.fit(x, x[:, :1], batch_size=SIZE, shuffle=False, epochs=1, callbacks=[callback, marks], verbose=0)
    return (times[1] - times[0]) / BATCHES


def main() -> None:
    """Print the table."""
    logging.disable(logging.WARNING)
    os.chdir(tempfile.mkdtemp())
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    seconds_a_batch(model, keras.callbacks.Callback())
    costs: dict[str, list[float]] = {name: [] for name in MAKERS}
    for _ in range(ROUNDS):
        for name, make in MAKERS.items():
            costs[name].append(seconds_a_batch(model, make()))
    base = min(costs["Callback()"])
    print(f"{keras.backend.backend()}, {BATCHES} batches an epoch, best of {ROUNDS}; Callback() {base * 1e6:.0f} µs")
    for name, make in MAKERS.items():
        waits = not keras.callbacks.CallbackList([make()], model=model)._async_train
        more = (min(costs[name]) - base) * 1e6
        print(f"{name:32}{more:+8.1f} µs a batch{'   Keras waits' if waits else ''}")


if __name__ == "__main__":
    main()
