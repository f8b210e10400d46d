"""Where the numbers of the package go in Lightning: to the module's log, and to the loggers."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from green_callbacks.accountant.guarded_calls import Guarded, as_number

_IN_PROGRESS_BAR: Final = "green/emissions_total_g"
_MONITORED: Final = (
    _IN_PROGRESS_BAR,
    "green/emissions_g",
    "green/energy_wh",
    "green/watts",
    "green/budget_left_g",
    "green/budget_left_wh",
)
"""What callbacks and schedules find among the trainer's metrics; any other number goes to the loggers only."""

_STEP: Final = "The step of the loggers"


class TrainerLog:
    """Logs what epochs and parts of them took, at steps that do not go back from one trainer of a run to the next.

    Args:
        guarded: Asks users' modules, callbacks and loggers.
    """

    def __init__(self, guarded: Guarded) -> None:
        self._guarded = guarded
        self._ahead = self._next_step = 0
        self._is_refused = False

    def go_on(self, trainer: Any) -> None:
        """Begin a fit, whose trainer may count anew from 0.

        Args:
            trainer: The trainer.
        """
        self._ahead = max(0, self._next_step - self._guarded.ask(_STEP, partial(_batches_that_stepped, trainer), 0))

    def epoch(self, trainer: Any, pl_module: Any, values: Mapping[str, float]) -> None:
        """Log what an epoch took, at its end; every rank has the same values.

        Args:
            trainer: The trainer.
            pl_module: Its module.
            values: Numbers by key.
        """
        nothing: set[str] = set()
        wanted = {*_MONITORED, *self._guarded.ask("What a callback monitors", partial(_monitored, trainer), nothing)}
        log = _log_of_lightning(pl_module)
        # Both flags together: it is agreed upon already, so nothing to reduce, and nothing to be warned of.
        options = {"sync_dist": True, "rank_zero_only": True, "batch_size": 1}
        step = self._guarded.ask(_STEP, partial(_step_of_epoch, trainer), None)
        rest = {key: value for key, value in values.items() if self._ahead or key not in wanted}
        self._to_loggers(trainer, rest, step)
        if self._ahead:  # the loggers got it at a step of the run, not of this trainer
            options["logger"] = False
        elif self._is_refused:  # a logger that raises on it would do so in Lightning's own call, and end the training
            options["logger"] = False
            self._to_loggers(trainer, {key: value for key, value in values.items() if key in wanted}, step)
        for key in (key for key in values if key in wanted):
            self._guarded.tell(
                "Logging with LightningModule.log",
                partial(log, pl_module, key, values[key], prog_bar=key == _IN_PROGRESS_BAR, **options),
            )

    def part(self, trainer: Any, values: Mapping[str, float]) -> None:
        """Log what a part of an epoch took; Lightning's own log would leave out what is not due by its count.

        Args:
            trainer: The trainer.
            values: Numbers by key.
        """
        # A module that logs a "step" has an axis of its own, and no point on it inside epochs.
        if "step" not in self._guarded.ask("The metrics of the trainer", lambda: trainer.callback_metrics, {}):
            self._to_loggers(trainer, values, self._guarded.ask(_STEP, partial(_batches_that_stepped, trainer), None))

    def _to_loggers(self, trainer: Any, values: Mapping[str, float], step: int | None) -> None:
        """Log to the loggers alone, at a step of this trainer; nothing where that is not known."""
        if step is None:
            return
        self._next_step = self._ahead + step + 1
        if not values or not trainer.is_global_zero:
            return
        for each in trainer.loggers:
            log = partial(each.log_metrics, dict(values), step=self._ahead + step)
            self._is_refused |= not self._guarded.tell(f"Logging to {type(each).__name__}", log)


def _log_of_lightning(pl_module: Any) -> Any:
    """Return the ``log`` of LightningModule itself: a module may have an attribute of that name for anything."""
    return next(vars(kind)["log"] for kind in type(pl_module).__mro__ if kind.__name__ == "LightningModule")


def _monitored(trainer: Any) -> set[str]:
    configs = [each.monitor for each in trainer.lr_scheduler_configs]
    callbacks = [*trainer.early_stopping_callbacks, *trainer.checkpoint_callbacks]
    return {key for key in (*configs, *(each.monitor for each in callbacks)) if isinstance(key, str)}


def _step_of_epoch(trainer: Any) -> int:
    """Return the step at which Lightning is about to log the metrics of the epoch."""
    users = trainer.callback_metrics.get("step")
    return max(_batches_that_stepped(trainer) - 1, 0) if users is None else int(as_number(users))


def _batches_that_stepped(trainer: Any) -> int:
    """Return the step of Lightning's loggers, which is not ``global_step`` where several optimisers step."""
    steps: int = getattr(trainer.fit_loop.epoch_loop, "_batches_that_stepped", trainer.global_step)
    return steps
