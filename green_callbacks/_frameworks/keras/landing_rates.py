"""Scales the learning rate of a Keras model, so that a run can land."""

import weakref
from collections.abc import Callable
from typing import Any, Final

from keras.optimizers.schedules import LearningRateSchedule

from green_callbacks._frameworks.common.running_call import RunningCall
from green_callbacks._frameworks.keras.landed_rates import LandedRate, LandedSchedule, Scale, of_user
from green_callbacks._frameworks.keras.model import Trained
from green_callbacks._frameworks.keras.scalable_rates import refusal
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.landing.course import Course
from green_callbacks.records.landing import Landing

_RATE: Final = "_learning_rate"
"""Attribute of an optimizer with its learning rate, which may be a schedule."""


class KerasRates:
    """The learning rate of the model of a fit.

    A landing replaces two things, and its end puts both back. The learning rate of the optimizer becomes a rate that
    is scaled in training. The training function of the model becomes a new one, because TensorFlow and JAX have
    compiled the old one with the old rate. Keeps neither the model nor its optimizer alive.

    Args:
        model: The model.
        call: The running ``fit``. None if a loop of the user calls the hooks.
        guarded: Guards the reading of the optimizer's steps.
        on_end: A method, called with the optimizer's steps after the last batch of a landing that ends inside an epoch.
    """

    def __init__(self, model: Any, call: RunningCall | None, guarded: Guarded, on_end: Callable[[int], object]) -> None:
        self._model: Callable[[], Any] = weakref.ref(model) if model is not None else _nothing
        self._optimizer: Callable[[], Any] = _nothing
        self._call, self._guarded, self._on_end = call, guarded, weakref.WeakMethod(on_end)
        self._rate: Callable[[], Any] = _nothing
        self._function: Callable[[], Any] = _nothing  # it holds the model
        self._course: Course | None = None
        self._end = self._missing = 0
        self._batches_left: int | None = None  # until the landing ends inside an epoch

    def refusal(self) -> str | None:
        """Return why the learning rate cannot be scaled, as sentences. None if it can be scaled."""
        return refusal(self._model(), is_in_fit=self._call is not None)

    def is_running(self) -> bool:
        """Return whether the fit is still running."""
        return self._call is not None and self._call.is_running()

    def begin(self, course: Course) -> None:
        """Scale the learning rate from the next batch on. Only a hook of a callback may call it.

        Args:
            course: The landing, and the number of steps so far.
        """
        landing, model = course.landing, self._model()
        if landing is None or model is None:
            return
        self.end()
        trained = Trained(model)
        trained.synchronize()  # a new function of JAX reads where the variables are
        missing = _missing(landing, course.step, trained.steps or 0)
        scale = Scale(landing, trained.batches_a_step, missing)
        before = model.train_function
        try:
            self._replace(trained, scale)
            function = _make_function(model)
        except BaseException:
            self.end()
            raise
        model.train_function = _LandedFunction(self, scale, before, function)
        self._course, self._function = course, weakref.ref(model.train_function)
        if landing.last_epoch is None:
            self._missing = missing
            self._end = (landing.end - missing) * trained.batches_a_step
            self._batches_left = self._end - (trained.batches or 0)

    def keep(self) -> bool:
        """Scale again if other code has replaced the learning rate or the training function in the landing.

        Returns:
            Whether both were in place, or no landing has begun.
        """
        course, model = self._course, self._model()
        if course is None or model is None:
            return True
        is_kept = model.train_function is self._function() is not None
        if is_kept and vars(Trained(model).optimizer).get(_RATE) is self._rate():
            return True
        self.begin(course)
        return False

    def _replace(self, trained: Trained, scale: Scale) -> None:
        optimizer = trained.optimizer
        rate = of_user(vars(optimizer)[_RATE])
        landed: LandedSchedule | LandedRate
        if isinstance(rate, LearningRateSchedule):
            landed = LandedSchedule(rate, scale)
        else:
            landed = LandedRate(rate, trained.counter, scale)
        vars(optimizer)[_RATE] = landed  # the optimizer itself would track a second variable
        self._optimizer, self._rate = weakref.ref(optimizer), weakref.ref(landed)

    def end(self) -> None:
        """Put the learning rate and the training function back."""
        rate, function = self._rate(), self._function()
        self._rate = self._function = _nothing
        self._course = self._batches_left = None
        optimizer, model = self._optimizer(), self._model()
        if rate is not None and optimizer is not None and vars(optimizer).get(_RATE) is rate:
            vars(optimizer)[_RATE] = of_user(rate)
        if function is not None and model is not None and model.train_function is function:
            model.train_function = function.before

    def count(self, answer: Any) -> None:
        """Count the batches of a call of the training function, and tell if the landing ends inside an epoch.

        The steps of the optimizer are only read when the landing may have ended, because reading waits for the device.

        Args:
            answer: Answer of the function.
        """
        model = self._model()
        if self._batches_left is None or model is None:
            return
        self._batches_left -= model.steps_per_execution
        if self._batches_left <= 0:
            trained = Trained(model)
            counted = self._end - self._batches_left
            batches = self._guarded.ask("The optimizer's steps", lambda: _batches(trained, answer), None)
            batches = counted if batches is None else batches
            self._batches_left = self._end - batches
            if self._batches_left <= 0:
                on_end = self._on_end()
                if on_end is not None:
                    on_end(batches // trained.batches_a_step + self._missing)


class _LandedFunction:
    """The training function of a model during a landing.

    If the fit of the landing has been cut short, the next call puts everything back and trains without scaling.

    Args:
        rates: The learning rate.
        scale: Its factor.
        before: The training function before the landing.
        function: The training function that Keras has made for the landing.
    """

    def __init__(self, rates: KerasRates, scale: Scale, before: Any, function: Any) -> None:
        self.before = before
        self._rates, self._scale, self._function = rates, scale, function

    def __call__(self, *arguments: Any) -> Any:
        """Train with the next batch, or with several if Keras executes them together."""
        if not self._rates.is_running():
            self._rates.end()
            return self.before(*arguments)
        self._scale.is_training = True
        try:
            answer = self._function(*arguments)
        finally:
            self._scale.is_training = False
        self._rates.count(answer)
        return answer


def _missing(landing: Landing, recorded: int | None, counted: int) -> int:
    """Return the steps that an optimizer does not count, because it began anew when the run was resumed."""
    return 0 if counted >= landing.first_step else (landing.first_step if recorded is None else recorded) - counted


def _make_function(model: Any) -> Any:
    """Return a new training function, which will be compiled anew at its first call."""
    method = model.train_step

    def train_step(*arguments: Any) -> Any:
        return method(*arguments)

    # JAX remembers the methods that it has compiled, and takes an equal method for the same. This is another function.
    vars(model)["train_step"] = train_step
    try:
        model.make_train_function(force=True)
    finally:
        del vars(model)["train_step"]
    return model.train_function


def _batches(trained: Trained, answer: Any) -> int | None:
    """Return the batches that the optimizer has seen, which the model of JAX does not know inside an epoch."""
    if not hasattr(trained.model, "jax_state_sync"):
        return trained.batches
    counts = (each is trained.counter for each in trained.model.optimizer.variables)
    _, (_, _, state, _) = answer
    return int(next(value for value, is_count in zip(state, counts, strict=True) if is_count))


def _nothing() -> None:
    """Return None, as a dead weak reference does."""
