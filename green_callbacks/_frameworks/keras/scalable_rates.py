"""Tells why the learning rate of a Keras model cannot be scaled."""

from typing import Any, Final

import keras

from green_callbacks._frameworks.keras.landed_rates import of_user
from green_callbacks._frameworks.keras.model import Trained

_NOT_IN_FIT: Final = (
    "A loop of your own trains the model, and only the learning rate of fit() can be scaled. Use fit()."
)
_NO_OPTIMIZER: Final = "The model has no optimizer. Pass one to compile()."
_OWN_STEP: Final = (
    "{model} has a train_step() or make_train_function() of its own, and the optimizer of compile() may not train it. "
    "Lower the learning rate at the end yourself."
)
_NOT_OF_KERAS: Final = "{optimizer} is no optimizer of Keras 3. Pass an optimizer from keras.optimizers."
_SEVERAL: Final = "{optimizer} has several optimizers, each with a learning rate. Use a single optimizer."
_UNLIKE: Final = "{optimizer} does not come to rest when its learning rate goes to 0. Use another optimizer."
_OWN_RATE: Final = "{optimizer} computes its learning rate itself. Pass a number or a LearningRateSchedule to it."
_CALLABLE: Final = (
    "The learning rate of {optimizer} is a function, which a compiled training step may have called already. "
    "Pass a number or a LearningRateSchedule instead."
)
_UNCOUNTED: Final = (
    "{optimizer} accumulates gradients and does not count its batches. Update Keras, or accumulate none."
)
_NNX: Final = "Keras keeps its variables in NNX, where the learning rate cannot be replaced. Disable NNX in Keras."

_RESTLESS: Final = tuple(
    getattr(keras.optimizers, name) for name in ("Ftrl", "ScheduleFreeAdamW") if hasattr(keras.optimizers, name)
)
"""Optimizers that do not approach a point when the learning rate goes to 0. FTRL divides by it."""


def refusal(model: Any, *, is_in_fit: bool) -> str | None:
    """Return why the learning rate of a model cannot be scaled, as sentences. None if it can be scaled.

    Args:
        model: The model. None if it is gone.
        is_in_fit: Whether a ``fit`` of Keras trains the model.
    """
    if not is_in_fit or model is None:
        return _NOT_IN_FIT
    optimizer = Trained(model).optimizer
    if optimizer is None:
        return _NO_OPTIMIZER
    reason = _of_model(model) or _of_optimizer(optimizer) or _of_rate(optimizer)
    return reason and reason.format(model=type(model).__name__, optimizer=type(optimizer).__name__)


def _of_model(model: Any) -> str | None:
    kind = type(model)
    made = getattr(kind, "make_train_function", None) is keras.Model.make_train_function
    trained = Trained(model)
    if trained.has_own_step or not made or "make_train_function" in vars(model):
        return _OWN_STEP
    is_nnx = getattr(keras.config, "is_nnx_enabled", bool)
    if is_nnx():
        return _NNX
    return _UNCOUNTED if trained.counter is None and trained.batches_a_step > 1 else None


def _of_optimizer(optimizer: Any) -> str | None:
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        return _NOT_OF_KERAS
    if hasattr(optimizer, "optimizers"):
        return _SEVERAL
    if isinstance(optimizer, _RESTLESS):
        return _UNLIKE
    is_usual = type(optimizer).learning_rate is keras.optimizers.Optimizer.learning_rate
    return None if is_usual else _OWN_RATE


def _of_rate(optimizer: Any) -> str | None:
    rate = of_user(vars(optimizer).get("_learning_rate"))
    is_variable = callable(getattr(rate, "assign", None))  # of a class that Keras exported later
    if is_variable or isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        return None
    return _CALLABLE if callable(rate) else _OWN_RATE
