"""What a model of Keras tells of its training: numbers and schedules, each only if it can be read."""

from math import isfinite
from typing import Any

import keras

from green_callbacks._frameworks.keras.schedules import is_users_own


class Trained:
    """The model of a fit.

    Names of a model are its user's: where an attribute is of another kind than in Keras, that is not known.

    Args:
        model: The model.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def optimizer(self) -> Any:
        """The optimizer, within a loss scale if there is one; None if there is none."""
        optimizer = getattr(self.model, "optimizer", None)
        return getattr(optimizer, "inner_optimizer", optimizer)

    @property
    def has_own_step(self) -> bool:
        """Whether the steps of the training are code of the user's own, which may count anything."""
        kind = type(self.model)
        return getattr(kind, "train_step", None) is not keras.Model.train_step or "train_step" in vars(self.model)

    @property
    def may_skip_batches(self) -> bool:
        """Whether the optimizer may not count every batch: others step, or it scales a loss that overflows."""
        return self.has_own_step or hasattr(self.model.optimizer, "inner_optimizer")

    @property
    def batches_a_step(self) -> int:
        """Number of batches whose gradients make one step of the optimizer."""
        count = getattr(self.optimizer, "gradient_accumulation_steps", None)
        return count if type(count) is int and count > 0 else 1

    @property
    def batches(self) -> int | None:
        """Batches that the optimizer has seen; None if unknown."""
        count = number(getattr(self.optimizer, "_iterations", None))
        return None if count is None or not isfinite(count) else int(count)

    @property
    def steps(self) -> int | None:
        """Steps that the optimizer has taken; None if unknown.

        One that has never stepped is not the one that trains: a ``train_step`` of the user's own has others.
        """
        count = number(getattr(self.optimizer, "iterations", None))
        return None if count is None or not isfinite(count) else int(count) or None

    @property
    def schedule(self) -> object:
        """What the optimizer was given as its learning rate."""
        return getattr(self.optimizer, "_learning_rate", None)

    @property
    def learning_rate(self) -> float | None:
        """The learning rate; None if unknown, or if code of the user's own would have to be called for it."""
        if is_users_own(self.schedule):
            return None
        return number(getattr(self.optimizer, "learning_rate", None))

    @property
    def samples(self) -> float | None:
        """Samples that the mean of the loss is over, since Keras or anybody else has reset it; None if unknown."""
        return None if self.has_own_step else number(getattr(getattr(self.model, "_loss_tracker", None), "count", None))

    def synchronize(self) -> None:
        """With JAX, let the model have the state that it has inside an epoch; does nothing elsewhere."""
        synchronize = getattr(self.model, "jax_state_sync", None)
        if callable(synchronize):
            synchronize()


def number(tensor: object) -> float | None:
    """Return what a tensor or a variable of any backend holds; None for None.

    Args:
        tensor: It, or a number.

    Raises:
        Exception: It holds no number.
    """
    if tensor is None:
        return None
    # What a variable of Keras holds may itself be spread over devices: only NumPy takes either.
    return float(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(tensor)))
