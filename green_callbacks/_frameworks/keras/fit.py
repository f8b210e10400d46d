"""Reads facts about one call of ``fit`` that Keras does not pass to its callbacks."""

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
    """A fit that has begun. It is created in the first hook of the fit, on the thread of the fit.

    Keeps no data of the fit alive. Less is known if a loop of the user calls the hooks.

    Args:
        model: The model.
        params: The parameters of the fit that Keras passes to callbacks.
        guarded: Guards the calls of objects of the user.

    Attributes:
        call: The call. None if a loop of the user calls the hooks.
        trained: The model. The model of the callback may be replaced by a nested ``evaluate`` of another model.
        params: The parameters of the fit. All callbacks of its list have the same object.
        callbacks: All callbacks, in order. Empty if unknown.
        validates_every: Number of epochs between two validations. Zero for no validation, None if unknown.
        is_of_one_epoch: Whether the fit has a single epoch, which is the default of Keras.
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
        """Return whether the fit is still running. True if that is unknown."""
        return self.call is None or self.call.is_running()

    def is_calling(self) -> bool:
        """Return whether the running hook belongs to this fit, and not to a nested fit."""
        return calling_list() is self._list()

    def lists_twice(self, callback: object) -> bool:
        """Return whether the list of the fit holds a callback more than once."""
        return sum(each is callback for each in self.callbacks) > 1

    def model(self) -> Callable[[], object]:
        """Return a weak reference to the model."""
        return self._ask("The model", lambda: _reference(self.trained.model), nothing)

    def continues(self, model: object, steps: int | None) -> bool:
        """Return whether this fit of one epoch continues a training, as in a loop of such fits.

        Args:
            model: The model of the fit before. None if it is gone, or if there was no fit before.
            steps: Last recorded steps of the optimizer. None if unknown.
        """
        if not self.is_of_one_epoch:
            return False
        return (model is not None and self.trained.model is model) or (steps is not None and self.steps() == steps)

    def shift(self, last: int | None) -> int:
        """Return the number to add to Keras's index of an epoch, so that it continues from the last recorded epoch."""
        return 0 if last is None else max(last + 1 - self._first, 0)

    def plan(self) -> Plan:
        """Return the plan of the fit."""
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
        # A train_step of the user may step the optimizer several times per batch, or never.
        per_epoch = None if self.trained.has_own_step else self._steps
        batches = Batches(per_epoch=per_epoch, done=self._batches or 0, first_epoch=self._first)
        return schedule_plan(self.trained.schedule, plan, batches)

    def begin_epoch(self) -> None:
        """Remember how many batches the optimizer has seen before the epoch."""
        self._batches = self._ask("The optimizer's steps", lambda: self.trained.batches, None)

    def _batches_done(self) -> int | None:
        now = self._ask("The optimizer's steps", lambda: self.trained.batches, None)
        return None if now is None or self._batches is None else now - self._batches

    def is_cut_short(self, *, is_asked: bool) -> bool:
        """Return whether the epoch whose batches have just ended was cut short.

        Args:
            is_asked: Whether a policy has asked Keras to stop. If another callback has asked, only the number of
                batches can tell, because that callback may have asked at the end of the epoch.
        """
        if self._is_whole():
            return False
        counts = not self._ask("The model", lambda: self.trained.may_skip_batches, otherwise=True)
        done = self._batches_done() if counts else None
        return is_asked if done is None or self._steps is None else done < self._steps

    def samples(self) -> int | None:
        """Return the samples of the epoch whose batches have just ended. None if the number is not certain."""
        counted = self._ask("The number of samples", lambda: self.trained.samples, None)
        is_disturbed = not self.callbacks or may_evaluate(self.callbacks)
        return self._data.seen(self._batches_done(), counted, is_whole=self._is_whole(), is_disturbed=is_disturbed)

    def _is_whole(self) -> bool:
        # Keras tests this after each batch. If it is set later, at the end of the epoch, the batches are counted.
        model = self.trained.model
        return self._ask("stop_training", lambda: not getattr(model, "stop_training", False), otherwise=False)

    def batches_a_step(self) -> int:
        """Return the number of batches per optimizer step."""
        return self._ask("The optimizer's accumulation of gradients", lambda: self.trained.batches_a_step, 1)

    def synchronize(self) -> None:
        """With JAX, copy the state of the running epoch into the model."""
        self._guarded.tell("Reading the state of the model", self.trained.synchronize)

    def steps(self) -> int | None:
        """Return the steps of the optimizer so far. None if unknown."""
        return self._ask("The optimizer's steps", lambda: self.trained.steps, None)

    def steps_before(self, batch: int) -> int | None:
        """Return the steps of the optimizer before a batch, without waiting for the device. None if unknown.

        Args:
            batch: Index of the batch in the epoch.
        """
        if self._batches is None or self._ask("The model", lambda: self.trained.has_own_step, otherwise=True):
            return None
        if self.trained.may_skip_batches:
            self.synchronize()
            return self.steps()
        return (self._batches + batch) // self.batches_a_step()

    def learning_rate(self) -> float | None:
        """Return the learning rate of the user, which a landing does not change. None if unknown."""
        return self._ask("The optimizer's learning rate", lambda: self.trained.learning_rate, None)

    def _ask(self, what: str, call: Callable[[], _Answer], otherwise: _Answer) -> _Answer:
        return self._guarded.ask(what, call, otherwise)


class Stop:
    """Asks Keras to end a fit after the present batch. Any thread may call it, and it never raises.

    Keeps nothing of the fit alive, because a run that is never closed holds this object.

    Args:
        model: The model.

    Attributes:
        is_wanted: Whether it was called.
        failure: The error of the model. None if the model accepted the request.
    """

    def __init__(self, model: Any) -> None:
        self.is_wanted = False
        self.failure: Exception | None = None
        self._model: Callable[[], Any]
        try:
            self._model = _reference(model)
        except TypeError:  # an object from a loop of the user
            self._model = lambda: model

    def __call__(self) -> None:
        """Set the attribute that Keras tests after each batch."""
        self.is_wanted = True
        try:
            self._model().stop_training = True
        except Exception as reason:  # noqa: BLE001  a model of the user may refuse the attribute
            self.failure = reason


def nothing() -> Any:
    """Return None, as a dead weak reference does."""
    return None


def _reference(model: Any) -> Callable[[], Any]:
    return weakref.ref(model) if model is not None else nothing


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _cadence(variables: dict[str, Any]) -> int | None:
    if variables.get("validation_data") is None:
        return 0
    every = variables.get("validation_freq")
    return every if isinstance(every, int) else None  # validation_freq may also be a list of epochs
