"""Keras does not say on what it trains: its backend is asked whether it holds a GPU."""

import sys

import keras
import pytest

from green_callbacks.sources import ScriptedSource

pytestmark = pytest.mark.backend


@pytest.fixture
def hold_a_gpu(monkeypatch):
    """Make the backend say that it holds one: there is none here."""
    backend = keras.backend.backend()
    if backend == "torch":
        monkeypatch.setattr("torch.cuda.is_initialized", lambda: True)
    elif backend == "jax":
        from jax._src import xla_bridge

        backends = {"cpu": xla_bridge._backends.get("cpu"), "cuda": object()}
        monkeypatch.setattr(xla_bridge, "_backends", backends)
    else:
        import tensorflow as tf

        monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["GPU:0"] if kind == "GPU" else [])


def processors(clock):
    return [ScriptedSource(100.0, name="cpu:0", component="cpu", clock=clock)]


def test_a_gpu_that_is_not_measured_is_said_and_stands_in_every_record(fit, monitor_of, clock, hold_a_gpu, caplog):
    if keras.backend.backend() == "jax":
        pytest.skip("JAX cannot train with a backend that is not there")
    monitor = monitor_of(sources=processors(clock))
    fit(monitor)

    assert caplog.text.count("uses a GPU (cuda) whose energy is not measured") == 1
    for record in monitor.accountant.history:
        assert record.devices["gpu:cuda"].joules is None


def test_a_fit_on_the_processors_misses_none(fit, monitor_of, clock, caplog):
    monitor = monitor_of(sources=processors(clock))
    fit(monitor)

    assert keras.backend.backend() in sys.modules
    assert "not measured" not in caplog.text
    assert list(monitor.accountant.history[0].devices) == ["cpu:0"]
