"""Follows a training with torch whose framework calls hooks, and does not report exceptions to them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from traceback import walk_stack
from typing import Any, Final

from green_callbacks._frameworks.common.fresh_metrics import FreshMetrics
from green_callbacks._frameworks.common.running_call import RunningCall
from green_callbacks._frameworks.torch.loader_draws import EpochDraws
from green_callbacks.accountant import EnergyAccountant
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.landing import OptimizerRates
from green_callbacks.records import Plan
from green_callbacks.sinks import scalars

_NESTED: Final = (
    "A training began inside another training with the same EmissionsMonitor. Its energy counts for the outer "
    "training. To account it separately, give it an EmissionsMonitor of its own."
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training has come, in the words of its framework.

    Attributes:
        epoch: Index of the open epoch, from 0.
        step: Number of steps so far.
        plan: What the framework plans.
        metrics: The metrics that the framework keeps of the training, fresh or not.
        loader: The loader of the training. None if there is none.
    """

    epoch: int
    step: int
    plan: Plan
    metrics: Mapping[Any, Any]
    loader: Any = None


class HookedTraining:
    """The training that an accountant measures at present.

    Args:
        accountant: The accountant.
        entry: The function of the framework that runs during a training, and during an evaluation. It is a method.
        progress: Tells how far a training has come, by the object that trains.

    Attributes:
        trainer: The object that trains. None before the first training.
        is_open: Whether an epoch has begun and not ended.
    """

    def __init__(
        self, accountant: EnergyAccountant, entry: Callable[..., Any], progress: Callable[[Any], Progress]
    ) -> None:
        self.accountant = accountant
        self.trainer: Any = None
        self.is_open = self._is_paused = False
        self._entry, self._progress = entry, progress
        self._call: RunningCall | None = None
        self._phase: AbstractContextManager[None] | None = None
        self._metrics, self._draws, self._rates = FreshMetrics(), EpochDraws(Guarded()), OptimizerRates(list)
        self._optimizers: list[Any] = []
        self._begun, self._judged_at = 0, -1
        self._judged: Mapping[Any, Any] = {}

    @property
    def is_running(self) -> bool:
        """Whether the training is still running. An exception may have ended it without a report."""
        return self._call is not None and self._call.is_running()

    @property
    def is_judged(self) -> bool:
        """Whether an evaluation has followed the last step."""
        return self._judged_at == self._progress(self.trainer).step

    def scale(self, optimizers: Any) -> None:
        """Let a landing scale the learning rates of optimizers.

        Args:
            optimizers: An optimizer, or a list of all optimizers.
        """
        self._optimizers = list(optimizers) if isinstance(optimizers, list | tuple) else [optimizers]
        self._rates = OptimizerRates(lambda: self._optimizers)
        self.accountant.start_scaling(self._rates)

    def begin(self, trainer: object) -> None:
        """Begin a training. A training inside the present one counts for it, which is said.

        Args:
            trainer: The object that trains.
        """
        if self.is_running and trainer is not self.trainer:
            self.accountant.warn("nested", _NESTED)
            return
        self.trainer, self._judged, self._is_paused = trainer, {}, False
        self._metrics.fresh(self._progress(trainer).metrics)  # they are of an earlier training
        self._call = self._start()

    def _start(self) -> RunningCall | None:
        self.accountant.close()  # a training or an evaluation that an exception has ended
        self.is_open = False
        package = self._entry.__module__.partition(".")[0]
        call = RunningCall.innermost(package, (self._entry.__name__,), made="self")
        self.accountant.start(is_running=None if call is None else call.is_running)
        return call

    def begin_epoch(self, trainer: object) -> None:
        """Begin an epoch. Begin its training, too, if no hook has reported that.

        Args:
            trainer: The object that trains.

        Raises:
            BudgetSpentError: No budget is left for the first epoch since the start.
        """
        if not self.is_running:
            self.begin(trainer)
        if trainer is self.trainer:
            self._begun = self._progress(trainer).step
            self._draws.begin()
            self._open()

    def _open(self, steps_under_way: int = 0) -> None:
        now = self._progress(self.trainer)
        done = now.step - steps_under_way
        if self.accountant.may_land:
            self.accountant.at_step(done)
        self.accountant.begin_epoch(now.epoch, step=done)
        self.accountant.expect(replace(now.plan, schedule_unreadable=self._has_schedule()))
        self.is_open = True

    def _has_schedule(self) -> bool:
        """Return whether a schedule of torch, which is not known here, sets the learning rate."""
        groups = [group for each in self._optimizers for group in getattr(each, "param_groups", ())]
        return any("initial_lr" in group for group in groups)

    def ask(self, trainer: object) -> None:
        """Note that an object that trains asks its loader for a batch.

        Args:
            trainer: The object.
        """
        if self.is_open and trainer is self.trainer:
            self.accountant.data_waits.ask()

    def arrive(self, trainer: object) -> None:
        """Note that the batch has arrived.

        Args:
            trainer: The object that trains.
        """
        if self.is_open and trainer is self.trainer:
            self.accountant.data_waits.arrive()

    def go_on(self, trainer: object, steps_under_way: int = 0) -> None:
        """Go on with a training that was paused inside an epoch. Does nothing if it was not.

        Args:
            trainer: The object that trains.
            steps_under_way: Number of steps that it counts already, and has not done. Defaults to 0.
        """
        if self._is_paused and trainer is self.trainer:
            self._is_paused = False
            self._call = self._start()
            self._open(steps_under_way)

    def is_over(self, trainer: object) -> bool:
        """Return whether the training is to stop after a step. A part of the epoch ends here if it is due.

        Args:
            trainer: The object that trains.
        """
        accountant = self.accountant
        if trainer is not self.trainer:
            return False
        has_landed = accountant.may_land and accountant.at_step(self._progress(trainer).step)
        if accountant.decides_inside_epochs and accountant.end_step():
            self._observe(self._progress(trainer))
            accountant.end_part()
        return accountant.look() or has_landed or accountant.stop_reason is not None

    def end_epoch(self, *, is_cut: bool) -> dict[str, float]:
        """End the open epoch. Return its numbers by the keys of the package.

        Args:
            is_cut: Whether somebody has asked to end it early. Without that, an epoch with too few steps is incomplete.
        """
        now = self._progress(self.trainer)
        self._observe(now)
        self.is_open = False
        length, done = now.plan.epoch_steps, now.step - self._begun
        is_whole = length is not None and self._begun % length + done >= length
        record = self.accountant.end_epoch(complete=is_whole or (None if is_cut else False))
        history = self.accountant.history
        return scalars(record, history.emissions_kg or None, effort=history.last_effort)

    def _observe(self, now: Progress) -> None:
        fresh = {key: value for key, value in self._metrics.fresh(now.metrics).items() if key not in self._judged}
        samples = self._draws.take(now.loader, now.step - self._begun, now.plan.epoch_steps)
        rate = self._rates.present()
        self.accountant.observe(fresh, learning_rate=rate)
        self.accountant.count(step=now.step, samples=samples)

    def pause(self, trainer: object) -> None:
        """End the measurement until the training goes on. An open epoch counts as incomplete up to now.

        Args:
            trainer: The object that trains.
        """
        if trainer is not self.trainer:
            return
        if self.is_open:
            self._observe(self._progress(trainer))
        self._is_paused = self.is_open
        self._close()

    def end(self) -> None:
        """End the training."""
        self._close()
        self.trainer = None

    def _close(self) -> None:
        self.accountant.close()
        self._call, self.is_open = None, False

    def begin_evaluation(self) -> None:
        """Begin an evaluation, inside the training or by itself. One inside a training of others is left to them."""
        calls = sum(frame.f_code is self._entry.__code__ for frame, _ in walk_stack(None))
        if calls > 1:
            self.go_on(self.trainer)
        if not self.is_running:
            if calls > 1:
                return
            self._start()
        self._phase = self.accountant.phase("validation" if self.is_running else "test")

    def end_evaluation(self, metrics: Mapping[Any, Any]) -> None:
        """End the evaluation.

        Args:
            metrics: What it has computed. They count for the open epoch.
        """
        if self._phase is None:
            return
        self._phase.__exit__(None, None, None)
        self._phase = None
        if not self.is_running:
            self.accountant.close()
        elif self.is_open:
            self._judged, self._judged_at = dict(metrics), self._progress(self.trainer).step
            self.accountant.observe(self._judged)
