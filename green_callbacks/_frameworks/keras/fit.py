"""One call of ``fit``: what it tells that Keras does not hand to its callbacks."""

import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from green_callbacks._frameworks.common.running_call import RunningCall
from green_callbacks._frameworks.keras.callback_list import calling_list, may_evaluate, sets_the_rate
from green_callbacks._frameworks.keras.fit_samples import Data
from green_callbacks._frameworks.keras.model import Trained
from green_callbacks._frameworks.keras.schedules import Batches, schedule_plan
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.records import Plan

_Answer = TypeVar("_Answer")


class Fit:
    """A fit that has begun: made in the hook at its beginning, on its thread.

    Keeps none of its data alive. Where a loop of the user's own calls the hooks, less is known.

    Args:
        model: The model.
        params: What Keras tells its callbacks of the fit.
        guarded: Asks users' objects.

    Attributes:
        call: The call; None where a loop of the user's own calls the hooks.
        trained: The model. A nested ``evaluate`` of another may replace that of the callback.
        params: What Keras tells of the fit, which is the same object for all callbacks of its list.
        callbacks: All callbacks, in order; none where that is not known.
        validates_every: After how many epochs there is a validation; 0 if certainly never, None if unknown.
        is_of_one_epoch: Whether it is to have a single epoch, which is what Keras takes when nothing was asked for.
    """

    def __init__(self, model: Any, params: Any, guarded: Guarded) -> None:
        self._guarded = guarded
        self.call = RunningCall.innermost("keras", ("fit",), made="epoch_iterator")
        self.trained, self.params = Trained(model), params
        callbacks = calling_list()
        self._list = weakref.ref(callbacks) if callbacks is not None else nothing
        self.callbacks = tuple(callbacks.callbacks) if callbacks is not None else ()
        known = self.call.variables() if self.call else {}
        known = known if callbacks is not None and known.get("callbacks") is callbacks else {}
        self._epochs, self._steps = (_count((params or {}).get(name)) for name in ("epochs", "steps"))
        self._first = _count(known.get("initial_epoch")) or 0
        self.is_of_one_epoch = self._epochs is not None and self._epochs - self._first <= 1
        self.validates_every = _cadence(known) if known else None
        if self.validates_every == 0 and may_evaluate(self.callbacks):
            self.validates_every = None
        self._data = self._ask("The size of the data", lambda: Data.read(known.get("epoch_iterator")), Data())
        self._batches = self._ask("The optimizer's steps", lambda: self.trained.batches, None)

    def is_running(self) -> bool:
        """Return whether the fit still goes on, as far as that is known."""
        return self.call is None or self.call.is_running()

    def is_calling(self) -> bool:
        """Return whether the hook that is under way is one of this fit, and not of a nested one."""
        return calling_list() is self._list()

    def lists_twice(self, callback: object) -> bool:
        """Return whether a callback is in the list of the fit more than once."""
        return sum(each is callback for each in self.callbacks) > 1

    def model(self) -> Callable[[], object]:
        """Return a reference to the model that keeps it alive no longer."""
        return self._ask("The model", lambda: _reference(self.trained.model), nothing)

    def continues(self, model: object, steps: int | None) -> bool:
        """Return whether this fit of one epoch goes on with a training, as in a loop of such fits.

        Args:
            model: The model of the fit before it; None if it is gone, or if there was none.
            steps: Steps of an optimizer that were recorded last; None if unknown.
        """
        if not self.is_of_one_epoch:
            return False
        return (model is not None and self.trained.model is model) or (steps is not None and self.steps() == steps)

    def shift(self, last: int | None) -> int:
        """Return what is to be added to Keras's number of an epoch, so that it goes on from the last one recorded."""
        return 0 if last is None else max(last + 1 - self._first, 0)

    def plan(self) -> Plan:
        """Return what is known ahead."""
        plan = Plan(epochs=None if self.is_of_one_epoch else self._epochs, epoch_steps=self._epoch_steps())
        unreadable = replace(plan, schedule_unreadable=True)
        if sets_the_rate(self.callbacks):
            return unreadable
        return self._ask("The learning-rate schedule", lambda: self._with_schedule(plan), unreadable)

    def _epoch_steps(self) -> int | None:
        if self._steps is None or self._ask("The model", lambda: self.trained.has_own_step, otherwise=True):
            return None
        steps, rest = divmod(self._steps, self.batches_a_step())
        return steps if steps and not rest else None

    def _with_schedule(self, plan: Plan) -> Plan:
        # Steps of the user's own may step the optimizer more than once a batch, or not at all.
        per_epoch = None if self.trained.has_own_step else self._steps
        batches = Batches(per_epoch=per_epoch, done=self._batches or 0, first_epoch=self._first)
        return schedule_plan(self.trained.schedule, plan, batches)

    def begin_epoch(self) -> None:
        """Note what the optimizer has seen before an epoch."""
        self._batches = self._ask("The optimizer's steps", lambda: self.trained.batches, None)

    def _batches_done(self) -> int | None:
        now = self._ask("The optimizer's steps", lambda: self.trained.batches, None)
        return None if now is None or self._batches is None else now - self._batches

    def is_cut_short(self, *, is_asked: bool) -> bool:
        """Return whether the batches of the epoch, which have just ended, were not all.

        Args:
            is_asked: Whether a policy has asked Keras to stop. What others ask tells only with a count of the batches:
                a callback before this one may have asked at the end of the epoch.
        """
        if self._is_whole():
            return False
        counts = not self._ask("The model", lambda: self.trained.may_skip_batches, otherwise=True)
        done = self._batches_done() if counts else None
        return is_asked if done is None or self._steps is None else done < self._steps

    def samples(self) -> int | None:
        """Return the samples of the epoch whose batches have just ended; None if they are not certain."""
        counted = self._ask("The number of samples", lambda: self.trained.samples, None)
        is_disturbed = not self.callbacks or may_evaluate(self.callbacks)
        return self._data.seen(self._batches_done(), counted, is_whole=self._is_whole(), is_disturbed=is_disturbed)

    def _is_whole(self) -> bool:
        # Keras tests this after every batch: who sets it later, at the end of the epoch, has the batches counted.
        model = self.trained.model
        return self._ask("stop_training", lambda: not getattr(model, "stop_training", False), otherwise=False)

    def batches_a_step(self) -> int:
        """Return the number of batches whose gradients make one step of the optimizer."""
        return self._ask("The optimizer's accumulation of gradients", lambda: self.trained.batches_a_step, 1)

    def synchronize(self) -> None:
        """With JAX, let the model have the state that it has inside an epoch."""
        self._guarded.tell("Reading the state of the model", self.trained.synchronize)

    def steps(self) -> int | None:
        """Return the steps of the optimizer so far; None if unknown."""
        return self._ask("The optimizer's steps", lambda: self.trained.steps, None)

    def learning_rate(self) -> float | None:
        """Return the learning rate; None if unknown."""
        return self._ask("The optimizer's learning rate", lambda: self.trained.learning_rate, None)

    def _ask(self, what: str, call: Callable[[], _Answer], otherwise: _Answer) -> _Answer:
        return self._guarded.ask(what, call, otherwise)


class Stop:
    """Has Keras end a fit after the batch at hand; may be called on any thread, and raises nothing.

    Keeps nothing of the fit alive: a run that nobody ends holds it.

    Args:
        model: The model.

    Attributes:
        is_wanted: Whether it was called.
        failure: What the model has raised; None if it was told.
    """

    def __init__(self, model: Any) -> None:
        self.is_wanted = False
        self.failure: Exception | None = None
        self._model: Callable[[], Any]
        try:
            self._model = _reference(model)
        except TypeError:  # an object of a loop of the user's own
            self._model = lambda: model

    def __call__(self) -> None:
        """Set what Keras tests after every batch."""
        self.is_wanted = True
        try:
            self._model().stop_training = True
        except Exception as reason:  # noqa: BLE001  a model of the user's own, which may not know how to be told
            self.failure = reason


def nothing() -> Any:
    """Stand for a reference to what is gone, or never was."""
    return None


def _reference(model: Any) -> Callable[[], Any]:
    return weakref.ref(model) if model is not None else nothing


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _cadence(variables: dict[str, Any]) -> int | None:
    if variables.get("validation_data") is None:
        return 0
    every = variables.get("validation_freq")
    return every if isinstance(every, int) else None  # it may also be a list of epochs
