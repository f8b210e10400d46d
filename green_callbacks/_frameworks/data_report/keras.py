"""Reports what training shows of each sample, with Keras 3 on any backend."""

import threading
from functools import partial
from pathlib import Path
from typing import Any, Final

import keras

from green_callbacks._frameworks.keras.keras_only import OnlyKeras3
from green_callbacks._frameworks.keras.monitor import fitting
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.data_report import DataReport as AnyReport
from green_callbacks.data_report.report import LN_2

_NOTHING_SEEN: Final = (
    "DataReport does nothing, because it saw no losses of samples. Call its observe(index, losses) in compute_loss of "
    "the model, and pass it to fit() as a callback."
)
_COMPILED: Final = (
    "DataReport does nothing, because XLA compiles the training step and lets no losses out. "
    "Pass jit_compile=False to compile()."
)


class DataReport(OnlyKeras3, keras.callbacks.Callback):  # type: ignore[misc]  # keras is not typed
    """Reports what training shows of each sample, from the losses that it computes anyway.

    Callbacks of Keras see no losses of samples. So put the position of each sample beside its label or among its
    inputs, and call :meth:`observe` where the model computes its loss::

        report = DataReport()

        class Classifier(keras.Model):
            def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
                losses = keras.losses.sparse_categorical_crossentropy(y["label"], y_pred)
                report.observe(y["index"], losses)
                return keras.ops.mean(losses)

        model.fit(x, {"label": labels, "index": numpy.arange(len(labels))}, callbacks=[report, EmissionsMonitor()])

    The summary of the ``EmissionsMonitor`` quotes the report, wherever the two stand. Only training counts, and no
    validation. With TensorFlow, compile the model with ``jit_compile=False``, because XLA lets no losses out. Keras
    tells callbacks of no exception. The file is then written when the ``EmissionsMonitor`` notices it, or by
    ``report.report.finish()``. If no losses come, the callback says so once and does nothing. See
    :class:`green_callbacks.data_report.DataReport` for the meaning of each count.

    Args:
        known_below: Loss below which a sample is known. None for a loss that cannot tell. Defaults to ln 2.
        path: File of the report. Defaults to ``<run id>.data.json`` beside the ledger.

    Attributes:
        report: The report.

    Raises:
        ConfigurationError: NumPy is missing, or an option cannot work.

    Example:
        >>> from green_callbacks.keras import DataReport, EmissionsMonitor
        >>> callbacks = [DataReport(), EmissionsMonitor(sinks=[])]
        >>> callbacks[0].report.totals().visits
        0
    """

    def __init__(self, *, known_below: float | None = LN_2, path: str | Path | None = None) -> None:
        super().__init__()
        self.report = AnyReport(known_below=known_below, path=path)
        self._guarded = Guarded()
        self._was_missed = False
        self._begin()

    def _begin(self) -> None:
        self._is_on = self._is_testing = False
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy without the model, which Keras sets at every fit."""
        return {**self.__dict__, "_model": None, "params": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def observe(self, index: Any, losses: Any, correct: Any = None) -> None:
        """Note the losses of a training step. Call it where the model computes its loss.

        Args:
            index: Position of each sample in the data set.
            losses: Loss of each sample, before the mean.
            correct: Whether each sample was classified correctly. Defaults to None, which leaves that to the loss.
        """
        self._was_missed |= not self._is_on
        if self._is_on:
            values = [index, losses] if correct is None else [index, losses, correct]
            self._guarded.tell("Reading the losses of the samples", partial(_send, self._take, values))

    def _take(self, *values: Any) -> None:
        """Note values outside the compiled step. A thread of the backend may call this."""
        if self._is_on and not self._is_testing:
            with self._lock:
                self.report.observe(*values)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin or continue the report of a fit."""
        self._is_on, self._is_testing = True, False
        if self._was_missed:  # a step that was compiled before the fit has no losses to send
            self._was_missed = False
            self._guarded.tell("Compiling the training step", partial(self.model.make_train_function, force=True))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the monitor of this fit, wherever it stands among the callbacks."""
        if epoch and not self._is_on:
            return
        monitor = next((each for each in fitting if each.fit and each.fit.params is self.params), None)
        self.report.follow(monitor.accountant if monitor is not None else None)
        if keras.backend.backend() == "tensorflow" and getattr(self.model, "jit_compile", False):
            self._is_on = False
            self.report.say("compiled", _COMPILED)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Wait for the losses of the epoch."""
        if self._is_on:
            self._guarded.tell("Waiting for the losses of the samples", _wait)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Leave out a validation."""
        self._guarded.tell("Waiting for the losses of the samples", _wait)
        self._is_testing = True

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Go on after a validation."""
        self._guarded.tell("Waiting for the losses of the samples", _wait)
        self._is_testing = False

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Write the report."""
        if not self._is_on:
            return
        self._is_on = False
        if not self.report.totals().visits:
            self.report.say("nothing", _NOTHING_SEEN)
        self._guarded.tell("Writing the report on the data", self.report.finish)


def _send(take: Any, values: list[Any]) -> None:
    """Hand values of a step to a function, out of the graph in which they are computed."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tf.numpy_function(take, values, [])
    elif backend == "jax":
        import jax

        jax.debug.callback(take, *map(jax.lax.stop_gradient, map(jax.numpy.asarray, values)))
    else:
        take(*values)


def _wait() -> None:
    """Wait until all values that were sent have come."""
    if keras.backend.backend() == "jax":
        import jax

        jax.effects_barrier()
