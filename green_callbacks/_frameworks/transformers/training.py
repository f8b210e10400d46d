"""Accounts the trainings of Hugging Face's ``Trainer``, hook by hook."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from green_callbacks._frameworks.torch.step_waits import StepWaits
from green_callbacks._frameworks.transformers.evaluation import OtherEvaluation, of_quality, present_evaluation
from green_callbacks._frameworks.transformers.fit import KEY, Fit, SavedAccount
from green_callbacks._frameworks.transformers.fit_start import (
    find_epoch,
    go_on,
    optimizers_of,
    say_late,
    say_within,
    start_fit,
)
from green_callbacks._frameworks.transformers.front import note_checkpoints
from green_callbacks._frameworks.transformers.logs import TrainerLogs
from green_callbacks._frameworks.transformers.run_plan import run_plan
from green_callbacks._frameworks.transformers.stopping import stop_training, strategy_of
from green_callbacks.accountant import EnergyAccountant
from green_callbacks.accountant.guarded_calls import Guarded, as_number

_LATE: Final = (
    "another callback asked for the evaluation after EmissionsMonitor had ended the epoch",
    "List EmissionsMonitor last in callbacks=[…].",
)


class TrainingHooks:
    """Accounts the trainings of a ``Trainer``. Its methods are the hooks of the callback that it belongs to.

    Args:
        accountant: The accountant.
    """

    def __init__(self, accountant: EnergyAccountant) -> None:
        self.accountant = accountant
        self._guarded = Guarded()
        self._forget()

    def _forget(self) -> None:
        """Reset everything that belongs to a training."""
        self._fit: Fit | None = None
        self._state: Any = None  # of the trainer, in the accounted training
        self.optimizer: Any = None  # of the accounted training
        self._logs = TrainerLogs()
        self._pending: Literal["epoch", "part"] | None = None  # what ends after the next log or evaluation
        self._is_evaluating = False  # in an evaluation that the loop has announced
        self._other = OtherEvaluation(self.accountant)
        self._in_epoch = False
        self._steps, self._logged_step, self._evaluated_step = 0, 0, -1
        self._resumed_epoch: int | None = None
        self._is_whole: bool | None = None
        self._planned: tuple[object, ...] = ()
        self.waits = StepWaits(self._guarded)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy, which is a new run with the same options, without trainer and model."""
        return {**self.__dict__, **vars(TrainingHooks(self.accountant))}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin a training, after ending one that an exception or a smaller batch size has cut short."""
        if self._fit is not None and self._fit.call is not None and self._fit.is_running:
            say_within(self.accountant, state, is_same=state is self._state)
            return
        self._begin(args, state, kwargs)
        if getattr(args, "eval_on_start", False):
            self._is_evaluating = True
            self.accountant.phase("validation")

    def _begin(self, args: Any, state: Any, kwargs: Mapping[str, Any], *, has_begun: bool = False) -> None:
        if self._in_epoch and self._fit is not None:
            self._observe(self._fit.state)
        self.accountant.close()
        self._forget()
        self._fit, self._state = Fit(args, state, kwargs.get("train_dataloader"), self._guarded), state
        self.optimizer = kwargs.get("optimizer")
        self._steps = self._logged_step = state.global_step
        self._resumed_epoch = go_on(self.accountant, args, state, has_begun=has_begun)
        self._fit.lacks_start = self._resumed_epoch is None
        state.stateful_callbacks[KEY] = self._saved(state)
        start_fit(self.accountant, self._fit, args, kwargs, optimizers_of(self), self._guarded)

    def _join(self, args: Any, state: Any, kwargs: Mapping[str, Any]) -> None:
        """Begin a training that has begun without this callback, unless it lies inside the accounted training."""
        if self._fit is not None and self._fit.is_running:
            return
        self._begin(args, state, kwargs, has_begun=True)
        say_late(self.accountant, state)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin an epoch.

        Raises:
            BudgetSpentError: A budget has no room for the first epoch of the training.
        """
        if state is not self._state:
            self._join(args, state, kwargs)
        if (
            state is not self._state
            or self._fit is None
            or (self._in_epoch and self._pending is None and not self._is_back)
        ):
            return
        self._end_pending(args, state, control)
        if self._is_back or self._fit.has_passed_end():
            find_epoch(self.accountant, self._fit, state)
        epoch = self._fit.begin_epoch(self._resumed_epoch)
        if self.accountant.may_land:
            self.accountant.at_step(state.global_step)
        self.accountant.begin_epoch(epoch, step=state.global_step)
        self._in_epoch = True
        self._plan(self._fit, kwargs.get("lr_scheduler"))
        self.waits.begin_epoch(self.accountant.data_waits, args, state)

    @property
    def _is_back(self) -> bool:
        """Whether the callback was removed from its trainer, and added in a later epoch."""
        return self._in_epoch and self._fit is not None and self._fit.has_missed_epochs()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Scale the learning rates of optimizers that other callbacks may have replaced during a landing.

        Raises:
            BudgetSpentError: As :meth:`on_epoch_begin`, if the monitor was added to a training that had begun.
        """
        if state is not self._state or self._is_back:
            self.on_epoch_begin(args, state, control, **kwargs)
        if self.accountant.may_land and self.accountant.landing is not None and state is self._state:
            self.optimizer = kwargs.get("optimizer")
            self.accountant.at_step(state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop if a budget is spent, and end a part of the epoch if it is due. See what the trainer does next."""
        if state is not self._state:
            return
        accountant = self.accountant
        if accountant.may_land and self._lands(state):
            stop_training(args, control, is_inside=True)
        if accountant.look():
            stop_training(args, control, is_inside=True)
        if accountant.decides_inside_epochs:
            self._end_step(args, state, control)
        if control.should_evaluate or control.should_save:
            self._await(args, state, control)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """End the epoch, or wait for the evaluation that judges it."""
        if state is not self._state or not self._in_epoch:
            return
        self._is_to_end("epoch", control)
        self._go_on_waiting(args, state, control)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Observe what is logged of the training, and add the numbers of the last epoch to it."""
        if state is not self._state:
            return
        is_of_training = isinstance(logs, dict) and "loss" in logs
        if self._in_epoch and (is_of_training or not self._is_evaluating):
            self.accountant.observe(self._guarded.numbers(of_quality(logs)))
        if is_of_training:
            self._logged_step = state.global_step
            if not self._is_evaluating:
                self._end_pending(args, state, control)
        self._logs.show(logs)

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin the phase of an evaluation that was not announced."""
        is_inside = self._fit is not None and self._fit.is_running
        if not (self._is_evaluating and is_inside):
            self._other.begin(args, is_inside=is_inside)

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:
        """Observe the metrics, and end what they judge after the last evaluation set."""
        evaluation = present_evaluation()
        if state is not self._state or self._fit is None or not self._fit.is_running:
            self._other.end()
            return
        fresh = self._guarded.numbers(of_quality(metrics))
        if self._in_epoch:
            self.accountant.observe(fresh)
        elif self._fit.epoch is not None and evaluation.is_of_loop and self.accountant.stop_reason is None:
            self.accountant.explain_missing(fresh.keys(), *_LATE)
        if not evaluation.is_of_loop and not self._is_evaluating:
            self._other.end()
        elif evaluation.is_last:  # also of code of the user, because the trainer then leaves its own evaluation out
            self._evaluated_step = state.global_step
            self._is_evaluating = False
            self.accountant.phase("train" if self._in_epoch else "other")
            self._end_pending(args, state, control)

    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:
        """End the phase of a prediction."""
        self._other.end()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note the checkpoint if it lies on the front."""
        if state is not self._state:
            return
        self._end_pending(args, state, control)
        if state.is_world_process_zero and not state.is_hyper_param_search:
            folder = Path(args.output_dir, f"checkpoint-{state.global_step}")
            self._guarded.tell("Noting a checkpoint", partial(note_checkpoints, self.accountant, folder))

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """End the training."""
        if state is not self._state:
            return
        self._end_pending(args, state, control)
        if state.is_world_process_zero:
            self._guarded.tell("Noting the checkpoints", partial(note_checkpoints, self.accountant))
        self.accountant.close()
        self._fit = self.optimizer = None

    def _saved(self, state: Any) -> SavedAccount:
        """Return the account for the checkpoints, with the step and the epoch at which they continue."""

        def read() -> dict[str, Any]:
            epoch = self._fit.epoch if self._fit is not None else None
            is_done = not self._in_epoch or self._pending == "epoch"
            following = 0 if epoch is None else epoch + is_done
            return {**self.accountant.state_dict(), "step": state.global_step, "epoch": following}

        return SavedAccount(partial(self._guarded.ask, "The account for a checkpoint", read, None))

    def _plan(self, fit: Fit, scheduler: Any) -> None:
        """Pass the plan to the accountant, at the first epoch and when it has changed."""
        key = (fit.state.max_steps, fit.state.num_train_epochs, id(scheduler))
        if key != self._planned:
            self._planned = key
            self.accountant.expect(run_plan(fit, scheduler, self._guarded))

    def _lands(self, state: Any) -> bool:
        """Return whether a landing ends with the step that has just ended."""
        fit, is_over = self._fit, self.accountant.at_step(state.global_step)
        if is_over or fit is None or fit.epoch is None:
            return is_over
        return fit.is_at_end_of_epoch() and self.accountant.lands_with(fit.epoch)

    def _end_step(self, args: Any, state: Any, control: Any) -> None:
        done: int = state.global_step
        steps, self._steps = done - self._steps, done
        if steps > 0 and self.accountant.end_step(steps):
            self._observe(state)
            self._logs.add(state, self.accountant.end_part(), self.accountant)
            if self.accountant.stop_reason is not None:
                stop_training(args, control, is_inside=True)

    def _await(self, args: Any, state: Any, control: Any) -> None:
        """Note what the evaluation or checkpoint after this step ends. A checkpoint is to hold its own epoch."""
        fit = self._fit
        leaves = control.should_training_stop or (fit is not None and fit.is_at_end_of_epoch())
        ends_here = leaves and strategy_of(args.eval_strategy) != "epoch"
        if control.should_evaluate:
            self._is_to_end("epoch" if ends_here else "part", control)
        elif ends_here and (strategy_of(args.logging_strategy) != "epoch" or self.accountant.ledger is None):
            self._is_to_end("epoch", control)
        self._go_on_waiting(args, state, control)

    def _is_to_end(self, what: Literal["epoch", "part"], control: Any) -> None:
        self._pending = what
        self._is_whole = self._fit.is_whole(control) if self._fit is not None else None

    def _go_on_waiting(self, args: Any, state: Any, control: Any) -> None:
        """Wait for an evaluation, or for a line of logs, if the trainer is going to have one."""
        if control.should_evaluate:
            self._is_evaluating = True
            self.accountant.phase("validation")
        elif not (control.should_log and state.global_step > self._logged_step):
            self._end_pending(args, state, control)

    def _end_pending(self, args: Any, state: Any, control: Any) -> None:
        """End what waits to end, show its numbers, and stop if a policy decides so."""
        pending, self._pending = self._pending, None
        if pending is None or not self._in_epoch:
            return
        self._observe(state)
        if pending == "part":
            record = self.accountant.end_part()
        else:
            self._in_epoch = False
            record = self.accountant.end_epoch(complete=self._is_whole)
        self._logs.add(state, record, self.accountant)
        if self.accountant.stop_reason is not None:
            stop_training(args, control, is_evaluated=self._evaluated_step == state.global_step)

    def _observe(self, state: Any) -> None:
        if self._fit is not None:
            rate = self._guarded.ask("The learning rate", partial(_learning_rate, self.optimizer), None)
            _observe_counts(self.accountant, self._fit, state, rate)


def _observe_counts(accountant: EnergyAccountant, fit: Fit, state: Any, rate: float | None) -> None:
    samples, tokens, flops = fit.take_samples(), fit.take_tokens(), fit.take_flops()
    is_first = state.is_world_process_zero  # the trainer counts tokens and operations over all ranks
    accountant.observe(learning_rate=rate)
    accountant.count(
        step=state.global_step,
        samples=samples,
        tokens=tokens if is_first or tokens is None else 0,
        flops=flops if is_first or flops is None else 0.0,
    )


def _learning_rate(optimizer: Any) -> float | None:
    return None if optimizer is None else as_number(optimizer.param_groups[0]["lr"])
