"""Logs the numbers of the package in Lightning, through the module's log and through the loggers."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from green_callbacks.accountant import EnergyAccountant
from green_callbacks.accountant.guarded_calls import Guarded, as_number
from green_callbacks.records import EpochRecord
from green_callbacks.sinks import scalars

_IN_PROGRESS_BAR: Final = "green/emissions_total_g"
_MONITORED: Final = (
    _IN_PROGRESS_BAR,
    "green/emissions_g",
    "green/energy_wh",
    "green/watts",
    "green/budget_left_g",
    "green/budget_left_wh",
)
"""Keys among the trainer's metrics, for callbacks and schedules. Other numbers go to the loggers only."""

_FOR_SEARCHES: Final = "green/facility_energy_total_wh"
"""Key among the trainer's metrics that budgets of searches read. Loggers show the energy by other keys."""

_STEP: Final = "The step of the loggers"


class TrainerLog:
    """Logs the numbers of epochs and of their parts.

    The steps keep rising when one run uses several trainers.

    Args:
        guarded: Guards the calls of modules, callbacks and loggers of the user.
    """

    def __init__(self, guarded: Guarded) -> None:
        self._guarded = guarded
        self._ahead = self._next_step = 0
        self._is_refused = False

    def go_on(self, trainer: Any) -> None:
        """Begin a fit, whose trainer may count its steps from 0 again.

        Args:
            trainer: The trainer.
        """
        self._ahead = max(0, self._next_step - self._guarded.ask(_STEP, partial(_batches_that_stepped, trainer), 0))

    def epoch(self, trainer: Any, pl_module: Any, values: Mapping[str, float]) -> None:
        """Log the numbers of an epoch at its end. Every rank passes the same values.

        Args:
            trainer: The trainer.
            pl_module: Its module.
            values: Numbers by key.
        """
        nothing: set[str] = set()
        wanted = {
            *_MONITORED,
            _FOR_SEARCHES,
            *self._guarded.ask("What a callback monitors", partial(_monitored, trainer), nothing),
        }
        log = _log_of_lightning(pl_module)
        # Both flags together avoid a reduction of equal values, and the warning about a missing one.
        options = {"sync_dist": True, "rank_zero_only": True, "batch_size": 1}
        step = self._guarded.ask(_STEP, partial(_step_of_epoch, trainer), None)
        rest = {key: value for key, value in values.items() if self._ahead or key not in wanted}
        self._to_loggers(trainer, rest, step)
        if self._ahead:  # the loggers already have it, at a step of the run
            options["logger"] = False
        elif self._is_refused:  # in Lightning's own call, a logger that raises would end the training
            options["logger"] = False
            self._to_loggers(trainer, {key: value for key, value in values.items() if key in wanted}, step)
        for key in (key for key in values if key in wanted):
            chosen = {**options, "prog_bar": key == _IN_PROGRESS_BAR}
            if key == _FOR_SEARCHES:
                chosen["logger"] = False
            told = partial(log, pl_module, key, values[key], **chosen)
            self._guarded.tell("Logging with LightningModule.log", told)

    def part(self, trainer: Any, values: Mapping[str, float]) -> None:
        """Log the numbers of a part of an epoch, to the loggers because Lightning logs only at its own interval.

        Args:
            trainer: The trainer.
            values: Numbers by key.
        """
        # A module that logs a "step" has an axis of its own, which has no points inside epochs.
        if "step" not in self._guarded.ask("The metrics of the trainer", lambda: trainer.callback_metrics, {}):
            self._to_loggers(trainer, values, self._guarded.ask(_STEP, partial(_batches_that_stepped, trainer), None))

    def _to_loggers(self, trainer: Any, values: Mapping[str, float], step: int | None) -> None:
        """Log to the loggers alone, at a step of this trainer. Without a step, log nothing."""
        if step is None:
            return
        self._next_step = self._ahead + step + 1
        shown = {key: value for key, value in values.items() if key != _FOR_SEARCHES}
        if not shown or not trainer.is_global_zero:
            return
        for each in trainer.loggers:
            log = partial(each.log_metrics, dict(shown), step=self._ahead + step)
            self._is_refused |= not self._guarded.tell(f"Logging to {type(each).__name__}", log)


def epoch_values(accountant: EnergyAccountant, record: EpochRecord) -> dict[str, float]:
    """Return the numbers of a record, and the totals of its run, by the keys of the package.

    Args:
        accountant: The accountant of the run.
        record: The record.
    """
    history = accountant.history
    total_kg = history.emissions_kg or record.emissions_kg  # the latter is None if nothing was measured
    shown = scalars(record, total_kg, history.emissions_low_kg, history.emissions_high_kg, history.last_effort)
    return {**shown, _FOR_SEARCHES: 1000.0 * history.facility_kwh} if history.facility_kwh else shown


def _log_of_lightning(pl_module: Any) -> Any:
    """Return the ``log`` method of LightningModule itself, because a module may use this name for anything."""
    return next(vars(kind)["log"] for kind in type(pl_module).__mro__ if kind.__name__ == "LightningModule")


def _monitored(trainer: Any) -> set[str]:
    configs = [each.monitor for each in trainer.lr_scheduler_configs]
    callbacks = [*trainer.early_stopping_callbacks, *trainer.checkpoint_callbacks]
    return {key for key in (*configs, *(each.monitor for each in callbacks)) if isinstance(key, str)}


def _step_of_epoch(trainer: Any) -> int:
    """Return the step at which Lightning will log the metrics of the epoch."""
    users = trainer.callback_metrics.get("step")
    return max(_batches_that_stepped(trainer) - 1, 0) if users is None else int(as_number(users))


def _batches_that_stepped(trainer: Any) -> int:
    """Return the step of Lightning's loggers, which differs from ``global_step`` with several optimizers."""
    steps: int = getattr(trainer.fit_loop.epoch_loop, "_batches_that_stepped", trainer.global_step)
    return steps
