"""The callbacks for Keras 3, on any backend."""

import os
import weakref
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import keras

from green_callbacks._keras_schedules import model_plan, number, whole
from green_callbacks._running_call import RunningCall
from green_callbacks.accountant import AccountantOptions, EnergyAccountant, FrontFiles
from green_callbacks.accountant.guarded import Guarded
from green_callbacks.accountant.project import FOLDER
from green_callbacks.errors import BudgetSpentError, ConfigurationError
from green_callbacks.policies._metric_mode import Mode
from green_callbacks.records import Plan
from green_callbacks.sinks import scalars
from green_callbacks.summary import FrontPoint
from green_callbacks.text import plain_name

_fitting: "weakref.WeakSet[EmissionsMonitor]" = weakref.WeakSet()  # no callback of Keras knows any other


class EmissionsMonitor(keras.callbacks.Callback):  # type: ignore[misc]  # keras is not typed
    """Hooks in, verdicts out. Accounts every fit, and ``evaluate`` and ``predict`` as what lies outside epochs.

    Metrics of the run appear under ``green/…`` in ``logs``: ``History`` always sees them; ``CSVLogger``,
    ``TensorBoard`` and ``EarlyStopping(monitor=…)`` do if they come after it in the list. Put it first.

    Keras keeps no state of callbacks: to go on with a run after a restart, name its file with ``ledger=``. Beside
    ``BackupAndRestore``, give that ``delete_checkpoint=False``: Keras ends a fit that a policy stops like any other,
    and the backup is deleted at its end.

    Keras does not tell callbacks of an exception or an interrupt either. A fit that one cut short is noticed within
    seconds and recorded to that moment, its last epoch as incomplete.

    Args:
        accountant: An accountant to drive, instead of one made from the options.
        **options: See :class:`green_callbacks.AccountantOptions`.
    """

    def __init__(self, accountant: EnergyAccountant | None = None, **options: Unpack[AccountantOptions]) -> None:
        super().__init__()
        self.accountant = accountant or EnergyAccountant(**options)
        self._call: RunningCall | None = None
        self._is_fitting = False
        self._has_counted_samples = False
        self._batches = self._steps_before = 0
        self._phases = ExitStack()
        self._guarded = Guarded()
        if self.accountant.decides_inside_epochs:
            # Only then: a callback that looks at batches has Keras wait for each of them.
            self.on_train_batch_end = self._end_batch

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle as a new run with the same options, without the model: Keras sets it at every fit."""
        fresh = {"_model": None, "params": None, "_call": None, "_is_fitting": False, "_phases": ExitStack()}
        return {**self.__dict__, **fresh}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin a fit; one that an exception cut short is ended first."""
        self.accountant.close()
        self._is_fitting = True
        self._start(self._plan())
        _fitting.add(self)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """End the fit."""
        self._is_fitting = False
        self.accountant.close()
        _fitting.discard(self)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begin an epoch.

        Raises:
            BudgetSpentError: It is the first of the fit, and a budget has no room for it.
        """
        self._has_counted_samples = False
        self._batches = 0
        self._steps_before = self._iterations() or self.accountant.history.steps or 0
        if self.accountant.is_live:
            try:
                self.accountant.begin_epoch(epoch)
            except BudgetSpentError:
                self.accountant.close()
                raise

    def _end_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count steps; end a part of the epoch if it is time, and stop if a policy says so."""
        steps, self._batches = batch + 1 - self._batches, batch + 1
        if self.accountant.end_step(steps):
            # With JAX the optimiser itself is told of its steps when the epoch ends.
            self.accountant.observe(self._guarded.numbers(logs or {}), step=self._steps_before + self._batches)
            self.accountant.end_part()
            if self.accountant.stop_reason is not None:
                self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """End the epoch, add what it took to the logs, and stop if a policy says so."""
        if not self.accountant.is_live:
            return
        logs = {} if logs is None else logs
        self._count_samples()
        self._observe(logs)
        record = self.accountant.end_epoch()
        values = scalars(record, self.accountant.history.emissions_kg)
        self._guarded.tell("Adding to the logs of Keras", lambda: logs.update(values))
        if self.accountant.stop_reason is not None:
            self.model.stop_training = True

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin a validation, or a run of ``evaluate``."""
        if self._is_in_fit():
            self._count_samples()
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

    def _start(self, plan: Plan | None = None) -> None:
        self._phases = ExitStack()
        self._call = RunningCall.innermost("keras", ("fit", "evaluate", "predict"))
        self.accountant.start(plan=plan, is_running=self._call.is_running if self._call else None)

    def _is_in_fit(self) -> bool:
        return self._is_fitting and (self._call is None or self._call.is_running())

    def _begin(self, phase: str) -> None:
        if not self._is_in_fit():
            self._is_fitting = False
            self.accountant.close()
            self._start()
        self._phases.enter_context(self.accountant.phase(phase))

    def _end(self) -> None:
        self._phases.close()
        if not self._is_fitting:
            self.accountant.close()

    def _plan(self) -> Plan:
        epochs = (self.params or {}).get("epochs")
        plan = Plan(
            epochs=epochs if isinstance(epochs, int) and epochs > 1 else None
        )  # 1 is what Keras takes when nothing was asked for
        ask = partial(model_plan, self.model, plan, (self.params or {}).get("steps"))
        return self._guarded.ask("The learning-rate schedule", ask, replace(plan, schedule_unreadable=True))

    def _observe(self, logs: dict[str, Any]) -> None:
        # One that has never stepped is not the one that trains: a train_step of the user's own has others.
        steps = self._iterations()
        rate = self._number("The optimizer's learning rate", "optimizer", "learning_rate") if steps else None
        self.accountant.observe(self._guarded.numbers(logs), learning_rate=rate, step=steps or None)

    def _iterations(self) -> int | None:
        return whole(self._number("The optimizer's steps", "optimizer", "iterations"))

    def _count_samples(self) -> None:
        """Observe how many samples the epoch has seen, before the validation resets what has counted them.

        Keras weighs the loss of a batch by its size: the weights of its mean are the samples. What a ``train_step``
        of the user's own does with its batches is not known.
        """
        if not self._has_counted_samples:
            self._has_counted_samples = True
            counted = self._number("The number of samples", "_loss_tracker", "count")
            self.accountant.observe(samples=whole(counted) or None)

    def _number(self, what: str, owner: str, name: str) -> float | None:
        """Ask a part of the model for a number; None where it has no such part."""
        return self._guarded.ask(what, lambda: number(getattr(getattr(self.model, owner, None), name, None)), None)


class FrontCheckpoint(keras.callbacks.Callback):  # type: ignore[misc]  # keras is not typed
    """Keeps the checkpoints of what quality was to be had for which emissions.

    Saves the model whenever a metric is better than ever, which makes a new point of the front of emissions and
    quality, and keeps the files that say most about it: the best, the knee, and others that spread between. The summary
    of the run and ``green-callbacks summary`` name the file of each point. It stands after an
    :class:`EmissionsMonitor` in the list.

    A run that goes on by its ledger goes on with its files; those of epochs that are done again are left where they
    are, and count no more.

    Args:
        monitor: Key of the metric.
        dirpath: Folder of the files; ``green_callbacks/<run id>/checkpoints`` in the working folder unless given.
        keep: How many files to keep.
        mode: Which way the metric improves: ``max``, ``min``, or ``auto`` to go by its name.
        save_weights_only: Save the weights (``.weights.h5``) in place of the model (``.keras``).

    Attributes:
        points: The points of the front that have a file, cheapest first, by the paths of the files.
        best_model_path: The file of the best model; empty if there is none.

    Raises:
        ConfigurationError: An option that cannot work; at the start of a fit, that no ``EmissionsMonitor`` stands
            before it.
    """

    def __init__(
        self,
        monitor: str,
        dirpath: str | Path | None = None,
        keep: int = 5,
        mode: Mode = "auto",
        *,
        save_weights_only: bool = False,
    ) -> None:
        super().__init__()
        self.dirpath = dirpath
        self.save_weights_only = save_weights_only
        self.points: dict[str, FrontPoint] = {}
        self.best_model_path = ""
        self._files = FrontFiles(monitor, mode, keep)

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle without the model: Keras sets it at every fit."""
        return {**self.__dict__, "_model": None, "params": None}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin with the files that there are.

        Raises:
            ConfigurationError: No ``EmissionsMonitor`` stands before it.
        """
        accountant = self._accountant()
        if accountant is None:
            msg = (
                "FrontCheckpoint takes the emissions from an EmissionsMonitor, and none stands before it: "
                "write callbacks=[EmissionsMonitor(), FrontCheckpoint(…)]."
            )
            raise ConfigurationError(msg)
        self._files.begin(accountant)
        self._show(accountant)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save the model if the metric is better than ever; the monitor has ended the epoch by now."""
        accountant = self._accountant()
        point = self._files.due(accountant) if accountant else None
        if accountant is None or point is None or point.epoch != epoch:
            return
        folder = self.dirpath or Path(FOLDER, plain_name(accountant.run_id), "checkpoints")
        paths = self._files.paths(folder, self._files.name(point), self._ending)
        path = next(path for path in paths if not os.path.exists(path))  # noqa: PTH110  never raises
        for each in self._files.add(accountant, path, partial(self._save, path)):
            self._remove(each)
        self._show(accountant)

    def _accountant(self) -> EnergyAccountant | None:
        # All callbacks of a list have the same params, which those of another list have not.
        found = (each.accountant for each in _fitting if each.params is self.params and each.model is self.model)
        return max(found, key=lambda accountant: accountant.is_live, default=None)

    def _show(self, accountant: EnergyAccountant) -> None:
        self.points = self._files.points(accountant)
        self.best_model_path = next(reversed(self.points), "")

    @property
    def _ending(self) -> str:
        return ".weights.h5" if self.save_weights_only else ".keras"

    def _save(self, path: str) -> bool:
        """Save the model whole or not at all; return whether that went well."""
        unfinished = Path(path.removesuffix(self._ending) + ".unfinished" + self._ending)
        try:
            unfinished.parent.mkdir(parents=True, exist_ok=True)
            (self.model.save_weights if self.save_weights_only else self.model.save)(unfinished)
            unfinished.replace(path)
        # Disks, and models of the user's own, which may not know how to be saved: training goes on.
        except Exception as reason:  # noqa: BLE001
            self._files.failed(path, reason)
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            return False
        return True

    def _remove(self, path: str) -> None:
        try:
            Path(path).unlink(missing_ok=True)
        except OSError as reason:
            self._files.failed(path, reason)


__all__ = ["EmissionsMonitor", "FrontCheckpoint"]
