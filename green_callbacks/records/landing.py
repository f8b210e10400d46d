"""A landing, in which the learning rate goes linearly to 0 before the training stops.

Example:
    >>> landing = Landing(first_step=1_000, steps=200, epoch=9, last_epoch=11, reason="Training no longer pays.")
    >>> landing.factor(1_000), landing.left(1_100), landing.left(1_200)
    (0.9975, 0.5, 0.0)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from green_callbacks.records.history.state import state_checks as checks
from green_callbacks.records.history.state.packed_columns import DamagedError

_MOST_LEFT: Final = 0.05
"""Factor of the learning rate after the last epoch of a landing, up to which it counts as zero. By convention."""
_MOST_STEPS: Final = 2**53
"""Upper limit of the number of steps. Above it, a float64 no longer holds every whole number."""
_MOST_EPOCHS: Final = 2**53
"""Upper limit of the index of an epoch."""
_MOST_CHARACTERS: Final = 10_000
"""Largest length of a reason, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """A landing that has begun. Every rank knows it, and counts its own steps.

    Attributes:
        first_step: Optimizer steps done when it began, counted like :attr:`EpochRecord.step`.
        steps: Its length in optimizer steps, at least 1.
        epoch: Index of the epoch after which, or in which, it began.
        last_epoch: Index of the epoch after which training stops. None if it stops inside an epoch, after ``steps``.
            Defaults to None.
        steps_a_batch: Optimizer steps of a batch. More than one where a loop steps several optimizers. Defaults to 1.
        from_factor: Factor of the learning rate at its beginning. Below 1 if it replaces a longer landing. Defaults
            to 1.
        reason: Why training stops at its end, as a sentence. Defaults to no reason.
        begun_step: Optimizer steps done when the longer landing began that this landing replaces. Defaults to None, if
            it replaces none.

    Example:
        >>> Landing(first_step=90, steps=10, epoch=2).end
        100
    """

    first_step: int
    steps: int
    epoch: int
    last_epoch: int | None = None
    steps_a_batch: int = 1
    from_factor: float = 1.0
    reason: str = ""
    begun_step: int | None = None

    @property
    def begun(self) -> int:
        """Optimizer steps done when the learning rate began to fall."""
        return self.first_step if self.begun_step is None else self.begun_step

    @property
    def end(self) -> int:
        """Optimizer steps at its end."""
        return self.first_step + self.steps

    def left(self, step: float) -> float:
        """Return the factor between two steps, from ``from_factor`` to 0. Records and charts show it.

        Args:
            step: Optimizer steps done so far.
        """
        return self.from_factor * min(max((self.end - step) / self.steps, 0.0), 1.0)

    def is_down(self, step: float) -> bool:
        """Return whether the learning rate counts as zero after a step.

        Args:
            step: Optimizer steps done so far.
        """
        return self.left(step) <= _MOST_LEFT

    def factor(self, step: float) -> float:
        """Return the factor of the learning rate in the next batch, by the middle of the batch.

        Args:
            step: Optimizer steps done before the batch.
        """
        return self.left(step + self.steps_a_batch / 2)


def encode_landing(landing: Landing) -> dict[str, Any]:
    """Return a landing as plain JSON types.

    Args:
        landing: The landing.
    """
    return {name: getattr(landing, name) for name in landing.__slots__}


def decode_landing(fields: object) -> Landing:
    """Read the result of :func:`encode_landing`. Fields of later versions are ignored.

    Args:
        fields: The fields.

    Raises:
        ValueError: A field has the wrong type, or is out of range. The message is one sentence.
    """
    try:
        given = checks.mapping(fields, "its fields")
        return Landing(
            first_step=checks.whole(given.get("first_step"), "its first step", _MOST_STEPS),
            steps=checks.whole(given.get("steps"), "its steps", _MOST_STEPS, 1),
            epoch=checks.whole(given.get("epoch"), "its epoch", _MOST_EPOCHS),
            last_epoch=_optional(given, "last_epoch", "its last epoch", _MOST_EPOCHS),
            steps_a_batch=checks.whole(given.get("steps_a_batch", 1), "its steps a batch", _MOST_STEPS, 1),
            from_factor=_share(given.get("from_factor", 1.0)),
            reason=str(given.get("reason", ""))[:_MOST_CHARACTERS],
            begun_step=_optional(given, "begun_step", "the step at which it began", _MOST_STEPS),
        )
    except DamagedError as reason:
        msg = f"The landing is damaged, because {reason}."
        raise ValueError(msg) from None


def _optional(given: Mapping[str, Any], name: str, what: str, most: int) -> int | None:
    value = given.get(name)
    return None if value is None else checks.whole(value, what, most)


def _share(value: object) -> float:
    share = checks.finite(value, "its factor")
    return min(max(share, 0.0), 1.0)
