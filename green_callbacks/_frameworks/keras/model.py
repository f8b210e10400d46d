"""Reads numbers and schedules of the training from a Keras model."""

from math import isfinite
from typing import Any

import keras

from green_callbacks._frameworks.keras.landed_rates import of_user
from green_callbacks._frameworks.keras.schedules import is_users_own


class Trained:
    """The model of a fit.

    A user may give any attribute of a model another meaning. If an attribute has another type than in Keras, its value
    is unknown.

    Args:
        model: The model.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def optimizer(self) -> Any:
        """The optimizer, inside a loss-scale optimizer if there is one. None without an optimizer."""
        optimizer = getattr(self.model, "optimizer", None)
        return getattr(optimizer, "inner_optimizer", optimizer)

    @property
    def has_own_step(self) -> bool:
        """Whether the model has a ``train_step`` of the user, which may count anything."""
        kind = type(self.model)
        return getattr(kind, "train_step", None) is not keras.Model.train_step or "train_step" in vars(self.model)

    @property
    def may_skip_batches(self) -> bool:
        """Whether the optimizer may skip batches, in a ``train_step`` of the user or when a scaled loss overflows."""
        return self.has_own_step or hasattr(self.model.optimizer, "inner_optimizer")

    @property
    def batches_a_step(self) -> int:
        """Number of batches per optimizer step."""
        count = getattr(self.optimizer, "gradient_accumulation_steps", None)
        return count if type(count) is int and count > 0 else 1

    @property
    def counter(self) -> Any:
        """The variable that counts the batches of the optimizer. None if unknown."""
        counter = getattr(self.optimizer, "_iterations", None)
        if counter is None and self.batches_a_step == 1:  # of Keras 3.3, which counts steps alone
            return getattr(self.optimizer, "iterations", None)
        return counter

    @property
    def batches(self) -> int | None:
        """Batches that the optimizer has seen. None if unknown."""
        count = number(self.counter)
        return None if count is None or not isfinite(count) else int(count)

    @property
    def steps(self) -> int | None:
        """Steps that the optimizer has taken. None if unknown.

        An optimizer without any step does not train the model. Then a ``train_step`` of the user has other optimizers.
        """
        count = number(getattr(self.optimizer, "iterations", None))
        return None if count is None or not isfinite(count) else int(count) or None

    @property
    def schedule(self) -> object:
        """The learning rate that was passed to the optimizer, which may be a schedule. A landing does not change it."""
        return of_user(getattr(self.optimizer, "_learning_rate", None))

    @property
    def learning_rate(self) -> float | None:
        """The learning rate. None if unknown, or if only code of the user could compute it."""
        if is_users_own(self.schedule):
            return None
        return number(getattr(self.optimizer, "learning_rate", None))

    @property
    def samples(self) -> float | None:
        """Number of samples in the mean of the loss since its last reset. None if unknown."""
        return None if self.has_own_step else number(getattr(getattr(self.model, "_loss_tracker", None), "count", None))

    def synchronize(self) -> None:
        """With JAX, copy the state of the running epoch into the model. Other backends need nothing."""
        synchronize = getattr(self.model, "jax_state_sync", None)
        if callable(synchronize):
            synchronize()


def number(tensor: object) -> float | None:
    """Return the number in a tensor or variable of any backend. None for None.

    Args:
        tensor: A tensor, a variable or a number.

    Raises:
        Exception: The tensor does not hold a single number.
    """
    if tensor is None:
        return None
    # The value of a Keras variable may be spread over devices, and only the way through NumPy handles that.
    return float(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(tensor)))
