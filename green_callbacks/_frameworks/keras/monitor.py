"""The body of Keras's ``EmissionsMonitor``."""

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from math import nan
from typing import Any, Final, Unpack

import keras

from green_callbacks._frameworks.common.running_call import RunningCall
from green_callbacks._frameworks.keras.callback_list import blind, deletes_its_backup, leaves_the_last_weights
from green_callbacks._frameworks.keras.fit import Fit, Stop, nothing
from green_callbacks._frameworks.keras.keras_only import OnlyKeras3
from green_callbacks._frameworks.keras.landing_rates import KerasRates
from green_callbacks.accountant import AccountantOptions, EnergyAccountant
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.errors import BudgetSpentError
from green_callbacks.records import Plan
from green_callbacks.units import joules_to_kwh, kg_to_grams

_NESTED: Final = (
    "A fit began inside another fit with the same EmissionsMonitor. Its energy counts for the outer fit. "
    "To account it separately, give it an EmissionsMonitor of its own."
)
_BLIND: Final = (
    "%s cannot see the metrics of EmissionsMonitor, because EmissionsMonitor comes later in callbacks=[…]. "
    "List EmissionsMonitor first."
)
_LOOP_GOES_ON: Final = (
    "A policy has ended this training, but a loop continues it with another fit of one epoch. A policy cannot end "
    "the loop. Leave the loop when monitor.accountant.stop_reason is not None."
)
_LATE: Final = (
    "a callback adds it to the logs after EmissionsMonitor has read them",
    "List EmissionsMonitor after that callback in callbacks=[…].",
)
_BACKUP: Final = (
    "BackupAndRestore deletes its backup when a policy stops the fit, as at the end of any fit. "
    "To continue later, pass delete_checkpoint=False to BackupAndRestore."
)
_AVERAGE: Final = (
    "When a policy stops the fit, Keras leaves the last weights in the model and loses their average, because "
    "SwapEMAWeights has swap_on_epoch=True. Load the model from a checkpoint, or leave swap_on_epoch out."
)
_CANNOT_STOP: Final = (
    "The model does not accept stop_training (%s: %s). Training goes on although a policy has ended it. "
    "Make the attribute stop_training of the model writable."
)
_GOES_ON: Final = (
    "Training went on after a policy had ended it, because something has set stop_training back to False. "
    "It is now True again. Remove that code, or the policy."
)

_REPLACED: Final = (
    "Something has replaced the learning rate or the training function of the model during the landing. Batches of "
    "epoch %s may have been trained at the full rate. Do so before fit(), or leave landing out."
)

fitting: "weakref.WeakSet[EmissionsMonitor]" = weakref.WeakSet()  # Keras does not show callbacks to each other


