"""The callback for Keras 3, on any backend."""

from typing import Any, Unpack

import keras

from green_callbacks.accountant import AccountantOptions, EnergyAccountant
from green_callbacks.records import Plan
from green_callbacks.sinks import scalars


class EmissionsMonitor(keras.callbacks.Callback):  # type: ignore[misc]  # keras is not typed
    """Hooks in, verdicts out. Accounts every fit, and ``evaluate`` and ``predict`` as what lies outside epochs.

    Metrics of the run appear under ``green/…`` in ``logs``: ``History`` always sees them; ``CSVLogger``,
    ``TensorBoard`` and ``EarlyStopping(monitor=…)`` do if they come after it in the list. Put it first.

    Keras keeps no state of callbacks: to go on with a run after a restart, name its file with ``ledger=``.

    Args:
        accountant: An accountant to drive, instead of one made from the options.
        **options: See :class:`green_callbacks.AccountantOptions`.
    """

    def __init__(self, accountant: EnergyAccountant | None = None, **options: Unpack[AccountantOptions]) -> None:
        super().__init__()
        self.accountant = accountant or EnergyAccountant(**options)
        self._is_fitting = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin a fit; one that an exception cut short is ended first."""
        self.accountant.close()
        self.accountant.start(plan=Plan(epochs=self.params.get("epochs")))
        self._is_fitting = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """End the fit."""
        self._is_fitting = False
        self.accountant.close()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begin an epoch."""
        if self.accountant.is_live:
            self.accountant.begin_epoch(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """End the epoch, add what it took to the logs, and stop if a policy says so."""
        if not self.accountant.is_live:
            return
        logs = {} if logs is None else logs
        self.accountant.observe(logs, learning_rate=self._learning_rate(), step=self._steps())
        record = self.accountant.end_epoch()
        logs.update(scalars(record, self.accountant.history.emissions_kg))
        if self.accountant.stop_reason is not None:
            self.model.stop_training = True

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin a validation, or a run of ``evaluate``."""
        self._begin("validation" if self._is_fitting else "test")

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """End it."""
        self._end()

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin a run of ``predict``."""
        self._begin("predict")

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """End it."""
        self._end()

    def _begin(self, phase: str) -> None:
        if not self._is_fitting:
            self.accountant.start()
        self.accountant.phase(phase)

    def _end(self) -> None:
        if self._is_fitting:
            self.accountant.phase("train")
        else:
            self.accountant.close()

    def _learning_rate(self) -> float | None:
        optimizer = getattr(self.model, "optimizer", None)
        return None if optimizer is None else float(keras.ops.convert_to_numpy(optimizer.learning_rate))

    def _steps(self) -> int | None:
        optimizer = getattr(self.model, "optimizer", None)
        return None if optimizer is None else int(keras.ops.convert_to_numpy(optimizer.iterations))


__all__ = ["EmissionsMonitor"]
