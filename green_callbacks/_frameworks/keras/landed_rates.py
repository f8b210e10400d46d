"""Learning rates of Keras that a landing scales while the model trains, and that look untouched otherwise.

Each stands in for the learning rate of the user in the optimizer. It is scaled only inside the training function of the
model, so callbacks, saved models and ``optimizer.learning_rate`` have the rate of the user. It depends on nothing but
variables of the optimizer, because TensorFlow and JAX compile it.
"""

import copy
from typing import Any

import keras
from keras import ops

from green_callbacks.records.landing import Landing


class Scale:
    """The factor of a landing in the training function of a model, and 1 elsewhere.

    Args:
        landing: The landing.
        batches_a_step: Number of batches per optimizer step.
        missing: Steps of the landing's count that the optimizer does not count. Defaults to 0.

    Attributes:
        is_training: Whether the training function is running.
    """

    def __init__(self, landing: Landing, batches_a_step: int, missing: int = 0) -> None:
        self.is_training = False
        self._landing = landing
        self._end = landing.end - missing
        self._batches_a_step = batches_a_step

    def times(self, rate: Any, batches: Any) -> Any:
        """Return the learning rate of the next batch.

        Args:
            rate: The learning rate of the user.
            batches: Batches that the optimizer has seen, as a tensor or a variable.
        """
        if not self.is_training:
            return rate
        landing = self._landing
        left = ops.subtract(self._end, ops.floor_divide(batches, self._batches_a_step))
        # Whole numbers are subtracted first, because float32 does not count the steps of a long training. Each step of
        # Keras is a step of its own, even if several are executed together, so half a step is the middle.
        share = ops.divide(ops.subtract(ops.cast(left, "float32"), 0.5), float(landing.steps))
        return ops.multiply(rate, ops.multiply(ops.clip(share, 0.0, 1.0), landing.from_factor))


class LandedSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # keras is not typed
    """A schedule that is scaled. A model that is saved during the landing has the schedule of the user.

    Args:
        of_user: The schedule of the user.
        scale: The factor.
    """

    def __init__(self, of_user: Any, scale: Scale) -> None:
        self.of_user = of_user
        self.scale = scale

    @property  # type: ignore[misc]  # Keras saves the name of this class, beside the result of get_config()
    def __class__(self) -> Any:
        return type(self.of_user)

    def __call__(self, step: Any) -> Any:
        """Return the learning rate.

        Args:
            step: Batches that the optimizer has seen. Keras calls them steps of a schedule.
        """
        return self.scale.times(self.of_user(step), step)

    def get_config(self) -> Any:
        """Return the configuration of the schedule of the user."""
        return self.of_user.get_config()

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["of_user"], name)

    def __reduce__(self) -> Any:
        return copy.copy, (self.of_user,)


class LandedRate(keras.Variable):  # type: ignore[misc]  # keras is not typed
    """A variable whose value is the learning rate of the user, scaled. Values that callbacks assign go to the user's.

    Args:
        of_user: The variable of the user, which the optimizer tracks.
        batches: Batches that the optimizer has seen, as its variable.
        scale: The factor.
    """

    def __init__(self, of_user: Any, batches: Any, scale: Scale) -> None:
        self.of_user = of_user
        self.batches = batches
        self.scale = scale
        super().__init__(0.0, dtype="float32", trainable=False, name="landed_learning_rate")

    @property
    def value(self) -> Any:
        """The learning rate, as a tensor."""
        return self.scale.times(self.of_user.value, self.batches)

    def assign(self, value: Any) -> Any:
        """Set the learning rate of the user.

        Args:
            value: The new value.
        """
        return self.of_user.assign(value)

    def __repr__(self) -> str:
        return repr(self.of_user)


def of_user(rate: Any) -> Any:
    """Return the learning rate of the user, which a landing may have replaced.

    Args:
        rate: The learning rate of an optimizer.
    """
    return rate.of_user if type(rate) in {LandedSchedule, LandedRate} else rate