class EmissionsMonitor(OnlyKeras3, keras.callbacks.Callback):  # type: ignore[misc]  # keras is not typed
    """Measures energy and emissions of every fit, per epoch, and of ``evaluate`` and ``predict`` between fits.

    At the end of each epoch, ``logs`` get ``green/energy_wh`` and ``green/emissions_total_g``, which are nan if nothing
    was measured. ``History`` and the progress line always have them. ``CSVLogger``, ``TensorBoard`` and
    ``EarlyStopping(monitor=…)`` have them if they are listed after this callback. So list it first, or after a callback
    that adds metrics of your own. All other numbers go to TensorBoard and the ledger.

    A budget that is spent inside an epoch stops the fit after the present batch. A fit of one epoch that trains the
    same model as the fit before continues its epochs, so a loop of such fits is one training.

    A landing scales the learning rate of the optimizer in every step. Callbacks, saved models and
    ``optimizer.learning_rate`` have the rate that you gave, a number or a schedule. TensorFlow and JAX compile the
    training step once more for a landing. TensorBoard shows its factor as ``green/landing``.

    Keras saves no state of callbacks. To resume a run after a restart, name its file with ``ledger=…``. Beside
    ``BackupAndRestore``, pass ``delete_checkpoint=False`` to it, because Keras deletes the backup at the end of a fit
    that a policy has stopped.

    To judge averaged weights, and to have them in the model after the fit, give the optimizer ``use_ema=True`` and add
    ``SwapEMAWeights()`` in any place. Keep its ``swap_on_epoch`` at False. With True, Keras leaves the last weights in
    the model when a policy stops the fit. Keras averages with a fixed decay, and it does not average the statistics of
    batch normalization. The average of a model that still learns fast lags behind.

    Keras does not report exceptions and interrupts to callbacks either. Within seconds, this callback notices a fit
    that was cut short, and records it up to that moment with an incomplete last epoch.

    Args:
        accountant: An accountant to use. Defaults to a new accountant with the given options.
        **options: Options of the accountant, see :class:`green_callbacks.AccountantOptions`.

    Raises:
        ConfigurationError: An option cannot work.

    Example:
        >>> from green_callbacks import CarbonBudget
        >>> from green_callbacks.keras import EmissionsMonitor
        >>> monitor = EmissionsMonitor(location="FR", policies=[CarbonBudget("500 g")])
        >>> monitor.accountant.is_live
        False
    """

    def __init__(self, accountant: EnergyAccountant | None = None, **options: Unpack[AccountantOptions]) -> None:
        super().__init__()
        self.accountant = EnergyAccountant.given(accountant, options)
        self._guarded = Guarded()
        self._forget()
        if self.accountant.decides_inside_epochs:
            # Only then, because Keras waits for each batch if a callback has this hook.
            self.on_train_batch_end = self._end_batch
        if self.accountant.lands_inside:
            # Keras waits for no batch because of this hook.
            self.on_train_batch_begin = self._begin_batch

    def _forget(self) -> None:
        """Reset everything that belongs to a fit."""
        self.fit: Fit | None = None
        self.epoch: int | None = None  # index of the open epoch in the records
        self.last_epoch: int | None = None
        self._stop = Stop(None)
        self._rates: KerasRates | None = None
        self._last_model: Callable[[], object] = nothing
        self._shift = self._first_row = self._steps = 0
        self._batches_a_step = 1
        self._has_ended_batches = self._is_cut_short = False
        self._phases: list[AbstractContextManager[None]] = []
        self._logs: dict[str, Any] = {}  # of the last epoch, to which later callbacks may add
        self._read_keys: frozenset[str] = frozenset()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy, which is a new run with the same options. Keras sets the model at every fit."""
        fresh = object.__new__(type(self))
        fresh._forget()
        return {**vars(self), **vars(fresh), "_model": None, "params": None}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin a fit, after ending an earlier fit that an exception has cut short."""
        if self.fit is not None and self.fit.call is not None and self.fit.is_running():
            self._say_within(self.fit)
            return
        self.accountant.close()
        fit = self.fit = Fit(self.model, self.params, self._guarded)
        self._stop = Stop(self.model)
        history = self.accountant.history
        goes_on = fit.continues(self._last_model(), history.steps)
        self._shift = fit.shift(history.last_epoch) if goes_on else 0
        was_ended = goes_on and self.accountant.stop_reason is not None
        self._last_model = fit.model()
        self.epoch, self._batches_a_step = None, fit.batches_a_step()
        if self.accountant.may_land:
            self._rates = KerasRates(fit.trained.model, fit.call, self._guarded, self._end_landing)
            self.accountant.start_scaling(self._rates)
        self._start(fit.call, fit.plan(), self._stop)
        if fit.validates_every is not None:
            self.accountant.expect_validation(fit.validates_every or None)
        self._say_what_cannot_act(fit)
        if was_ended:
            self.accountant.warn("loop", _LOOP_GOES_ON)
        fitting.add(self)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """End the fit."""
        if self.fit is None or self.fit.is_calling():
            self._say_what_came_late()
            self.fit = None
            self.accountant.close()
            fitting.discard(self)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begin an epoch.

        Raises:
            BudgetSpentError: A budget has no room for the first epoch of the fit.
        """
        if self.fit is None:  # a loop of the user, which may begin with an epoch
            self.on_train_begin()
        number = epoch + self._shift
        if self.fit is None or not self.fit.is_calling() or not self.accountant.is_live or number == self.epoch:
            return
        self._say_what_came_late()
        if self.accountant.stop_reason is not None:
            self._end_training()
            self.accountant.warn("stop_training", _GOES_ON)
        self.fit.begin_epoch()
        self.epoch, self._first_row, self._steps = number, len(self.accountant.history), 0
        self._has_ended_batches = self._is_cut_short = False
        self._keep_landing()
        try:
            self.accountant.begin_epoch(number, step=self.fit.steps() or 0)
        except BudgetSpentError:
            self.accountant.close()
            raise

    def _begin_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Let a budget begin a landing, or stop the fit after this batch. Both need the steps so far."""
        if self.fit is None or not self.fit.is_calling():
            return
        steps = self.fit.steps_before(batch)
        if steps is not None:
            self.accountant.at_step(steps)
        if self.accountant.look():
            self._end_training()

    def _end_landing(self, steps: int) -> None:
        """End the fit after the last batch of a landing that ends inside an epoch."""
        if self.accountant.at_step(steps):
            self._end_training()

    def _keep_landing(self) -> bool:
        return self._rates is None or self._guarded.ask("The learning rate", self._rates.keep, otherwise=False)

    def _end_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count steps, end a part of the epoch if it is due, and stop if a policy decides so."""
        if self.fit is None or not self.fit.is_calling():
            return
        steps = (batch + 1) // self._batches_a_step
        count, self._steps = steps - self._steps, steps
        if self.accountant.end_step(count):
            self.fit.synchronize()
            self._observe(self.fit, logs or {})
            self.accountant.end_part()
            if self.accountant.stop_reason is not None:
                self._end_training()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """End the epoch, add its numbers to the logs, and stop if a policy decides so."""
        fit, logs = self.fit, {} if logs is None else logs
        if fit is None or self.epoch is None or not fit.is_calling() or not self.accountant.is_live:
            return
        self._end_batches(fit)
        if not self._keep_landing():
            self.accountant.warn("replaced rate", _REPLACED, self.epoch)
        self._observe(fit, logs)
        self.accountant.end_epoch(complete=False if self._is_cut_short else None)
        values = self._values()
        self._guarded.tell("Adding to the logs of Keras", lambda: logs.update(values))
        self.last_epoch, self.epoch = self.epoch, None
        self._logs, self._read_keys = logs, frozenset(logs)
        if self.accountant.stop_reason is not None:
            self._end_training()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin a validation, or a run of ``evaluate``."""
        if self.fit is not None and self.fit.is_running():
            if self.epoch is not None and self.fit.is_calling():
                self._end_batches(self.fit)
            self._begin("validation")
        else:
            self._begin("test")

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """End the validation, or the run of ``evaluate``."""
        self._end()

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin a run of ``predict``."""
        self._begin("predict")

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """End the run of ``predict``."""
        self._end()

    def _start(self, call: RunningCall | None, plan: Plan | None = None, on_spent: Stop | None = None) -> None:
        self._phases = []
        self.accountant.start(plan=plan, is_running=call.is_running if call else None, on_spent=on_spent)

    def _begin(self, phase: str) -> None:
        if self.fit is None or not self.fit.is_running():
            self.fit = None
            self.accountant.close()
            self._start(RunningCall.innermost("keras", ("evaluate", "predict"), made="epoch_iterator"))
        self._phases.append(self.accountant.phase(phase))

    def _end(self) -> None:
        if self._phases:
            self._phases.pop().__exit__(None, None, None)
        if self.fit is None and not self._phases:
            self.accountant.close()

    def _end_batches(self, fit: Fit) -> None:
        """Observe the samples of the epoch, before the validation resets their count."""
        if not self._has_ended_batches:
            self._has_ended_batches = True
            self._is_cut_short = fit.is_cut_short(is_asked=self._stop.is_wanted)
            self.accountant.count(samples=fit.samples())

    def _observe(self, fit: Fit, logs: dict[str, Any]) -> None:
        steps = fit.steps()
        rate = fit.learning_rate() if steps else None
        if steps and self._rates is not None and self.accountant.landing is None:
            # A landing may end after any batch, and so inside an epoch. Two steps within an epoch show that.
            self.accountant.at_step(steps - 1)
        self.accountant.count(step=steps)  # first, because a landing that ends at this step changes the rate
        self.accountant.observe(self._guarded.numbers(logs), learning_rate=rate)

    def _values(self) -> dict[str, float]:
        """Return the numbers of an epoch for the logs, summed over its parts. The keys are always the same."""
        history = self.accountant.history
        rows = [row for row in range(self._first_row, len(history)) if history.epoch_at(row) == self.epoch]
        joules = [each for each in map(history.energy_joules_at, rows) if each is not None]
        return {
            "green/energy_wh": 1000.0 * joules_to_kwh(sum(joules)) if joules else nan,
            "green/emissions_total_g": nan if history.energy_joules is None else kg_to_grams(history.emissions_kg),
        }

    def _end_training(self) -> None:
        self._stop()
        if self._stop.failure is not None:
            self.accountant.warn("stop", _CANNOT_STOP, type(self._stop.failure).__name__, self._stop.failure)

    def _say_within(self, fit: Fit) -> None:
        """Warn of a fit inside a fit, or of a callback that is listed twice."""
        if fit.is_calling():
            self.accountant.warn("twice", "EmissionsMonitor is in callbacks=[…] twice. It counts once.")
        else:
            self.accountant.warn("nested", _NESTED)

    def _say_what_came_late(self) -> None:
        self.accountant.explain_missing(self._logs.keys() - self._read_keys, *_LATE)
        self._logs = {}

    def _say_what_cannot_act(self, fit: Fit) -> None:
        names = ", ".join(dict.fromkeys(blind(fit.callbacks, self)))
        if names:
            self.accountant.warn("order", _BLIND, names)
        if self.accountant.may_stop and deletes_its_backup(fit.callbacks):
            self.accountant.warn("backup", _BACKUP)
        if self.accountant.may_stop and leaves_the_last_weights(fit.callbacks):
            self.accountant.warn("average", _AVERAGE)
