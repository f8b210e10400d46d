"""When an epoch is recorded and decided on before it has ended."""

import re
from math import ceil, isfinite
from operator import index
from typing import Final, NamedTuple, Self, SupportsIndex

from green_callbacks.accountant.ranks import Ranks
from green_callbacks.clock import Clock
from green_callbacks.errors import ConfigurationError
from green_callbacks.units import SECONDS_PER_HOUR, SECONDS_PER_MINUTE, comma_remedy, described

_TEXT: Final = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*([a-z]+)\s*")
_STEPS: Final = ("step", "steps")
_MOST_STEPS: Final = 10**18
_SECONDS: Final = {
    **dict.fromkeys(("s", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "minute", "minutes"), SECONDS_PER_MINUTE),
    **dict.fromkeys(("h", "hour", "hours"), SECONDS_PER_HOUR),
}


class Interval(NamedTuple):
    """How long a part of an epoch lasts: in steps or in time.

    Attributes:
        steps: Number of optimiser steps; None where it goes by time.
        seconds: Time in s; None where it goes by steps.
    """

    steps: int | None
    seconds: float | None

    @classmethod
    def parse(cls, value: str | int) -> Self:
        """Read an interval as a user writes it.

        Args:
            value: A number of steps, or a text such as ``"500 steps"``, ``"90 s"``, ``"10 min"`` or ``"2 h"``.

        Returns:
            The interval.

        Raises:
            ConfigurationError: It is none, or not above 0.
        """
        match = _TEXT.fullmatch(_written(value))
        number, unit = (float(match[1]), match[2]) if match else (0.0, "")
        if unit in _STEPS and number >= 1 and number.is_integer():
            return cls(int(number), None)
        if unit in _SECONDS and number > 0 and isfinite(number):
            return cls(None, number * _SECONDS[unit])
        remedy = comma_remedy(value) if isinstance(value, str) else ""
        msg = (
            f"decide_every={described(value)} is no interval: write a number of steps such as 500, or '500 steps' or "
            f"'10 min'{remedy}."
        )
        raise ConfigurationError(msg)


def _written(value: object) -> str:
    """Return an interval in the form that it is read in; whole numbers of any kind are steps."""
    if isinstance(value, SupportsIndex) and not isinstance(value, bool):
        number = index(value)
        return f"{number} steps" if abs(number) < _MOST_STEPS else ""
    return value.casefold() if isinstance(value, str) else ""


class Parts:
    """Counts steps, and tells when a part of an epoch is due to end: after the same step on every rank.

    The clocks of several ranks differ, and asking them after every step would slow the training down. So rank 0's time
    counts, and all ranks ask for it when it should be about time by the pace so far, or when the part has doubled.

    Args:
        interval: How long a part lasts; None for whole epochs only.
        ranks: The processes.
        clock: The time.
    """

    def __init__(self, interval: Interval | None, ranks: Ranks, clock: Clock) -> None:
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
        """Count steps that were done; every rank calls this.

        Args:
            steps: How many since the last call.

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
