"""Successive halving whose resource is emissions.

A trial completes a rung when it has spent a mass of CO2e. It goes on if its value is among the best of all trials that
have completed that rung so far. So nobody waits for other trials, as in asynchronous successive halving (Li et al., A
System for Massively Parallel Hyperparameter Tuning, 2020). An expensive trial has to earn its next rung sooner than a
cheap trial, because its epochs reach the rung sooner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from green_callbacks.errors import ConfigurationError

MOST_RUNGS: Final = 64
"""Largest number of rungs. At a factor of 2, the last rung is 10^19 times the first, so nothing reaches it.

Example:
    >>> MOST_RUNGS
    64
"""


@dataclass(frozen=True, slots=True)
class Halving:
    """The rungs of a search, as masses of CO2e.

    Args:
        min_kg: Emissions at the first rung, in kgCO2e, above 0.
        reduction_factor: Factor between two rungs, at least 2. One of that many trials goes on. Defaults to 3.

    Raises:
        ConfigurationError: A number cannot work.

    Example:
        >>> rungs = Halving(0.01, reduction_factor=3)
        >>> rungs.completed(0.05), round(rungs.rung_kg(2), 6)
        (2, 0.09)
    """

    min_kg: float
    reduction_factor: int = 3

    def __post_init__(self) -> None:
        """Refuse rungs that cannot work."""
        if not (isfinite(self.min_kg) and self.min_kg > 0):
            msg = f"A first rung of {self.min_kg} kg cannot be reached step by step. It must be above 0, and finite."
            raise ConfigurationError(msg)
        if self.reduction_factor < 2:  # noqa: PLR2004  the smallest factor that drops anything
            msg = f"A reduction factor of {self.reduction_factor} drops no trial. It must be at least 2."
            raise ConfigurationError(msg)

    def rung_kg(self, rung: int) -> float:
        """Return the emissions at a rung, in kgCO2e.

        Args:
            rung: Its index, from 0.
        """
        return self.min_kg * float(self.reduction_factor) ** rung

    def completed(self, kg: float) -> int:
        """Return the number of rungs that a trial has completed.

        Args:
            kg: Its emissions so far, in kgCO2e.
        """
        return next((rung for rung in range(MOST_RUNGS) if kg < self.rung_kg(rung)), MOST_RUNGS)

    def kept(self, count: int) -> int:
        """Return how many of the trials at a rung go on.

        Args:
            count: Number of trials that have completed the rung.
        """
        return max(1, count // self.reduction_factor)

    def goes_on(self, value: float, others: Sequence[float], *, rises: bool) -> bool:
        """Return whether a trial goes on after a rung.

        Args:
            value: Its value. A value that is not a number never goes on.
            others: The values of the other trials that have completed the rung.
            rises: Whether more of the value is better.

        Example:
            >>> Halving(0.01, reduction_factor=2).goes_on(0.8, [0.7, 0.9, 0.6], rises=True)
            True
        """
        if value != value:  # noqa: PLR0124  not a number
            return False
        better = sum(other > value if rises else other < value for other in others)
        return better < self.kept(len(others) + 1)
