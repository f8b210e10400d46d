"""Reads the facts about one call of ``Trainer.train`` that its hooks show, and keeps the account in checkpoints."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from green_callbacks._frameworks.common.running_call import RunningCall
from green_callbacks._frameworks.torch.loader_draws import Draws, draws_of
from green_callbacks.accountant.guarded_calls import Guarded

KEY: Final = "green_callbacks.EmissionsMonitor"
"""Name of the account in ``trainer_state.json``. It is the name of no class, so the trainer restores no object."""

_LOOPS: Final = (("_inner_training_loop", "train_dataloader"), ("train", ""))
"""Functions on the stack during a fit, each with a variable that every call creates. A smaller batch size calls the
first function again inside the second."""


class Fit:
    """A fit that has begun. It is created in ``on_train_begin``, on the thread of the fit.

    Args:
        args: The arguments of the training.
        state: The state of the trainer, a new object for each fit.
        loader: The training loader, or None.
        guarded: Guards the calls of objects of the user.

    Attributes:
        state: The state of the trainer.
        call: The running call. None if a loop of the user calls the hooks.
        epoch_steps: Optimizer steps of an epoch. None for data without a length.
        epoch: Index of the last epoch that has begun. None before the first.
        lacks_start: Whether the steps before the first epoch of this object lie in no account.
    """

    def __init__(self, args: Any, state: Any, loader: Any, guarded: Guarded) -> None:
        self.state = state
        calls = (RunningCall.innermost("transformers", (name,), made) for name, made in _LOOPS)
        self.call = next((call for call in calls if call is not None), None)
        self._guarded = guarded
        self._accumulated: int = max(int(args.gradient_accumulation_steps), 1)
        self._skips_no_data = bool(args.ignore_data_skip)
        self._batches: int | None = guarded.ask("The length of the training data", partial(_length, loader), None)
        self.epoch_steps = None if self._batches is None else max(-(-self._batches // self._accumulated), 1)
        self._draws: Draws | None = guarded.ask("The sampler of the training data", partial(draws_of, loader), None)
        self.epoch: int | None = None
        self.lacks_start = self._is_part = False
        self._most_steps: int | None = None
        self._first_batch = self._first_step = self._told_samples = 0
        self._told_tokens: int = state.num_input_tokens_seen or 0
        self._ranks: int = max(int(getattr(args, "world_size", 1)), 1)
        self._told_flops = self._flops()

    @property
    def is_running(self) -> bool:
        """Whether the fit is still running. True if that is unknown."""
        return self.call is None or self.call.is_running()

    def begin_epoch(self, resumed_epoch: int | None) -> int:
        """Begin an epoch.

        Args:
            resumed_epoch: Index of the epoch that a checkpoint continues, by its account. None if unknown.

        Returns:
            Index of the epoch.
        """
        step: int = self.state.global_step
        inside = 0
        self._is_part = self.lacks_start and not float(self.state.epoch or 0.0).is_integer()
        self.lacks_start = False
        if self.epoch is not None:
            self.epoch += 1
        elif self.epoch_steps is not None:
            self.epoch, inside = divmod(step, self.epoch_steps)
        else:  # the trainer counts passes over such data from 0 again in every fit
            self.epoch = int(self.state.epoch or 0) if resumed_epoch is None else resumed_epoch
        self._first_batch = 0 if self._skips_no_data else inside * self._accumulated
        self._first_step = step
        self._most_steps = None if self.epoch_steps is None else self.epoch_steps - self.steps_inside
        self._told_samples = self._samples(0) or 0
        return self.epoch

    def has_missed_epochs(self) -> bool:
        """Return whether a step begins that the present epoch cannot hold. The callback was not told of its end."""
        return self.has_passed_end(-1)

    def has_passed_end(self, more: int = 0) -> bool:
        """Return whether there were more steps since the beginning of the epoch than it holds.

        Args:
            more: Steps that it may hold besides. Defaults to 0.
        """
        return self._most_steps is not None and self.state.global_step - self._first_step > self._most_steps + more

    def forget_epoch(self) -> None:
        """Find the present epoch by its step, because nobody was told of its beginning."""
        self.epoch, self.lacks_start = None, True

    @property
    def steps_inside(self) -> int:
        """Steps of the open epoch that were done before a checkpoint."""
        return self._first_batch // self._accumulated

    def is_at_end_of_epoch(self) -> bool:
        """Return whether the step that has just ended is the last step of its epoch."""
        return float(self.state.epoch or 0.0).is_integer() and self.state.global_step > self._first_step

    def is_whole(self, control: Any) -> bool | None:
        """Return whether the epoch whose steps have just ended is complete. None if that is unknown.

        Args:
            control: The control of the trainer.
        """
        if self.is_at_end_of_epoch():
            return not (self._is_part or self.has_passed_end())
        return False if control.should_training_stop or control.should_epoch_stop else None

    def take_samples(self) -> int | None:
        """Return the training samples of this process since the last call. None if the number is not certain."""
        total = self._samples(self.state.global_step - self._first_step)
        if total is None:
            return None
        since, self._told_samples = total - self._told_samples, total
        return max(since, 0)

    def take_tokens(self) -> int | None:
        """Return the training tokens of all processes since the last call. None if the trainer does not count them."""
        total = int(self.state.num_input_tokens_seen or 0)
        since, self._told_tokens = total - self._told_tokens, total
        return since if since > 0 else None

    def take_flops(self) -> float | None:
        """Return the floating-point operations of all processes since the last call. None if the trainer knows none.

        The trainer sums the operations of all processes now and then. Since that, those of this process are known, and
        count for each of the others.
        """
        total = self._flops()
        since, self._told_flops = total - self._told_flops, total
        return since if since > 0 else None

    def _flops(self) -> float:
        trainer = self.call.variables().get("self") if self.call is not None else None
        since_sum = self._guarded.numbers({"current_flos": getattr(trainer, "current_flos", 0.0)})
        return float(self.state.total_flos or 0.0) + self._ranks * since_sum.get("current_flos", 0.0)

    def _samples(self, steps: int) -> int | None:
        if self._draws is None or self._batches is None:
            return None
        return self._draws.after(min(self._first_batch + steps * self._accumulated, self._batches))


class SavedAccount:
    """An account that is read when the trainer writes ``trainer_state.json``, which copies its state deeply.

    So any checkpoint holds the account as it is then. The trainer may save at times that no hook announces.

    Args:
        read: Returns the account, as plain JSON types. It never raises.
    """

    def __init__(self, read: Callable[[], dict[str, Any] | None]) -> None:
        self._read = read

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any] | None:
        """Return the account as it is now."""
        return self._read()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the account as it is now, because the monitor of a pickled trainer is a new run."""
        return dict, (self._read() or {},)


def _length(loader: Any) -> int | None:
    try:
        return len(loader)
    except TypeError:  # data without a length, as the trainer itself finds out
        return None
