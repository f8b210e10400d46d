"""The monitor for PyTorch-Ignite.

>>> from green_callbacks.ignite import EmissionsMonitor
>>> monitor = EmissionsMonitor(location="DE")

Attach it to the engine that trains with ``monitor.attach(trainer, evaluator, optimizer)``.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Self, Unpack

from ignite.engine import Engine, Events

from green_callbacks._frameworks.torch.hooked_training import HookedTraining, Progress
from green_callbacks.accountant import AccountantOptions, EnergyAccountant
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Plan
from green_callbacks.sinks import is_ours

__all__ = ["EmissionsMonitor"]

_NO_ENGINE: Final = "attach() takes engines of Ignite. Pass the engine that trains, then the engine that evaluates."


class EmissionsMonitor:
    """Measures energy and emissions of every run of a trainer, per epoch, and of its evaluator between such runs.

    Ignite counts epochs from 1, and records count them from 0. A step is an iteration of the trainer. When a policy
    ends the run, the trainer terminates after the epoch. A budget that is spent inside an epoch ends the epoch
    after the present iteration. Then the handlers of ``EPOCH_COMPLETED`` validate and save as after any epoch.

    The metrics of the evaluator count for the epoch that they judge, whatever the order of handlers. So do fresh
    metrics in ``trainer.state.metrics`` under other names. At the end of the epoch, ``trainer.state.metrics`` get
    the numbers of the package under ``green/…``. Handlers of ``EPOCH_COMPLETED`` see them if they are attached
    after the monitor, and the monitor after the handler that runs the evaluator. That order also puts the epoch
    into the checkpoints of such handlers. A checkpoint that is saved earlier takes the epoch from the ledger.

    Ignite calls a handler in place of raising an exception, so this monitor has none for exceptions. Within
    seconds, it notices a run that was cut short, and records it up to that moment with an incomplete last epoch.
    While a trainer is interrupted, nothing is measured. Its next run goes on with the epoch, which then has two
    records.

    The monitor reads no learning-rate schedule ahead. If the rate drops, pass ``plan=Plan(learning_rate_drops=…)``.

    Args:
        accountant: An accountant to use. Defaults to a new accountant with the given options.
        **options: Options of the accountant, see :class:`green_callbacks.AccountantOptions`.

    Raises:
        ConfigurationError: An option cannot work.

    Example:
        >>> from ignite.engine import Engine
        >>> from green_callbacks.ignite import EmissionsMonitor
        >>> trainer, evaluator = Engine(lambda engine, batch: None), Engine(lambda engine, batch: None)
        >>> monitor = EmissionsMonitor(location="DE").attach(trainer, evaluator)
        >>> monitor.accountant.is_live
        False
    """

    def __init__(self, accountant: EnergyAccountant | None = None, **options: Unpack[AccountantOptions]) -> None:
        self.accountant = EnergyAccountant.given(accountant, options)
        self._training = HookedTraining(self.accountant, Engine.run, _progress)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return a copy without engines, which is a new run with the same options."""
        return type(self), (self.accountant,)

    def attach(self, trainer: Engine, evaluator: Engine | None = None, optimizer: object = None) -> Self:
        """Follow a trainer and its evaluator from now on. It may be called again, also with other engines.

        Args:
            trainer: The engine that trains.
            evaluator: The engine that evaluates. Its energy counts as validation while the trainer runs. Defaults to
                None. Then the handlers of an epoch count as training.
            optimizer: The optimizer, or a list of all optimizers. A landing scales their learning rates, and records
                show the rate. Defaults to None.

        Returns:
            The monitor.

        Raises:
            ConfigurationError: An engine is no engine of Ignite.
        """
        if not isinstance(trainer, Engine) or not isinstance(evaluator, Engine | None):
            raise ConfigurationError(_NO_ENGINE)
        if optimizer is not None:
            self._training.scale(optimizer)
        for prefix, engine in (("_on_", trainer), ("_on_evaluation_", evaluator)):
            for event in Events:
                hook = getattr(self, f"{prefix}{event.value}", None)
                if engine is not None and hook is not None and not engine.has_event_handler(hook, event):
                    engine.add_event_handler(event, hook)
        return self

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint, as plain JSON types."""
        return self.accountant.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue the run of a checkpoint. Call it before the trainer runs, as ``Checkpoint.load_objects`` does.

        Args:
            state_dict: The value that :meth:`state_dict` returned.

        Raises:
            ConfigurationError: The state is of another version, or damaged.
        """
        self.accountant.load_state_dict(state_dict)

    def _on_started(self, engine: Engine) -> None:
        self._training.begin(engine)

    def _on_epoch_started(self, engine: Engine) -> None:
        self._training.begin_epoch(engine)
        self._stand_at_loader(engine)
        self._make_last(engine, self._end_epoch, Events.EPOCH_COMPLETED)
        for key in [each for each in engine.state.metrics or () if is_ours(str(each))]:
            del engine.state.metrics[key]  # of the epoch before

    def _make_last(self, engine: Engine, handler: Callable[[Engine], None], event: Events) -> None:
        """Let a handler follow all handlers that there are, because those may compute metrics."""
        if engine.has_event_handler(handler, event):
            engine.remove_event_handler(handler, event)
        engine.add_event_handler(event, handler)

    def _stand_at_loader(self, engine: Engine) -> None:
        """Let no handler of others lie between the loader and the handlers that time it."""
        self._make_last(engine, self._on_get_batch_started, Events.GET_BATCH_STARTED)
        handlers = getattr(engine, "_event_handlers", {}).get(Events.GET_BATCH_COMPLETED)
        if isinstance(handlers, list):  # Ignite can only append
            handlers.sort(key=lambda each: each[0] != self._on_get_batch_completed)

    def _on_get_batch_started(self, engine: Engine) -> None:
        self._training.go_on(engine)
        self._training.ask(engine)

    def _on_get_batch_completed(self, engine: Engine) -> None:
        self._training.arrive(engine)

    def _on_iteration_started(self, engine: Engine) -> None:
        self._training.go_on(engine, steps_under_way=1)

    def _on_iteration_completed(self, engine: Engine) -> None:
        if self._training.is_over(engine):
            engine.terminate_epoch()  # so that it validates and saves as after any epoch

    def _on_epoch_completed(self, engine: Engine) -> None:
        self._training.go_on(engine)
        if engine is self._training.trainer and self._training.is_judged:
            self._end_epoch(engine)

    def _end_epoch(self, engine: Engine) -> None:
        if engine is self._training.trainer and self._training.is_open:
            numbers = self._training.end_epoch(is_cut=bool(engine.should_terminate_single_epoch))
            if engine.state.metrics is None:  # of a handler of the user
                engine.state.metrics = {}
            engine.state.metrics.update(numbers)
            if self.accountant.stop_reason is not None and not engine.should_terminate:
                engine.terminate()

    def _on_interrupt(self, engine: Engine) -> None:
        self._training.pause(engine)

    def _on_completed(self, engine: Engine) -> None:
        self._end_epoch(engine)
        is_last = engine.last_event_name == Events.COMPLETED or engine.should_terminate == "skip_completed"
        if engine is self._training.trainer and is_last:
            self._training.end()

    def _on_evaluation_started(self, engine: Engine) -> None:
        self._training.begin_evaluation()
        self._make_last(engine, self._on_evaluation_completed, Events.COMPLETED)

    def _on_evaluation_completed(self, engine: Engine) -> None:
        self._training.end_evaluation({} if engine.should_terminate else engine.state.metrics or {})

    _on_terminate, _on_evaluation_terminate = _on_completed, _on_evaluation_completed


def _progress(engine: Engine) -> Progress:
    state = engine.state
    plan = Plan(epochs=state.max_epochs, steps=getattr(state, "max_iters", None), epoch_steps=state.epoch_length)
    return Progress(state.epoch - 1, state.iteration, plan, state.metrics or {}, state.dataloader)
