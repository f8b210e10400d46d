"""Samples, estimates, work with pauses, and the error of a broken sensor, which all gauges of a GPU share."""

from collections.abc import Generator
from typing import NamedTuple

from green_callbacks.sources.common.never_falling import Bounded

PausingWork = Generator[float, None, None]
"""Work with pauses. It yields the monotonic time, in s, at which it wants to continue."""

Estimate = Bounded
"""The energy at one instant, how much less it may be, and how much more, all in J."""


class EnergySample(NamedTuple):
    """The energy that a sensor showed when it was asked."""

    joules: float
    """The energy, in J."""
    before_seconds: float
    """Monotonic time just before the call, in s."""
    after_seconds: float
    """Monotonic time just after the call, in s."""

    @property
    def seconds(self) -> float:
        """The middle of the call, in monotonic s. The energy is taken to be valid at this instant."""
        return (self.before_seconds + self.after_seconds) / 2


class UntrustworthyError(Exception):
    """A counter or a buffer stands still, or contradicts the power.

    Args:
        flag: The flag for readings, one word.
        why: The observation, as a clause.
        last: The last sample that can be trusted.
    """

    def __init__(self, flag: str, why: str, last: EnergySample) -> None:
        super().__init__(why)
        self.flag = flag
        self.last = last
