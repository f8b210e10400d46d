import subprocess
import sys

import pytest

from green_callbacks import CarbonBudget, TensorBoardSink

pytestmark = pytest.mark.backend

event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

WITHOUT_TENSORFLOW = """
import sys
import keras, numpy as np
from green_callbacks import TensorBoardSink
from green_callbacks.keras import EmissionsMonitor
from green_callbacks.sources import ScriptedSource

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
x = np.ones((8, 4), "float32")
monitor = EmissionsMonitor(sources=[ScriptedSource()], sinks=[TensorBoardSink("logs")], carbon_intensity=100.0)
model.fit(x, x[:, :1], epochs=2, callbacks=[monitor], verbose=0)
assert monitor.accountant.close().epochs == 2
print([name for name in ("tensorflow", "tensorboard", "tensorboardX") if name in sys.modules])
"""


def test_event_files_hold_every_epoch_at_its_last_step(fit, monitor_of, tmp_path):
    fit(monitor_of(sinks=[TensorBoardSink(tmp_path)], policies=[CarbonBudget("1 MJ")]))

    events = event_accumulator.EventAccumulator(str(tmp_path)).Reload()
    points = [(event.step, event.value) for event in events.Scalars("green/energy_wh")]
    assert points == [(step, pytest.approx(1200.0 / 3600)) for step in (2, 5, 8)]
    assert "green/budget_left_wh" in events.Tags()["scalars"]
    assert "green/provenance/text_summary" in events.Tags()["tensors"]


def test_event_files_take_neither_tensorflow_nor_tensorboard(tmp_path):
    from keras import backend

    if backend.backend() == "tensorflow":
        pytest.skip("this backend is TensorFlow")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW], capture_output=True, cwd=tmp_path, check=False, timeout=300
    )

    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == "[]"
    assert len(list((tmp_path / "logs").glob("events.out.tfevents.*"))) == 1
