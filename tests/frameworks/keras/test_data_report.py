"""The report on the data in Keras, where losses of samples leave the compiled step."""

import copy
import json

import keras
import numpy as np
import pytest
from frameworks.keras.conftest import BATCH_SIZE

from green_callbacks import Summary
from green_callbacks.clock import ScriptedClock
from green_callbacks.keras import DataReport, EmissionsMonitor
from green_callbacks.sources import ScriptedSource

pytestmark = pytest.mark.backend
SAMPLES = 20


class Scripted(keras.Model):
    """The first sample has a loss of 3, and each other one of 0.1."""

    def __init__(self, report):
        super().__init__()
        self.layer = keras.layers.Dense(1)
        self.report = [report]  # in a list, so that Keras does not take it for a layer

    def call(self, x):
        return self.layer(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, *, training=True):
        index = keras.ops.reshape(y["index"], (-1,))
        is_first = keras.ops.cast(keras.ops.equal(index, 0), "float32")
        losses = 0.0 * keras.ops.reshape(y_pred, (-1,)) + 3.0 * is_first + 0.1
        self.see(index, losses)
        return keras.ops.mean(losses)

    def see(self, index, losses):
        if self.report[0] is not None:
            self.report[0].observe(index, losses)


def fit(report, model, folder, *, epochs=6, is_first=True, said=None, **compiled):
    clock = ScriptedClock()
    options = {"sources": [ScriptedSource(300.0, clock=clock)], "clock": clock, "carbon_intensity": 400.0}
    monitor = EmissionsMonitor(
        sinks=[] if said is None else [Summary(said.append)], ledger=folder / "run.jsonl", **options
    )
    passing = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: clock.advance(1.0))
    model.compile(optimizer="sgd", **{"jit_compile": False, **compiled})
    x, y = np.zeros((SAMPLES, 4), "float32"), {"index": np.arange(SAMPLES)}
    callbacks = [report, monitor, passing] if is_first else [monitor, report, passing]
    model.fit(
        x,
        y,
        epochs=epochs,
        batch_size=BATCH_SIZE,
        verbose=0,
        callbacks=callbacks,
        validation_data=(x[:8], {"index": np.arange(8)}),
    )
    return monitor


@pytest.mark.parametrize("is_first", [True, False])
def test_training_counts_and_validation_does_not(is_first, tmp_path):
    report, said = DataReport(), []
    fit(report, Scripted(report), tmp_path, is_first=is_first, said=said)

    written = json.loads((tmp_path / "run.data.json").read_text())
    totals = written["totals"]
    assert (totals["samples"], totals["visits"], totals["known_visits"]) == (20, 120, 19 * 3)
    assert written["indices"]["known_at_once"] == list(range(1, 20))
    assert written["indices"]["never_learned"] == written["indices"]["probably_mislabeled"] == [0]
    assert totals["known_joules"][0] == pytest.approx(totals["training_joules"][0] / 6 * 3 * 19 / 20)
    assert "samples that were known already" in " ".join(said[0].split())


def test_a_model_that_shows_no_losses_is_said_once(tmp_path, caplog):
    fit(DataReport(), Scripted(None), tmp_path, epochs=2)
    assert sum("it saw no losses of samples" in record.getMessage() for record in caplog.records) == 1
    assert not (tmp_path / "run.data.json").exists()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="others let losses out of a compiled step")
def test_a_step_that_xla_compiles_is_said_once_and_trains(tmp_path, caplog):
    report = DataReport()
    fit(report, Scripted(report), tmp_path, epochs=2, jit_compile=True)
    assert sum("Pass jit_compile=False" in record.getMessage() for record in caplog.records) == 1
    assert report.report.totals().visits == 0


class Unfit(Scripted):
    """Shows the mean loss in place of the loss of each sample."""

    def see(self, index, losses):
        self.report[0].observe(index, keras.ops.mean(losses))


def test_losses_that_do_not_fit_are_said_once_and_training_goes_on(tmp_path, caplog):
    report = DataReport()
    fit(report, Unfit(report), tmp_path, epochs=2)
    assert sum("losses of shape ()" in record.getMessage() for record in caplog.records) == 1


def test_a_copy_is_a_new_report(tmp_path):
    report = DataReport(known_below=0.5)
    fit(report, Scripted(report), tmp_path, epochs=1)
    assert copy.deepcopy(report).report.totals().visits == 0


def test_a_model_that_was_trained_before_is_compiled_again(tmp_path):
    report = DataReport()
    model = Scripted(report)
    model.compile(optimizer="sgd", jit_compile=False)
    model.fit(np.zeros((SAMPLES, 4), "float32"), {"index": np.arange(SAMPLES)}, batch_size=BATCH_SIZE, verbose=0)
    model.fit(
        np.zeros((SAMPLES, 4), "float32"),
        {"index": np.arange(SAMPLES)},
        batch_size=BATCH_SIZE,
        verbose=0,
        callbacks=[report],
    )
    assert report.report.totals().visits == SAMPLES


class Raising(keras.callbacks.Callback):
    """Raises within the third epoch."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2:
            raise RuntimeError


def test_after_an_exception_the_monitor_has_the_report_written(tmp_path):
    report, monitor = DataReport(), EmissionsMonitor(sources=[], sinks=[], ledger=tmp_path / "run.jsonl")
    model = Scripted(report)
    model.compile(optimizer="sgd", jit_compile=False)
    x, y = np.zeros((SAMPLES, 4), "float32"), {"index": np.arange(SAMPLES)}
    with pytest.raises(RuntimeError):
        model.fit(x, y, epochs=6, verbose=0, callbacks=[monitor, report, Raising()])
    monitor.accountant.close()
    assert json.loads((tmp_path / "run.data.json").read_text())["totals"]["visits"] == 3 * SAMPLES
