"""What only the TensorFlow backend has: its own TensorBoard callback, and several devices in one process."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
tf = pytest.importorskip("tensorflow")

import keras  # noqa: E402
import numpy as np  # noqa: E402
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402

from green_callbacks import TensorBoardSink  # noqa: E402
from green_callbacks.clock import ScriptedClock  # noqa: E402
from green_callbacks.keras import EmissionsMonitor  # noqa: E402
from green_callbacks.sources import ScriptedSource  # noqa: E402

if keras.backend.backend() != "tensorflow":
    pytest.skip("another backend", allow_module_level=True)

# Before anything else runs on them: devices cannot be changed afterwards.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # keras on NumPy 2

SAMPLES, BATCH_SIZE, EPOCHS = 24, 8, 3
EPOCH_JOULES = 300.0 * 3


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def fit(clock):
    """Fit a linear model for three epochs of three batches, with any callbacks."""

    def run(*callbacks):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        x = np.ones((SAMPLES, 4), "float32")
        time = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: clock.advance(1.0))
        options = {"batch_size": BATCH_SIZE, "epochs": EPOCHS, "validation_data": (x[:10], x[:10, :1]), "verbose": 0}
        return model.fit(x, x[:, :1], callbacks=[*callbacks, time], **options)

    return run


@pytest.fixture
def monitor_of(clock):
    def make(**options):
        source = ScriptedSource(300.0, clock=clock)
        defaults = {"sinks": [], "ledger": False, "carbon_intensity": 100.0, "strict": True}
        return EmissionsMonitor(sources=[source], clock=clock, **{**defaults, **options})

    return make


def test_a_run_on_two_devices_counts_once(fit, monitor_of):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    monitor = monitor_of()
    with strategy.scope():
        logs = fit(monitor)

    assert strategy.num_replicas_in_sync == 2
    history = list(monitor.accountant.history)
    assert [record.energy_joules for record in history] == pytest.approx([EPOCH_JOULES] * EPOCHS, rel=1e-9)
    assert [record.samples for record in history] == [SAMPLES] * EPOCHS
    assert [record.step for record in history] == [3, 6, 9]
    assert len(logs.history["green/energy_wh"]) == EPOCHS


def scalar_tags(folder):
    events = EventAccumulator(str(folder)).Reload()
    tensors = [
        tag for tag in events.Tags()["tensors"] if events.SummaryMetadata(tag).plugin_data.plugin_name == "scalars"
    ]
    return {*events.Tags()["scalars"], *tensors}


def test_no_tag_stands_twice_beside_keras_own_tensorboard(fit, monitor_of, tmp_path):
    monitor = monitor_of(sinks=[TensorBoardSink(tmp_path / "green")])
    fit(monitor, keras.callbacks.TensorBoard(tmp_path, update_freq="epoch"))

    ours, train = scalar_tags(tmp_path / "green"), scalar_tags(tmp_path / "train")
    assert {"green/energy_wh", "green/emissions_total_g"} <= ours
    assert "epoch_green/energy_wh" in train, "what Keras writes of its logs"
    assert not ours & (train | scalar_tags(tmp_path / "validation"))
