"""The interval after which policies decide inside an epoch."""

import re
from math import ceil, isfinite
from operator import index
from typing import Final, NamedTuple, Self, SupportsIndex

from green_callbacks.accountant.ranks.protocol import Ranks
from green_callbacks.clock import Clock
from green_callbacks.errors import ConfigurationError
from green_callbacks.units import SECONDS_PER_HOUR, SECONDS_PER_MINUTE, comma_remedy, described

_TEXT: Final = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*([a-z]+)\s*")
_STEPS: Final = ("step", "steps")
_MOST_STEPS: Final = 10**18
"""Largest number of steps that is accepted. Larger numbers are mistakes."""
# Seconds per unit.
_SECONDS: Final = {
    **dict.fromkeys(("s", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "minute", "minutes"), SECONDS_PER_MINUTE),
    **dict.fromkeys(("h", "hour", "hours"), SECONDS_PER_HOUR),
}


class DecisionInterval(NamedTuple):
    """Length of a part of an epoch, in steps or in time.

    Attributes:
        steps: Number of optimizer steps, or None for an interval of time.
        seconds: Time in s, or None for an interval of steps.
    """

    steps: int | None
    seconds: float | None

    @classmethod
    def parse(cls, value: str | int) -> Self:
        """Parse an interval.

        Args:
            value: A number of steps, or a text such as ``"500 steps"``, ``"90 s"``, ``"10 min"`` or ``"2 h"``.

        Returns:
            The interval.

        Raises:
            ConfigurationError: The value is no interval, or not above 0.
        """
        match = _TEXT.fullmatch(_written(value))
        number, unit = (float(match[1]), match[2]) if match else (0.0, "")
        if unit in _STEPS and number >= 1 and number.is_integer():
            return cls(int(number), None)
        if unit in _SECONDS and number > 0 and isfinite(number):
            return cls(None, number * _SECONDS[unit])
        remedy = comma_remedy(value) if isinstance(value, str) else ""
        msg = (
            f"decide_every={described(value)} is no interval. Write a number of steps such as 500, or '500 steps' or "
            f"'10 min'{remedy}."
        )
        raise ConfigurationError(msg)


def _written(value: object) -> str:
    """Return the text of an interval. A whole number of any type is a number of steps."""
    if isinstance(value, SupportsIndex) and not isinstance(value, bool):
        number = index(value)
        return f"{number} steps" if abs(number) < _MOST_STEPS else ""
    return value.casefold() if isinstance(value, str) else ""


class EpochParts:
    """Counts steps, and decides after which step a part of an epoch ends. The step is the same on every rank.

    Only rank 0's clock is used, because clocks differ and a collective after every step would slow the training down.
    Ranks synchronize when the interval is expected to be due, or when the number of steps has doubled.

    Args:
        interval: Length of a part, or None for whole epochs only.
        ranks: The processes of the run.
        clock: The clock of the run.
    """

    def __init__(self, interval: DecisionInterval | None, ranks: Ranks, clock: Clock) -> None:
        self._interval = interval
        self._ranks = ranks
        self._clock = clock
        self.has_counted = False
        """Whether a step was ever counted."""
        self.begin()

    def begin(self) -> None:
        """Begin a part."""
        if self._interval is not None:
            self._steps, self._ask_at = 0, 1
            self._began_seconds = self._clock.monotonic()

    def count(self, steps: int) -> bool:
        """Count steps. Every rank calls this.

        Args:
            steps: Number of steps since the last call.

        Returns:
            Whether the part is due to end.
        """
        if self._interval is None:
            return False
        self.has_counted = True
        self._steps += steps
        if self._interval.steps is not None:
            return self._steps >= self._interval.steps
        return self._steps >= self._ask_at and self._is_time(self._interval.seconds or 0.0)

    def _is_time(self, interval_seconds: float) -> bool:
        passed = self._clock.monotonic() - self._began_seconds
        if self._ranks.size == 1:
            return passed >= interval_seconds
        (passed,) = self._ranks.sum([passed if self._ranks.rank == 0 else 0.0])
        expected = self._steps * interval_seconds / passed if passed > 0 else 2.0 * self._steps
        self._ask_at = min(max(ceil(expected), self._steps + 1), 2 * self._steps)
        return passed >= interval_seconds
