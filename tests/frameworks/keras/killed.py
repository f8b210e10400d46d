"""A fit that kills its process after its third epoch is recorded, and before that is backed up."""

import os
import signal
import sys
import time
from pathlib import Path

import keras
import numpy as np

from green_callbacks.clock import ScriptedClock
from green_callbacks.keras import EmissionsMonitor
from green_callbacks.sources import ScriptedSource

EPOCH = 2

ledger, backup = map(Path, sys.argv[1:])
clock = ScriptedClock()
monitor = EmissionsMonitor(
    sources=[ScriptedSource(300.0, clock=clock)], clock=clock, ledger=ledger, sinks=[], carbon_intensity=1000.0, pue=1.0
)


def kill(epoch: int, logs: dict[str, float]) -> None:
    """Die like a process that is out of memory, once the worker has written."""
    while epoch == EPOCH:
        if f'"epoch":{EPOCH}' in ledger.read_text():
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)


model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
x = np.ones((16, 4), "float32")
callbacks = [
    monitor,
    keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: clock.advance(1.0), on_epoch_end=kill),
    keras.callbacks.BackupAndRestore(backup),
]
model.fit(x, x[:, :1], batch_size=8, epochs=4, callbacks=callbacks, verbose=0)
