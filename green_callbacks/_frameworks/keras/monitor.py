"""The monitor for Keras 3: its hooks, and nothing else."""

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from math import nan
from typing import Any, Final, Unpack

import keras

from green_callbacks._frameworks.common.running_call import RunningCall
from green_callbacks._frameworks.keras.callback_list import blind, deletes_its_backup
from green_callbacks._frameworks.keras.fit import Fit, Stop, nothing
from green_callbacks._frameworks.keras.keras_only import OnlyKeras3
from green_callbacks.accountant import AccountantOptions, EnergyAccountant
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.errors import BudgetSpentError
from green_callbacks.records import Plan
from green_callbacks.units import joules_to_kwh, kg_to_grams

_NESTED: Final = (
    "A fit began while another with the same EmissionsMonitor goes on. It is counted within that one. "
    "To account it by itself, give it an EmissionsMonitor of its own."
)
_BLIND: Final = (
    "%s: before EmissionsMonitor in callbacks=[…], where none of its metrics are known yet. Put EmissionsMonitor first."
)
_LOOP_GOES_ON: Final = (
    "A further fit of one epoch goes on with a training that a policy had ended: a policy ends a fit, and no loop "
    "around it. Leave the loop when monitor.accountant.stop_reason is not None."
)
_LATE: Final = (
    "a callback adds it to the logs after EmissionsMonitor has read them",
    "Put EmissionsMonitor after that callback in callbacks=[…].",
)
_BACKUP: Final = (
    "BackupAndRestore deletes its backup when a policy stops the fit, as at the end of any fit. "
    "To go on later, give it delete_checkpoint=False."
)
_CANNOT_STOP: Final = (
    "The model cannot be told to stop (%s: %s). Training goes on although a policy ends it. "
    "Let stop_training of the model be set."
)
_GOES_ON: Final = (
    "Training went on after a policy had ended it: something has set stop_training of the model back to False. "
    "It is set again."
)

fitting: "weakref.WeakSet[EmissionsMonitor]" = weakref.WeakSet()  # no callback of Keras knows any other


class EmissionsMonitor(OnlyKeras3, keras.callbacks.Callback):  # type: ignore[misc]  # keras is not typed
    """Hooks in, verdicts out. Accounts every fit, and ``evaluate`` and ``predict`` as what lies outside epochs.

    ``logs`` get two keys at the end of every epoch, from the first one on: ``green/energy_wh`` and
    ``green/emissions_total_g``, which are nan where nothing was measured. ``History`` and the progress line always have
    them; ``CSVLogger``, ``TensorBoard`` and ``EarlyStopping(monitor=…)`` do if they come after it in the list. Put it
    first, or after a callback that adds metrics of your own. All else goes to TensorBoard and the ledger.

    A budget that is spent inside an epoch stops the fit there: Keras is asked to after the batch at hand.

    A fit of one epoch goes on with the numbers of the epochs before it, where it trains the same model: a loop of such
    fits is one training.

    Keras keeps no state of callbacks: to go on with a run after a restart, name its file with ``ledger=``. Beside
    ``BackupAndRestore``, give that ``delete_checkpoint=False``: Keras ends a fit that a policy stops like any other,
    and the backup is deleted at its end.

    Keras does not tell callbacks of an exception or an interrupt either. A fit that one cut short is noticed within
    seconds and recorded to that moment, its last epoch as incomplete.

    Args:
        accountant: An accountant to drive, instead of one made from the options.
        **options: See :class:`green_callbacks.AccountantOptions`.

    Raises:
        ConfigurationError: An option that cannot work.
    """

    def __init__(self, accountant: EnergyAccountant | None = None, **options: Unpack[AccountantOptions]) -> None:
        super().__init__()
        self.accountant = EnergyAccountant.given(accountant, options)
        self._guarded = Guarded()
        self._forget()
        if self.accountant.decides_inside_epochs:
            # Only then: a callback that looks at batches has Keras wait for each of them.
            self.on_train_batch_end = self._end_batch

    def _forget(self) -> None:
        """Begin with no fit."""
        self.fit: Fit | None = None
        self.epoch: int | None = None  # the open one, by its number in the records
        self.last_epoch: int | None = None
        self._stop = Stop(None)
        self._last_model: Callable[[], object] = nothing
        self._shift = self._first_row = self._steps = 0
        self._batches_a_step = 1
        self._has_ended_batches = self._is_cut_short = False
        self._phases: list[AbstractContextManager[None]] = []
        self._logs: dict[str, Any] = {}  # of the last epoch: callbacks that come later may add to them
        self._read_keys: frozenset[str] = frozenset()

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle as a new run with the same options, without the model: Keras sets it at every fit."""
        fresh = object.__new__(type(self))
        fresh._forget()
        return {**vars(self), **vars(fresh), "_model": None, "params": None}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin a fit; one that an exception cut short is ended first."""
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
            BudgetSpentError: It is the first of the fit, and a budget has no room for it.
        """
        if self.fit is None:  # a loop of the user's own, which begins with its epochs
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
        try:
            self.accountant.begin_epoch(number)
        except BudgetSpentError:
            self.accountant.close()
            raise

    def _end_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count steps; end a part of the epoch if it is time, and stop if a policy says so."""
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
        """End the epoch, add what it took to the logs, and stop if a policy says so."""
        fit, logs = self.fit, {} if logs is None else logs
        if fit is None or self.epoch is None or not fit.is_calling() or not self.accountant.is_live:
            return
        self._end_batches(fit)
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
        """End it."""
        self._end()

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin a run of ``predict``."""
        self._begin("predict")

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """End it."""
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
        """Observe the samples of the epoch, before the validation resets what has counted them."""
        if not self._has_ended_batches:
            self._has_ended_batches = True
            self._is_cut_short = fit.is_cut_short(is_asked=self._stop.is_wanted)
            self.accountant.observe(samples=fit.samples())

    def _observe(self, fit: Fit, logs: dict[str, Any]) -> None:
        steps = fit.steps()
        rate = fit.learning_rate() if steps else None
        self.accountant.observe(self._guarded.numbers(logs), learning_rate=rate, step=steps)

    def _values(self) -> dict[str, float]:
        """Return what the logs get of an epoch, its parts included; the keys are always the same."""
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
        """Say what the beginning of a fit within a fit is."""
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
