"""A callback in the hands of another framework is one sentence."""

import subprocess
import sys

import keras
import pytest

from green_callbacks.errors import ConfigurationError
from green_callbacks.keras import EmissionsMonitor, FrontCheckpoint

KERAS_2 = """
import sys, types
keras = types.ModuleType("keras")
keras.__version__ = "2.15.0"
keras.callbacks, keras.optimizers = types.ModuleType("keras.callbacks"), types.ModuleType("keras.optimizers")
for name in ("Callback", "CallbackList", "CSVLogger", "TensorBoard", "RemoteMonitor", "LearningRateScheduler",
             "ReduceLROnPlateau"):
    setattr(keras.callbacks, name, type(name, (), {}))
schedules = keras.optimizers.schedules = types.ModuleType("keras.optimizers.schedules")
for name in ("CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "PiecewiseConstantDecay",
             "PolynomialDecay"):
    setattr(schedules, name, type(name, (), {}))
sys.modules["keras.optimizers"] = keras.optimizers
sys.modules["keras"] = keras
import green_callbacks.keras
"""


@pytest.fixture(params=[EmissionsMonitor, lambda: FrontCheckpoint("val_loss")], ids=["monitor", "front"])
def callback(request):
    return request.param()


def legacy_model():
    kind = type("Sequential", (), {"__module__": "tf_keras.src.engine.sequential"})
    return type("Own", (kind,), {})()


def test_a_legacy_model_is_refused(callback):
    with pytest.raises(ConfigurationError, match=r"for Keras 3.*TF_USE_LEGACY_KERAS"):
        callback.set_model(legacy_model())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("_implements_train_batch_hooks", "TF_USE_LEGACY_KERAS"),
        ("setup", "green_callbacks.lightning"),
        ("state_key", "green_callbacks.lightning"),
        ("on_init_end", "EnergyAccountant"),
    ],
)
def test_what_only_others_ask_for_is_refused(callback, asked, said):
    with pytest.raises(ConfigurationError, match=said):
        getattr(callback, asked)
    with pytest.raises(AttributeError, match="no attribute 'anything'"):
        callback.anything  # noqa: B018


def test_a_legacy_fit_is_refused(callback):
    pytest.importorskip("tensorflow")
    legacy = pytest.importorskip("tensorflow.python.keras.callbacks")
    with pytest.raises(ConfigurationError, match="for Keras 3"):
        legacy.CallbackList([callback], model=None)


def test_a_fit_of_lightning_is_refused(callback, tmp_path):
    lightning = pytest.importorskip("lightning.pytorch")
    demos = pytest.importorskip("lightning.pytorch.demos.boring_classes")
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = lightning.Trainer(callbacks=[callback], max_epochs=1, default_root_dir=tmp_path, **quiet)
    with pytest.raises(ConfigurationError, match=r"green_callbacks\.lightning"):
        trainer.fit(demos.BoringModel())


def test_keras_2_is_refused_at_the_import():
    done = subprocess.run([sys.executable, "-c", KERAS_2], capture_output=True, text=True, check=False, timeout=100)
    assert done.stderr.splitlines()[-1].startswith("ImportError: green_callbacks.keras needs Keras 3, but Keras 2.15.0")


def test_models_of_keras_are_taken(callback, model_of):
    callback.set_model(model_of())
    assert isinstance(callback.model, keras.Model)
