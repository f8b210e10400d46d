"""The energy within the last second, for a GPU that reports its power as the mean of a second."""

from collections.abc import Sequence
from typing import Final

AVERAGED_SECONDS: Final = 1.0
"""Time over which Ampere chips except GA100, and newer chips, average their power, in s (``nvml.h``)."""
_MISS_LEARNING: Final = 0.05
"""Weight of the newest slot in the mean squared errors (by experiment)."""
_FIRST_SLOT_SHARE: Final = 0.5
"""Relative standard error of the slots at the beginning, when only their sum is known (by experiment)."""
_LEAST_SLOT_SHARE: Final = 0.01
"""Least relative standard error of the energy of a slot (by experiment)."""
_AVERAGE_SHARE: Final = 0.001
"""Relative standard error of an average, which is refreshed a little early or late (by experiment)."""
_LEAST_SLOT_JOULES: Final = 0.02
"""Least standard error of the energy of a second, in J (by experiment)."""

SlotEnergy = tuple[float, float]
"""An energy in J, and its variance in J²."""


class LastSecond:
    """Estimates the energy of each slot of the last second, and from it the energy that an average does not show yet.

    A slot is the time between two refreshes of the average, about 0.1 s. At a refresh, the average is the sum of the
    slots. So the average changes by the newest slot less the slot that has left the second. If the older slot is known,
    so is the newer. The instantaneous power gives another estimate of each slot, which is good unless the power jumps
    unseen. A Kalman filter with the slots as state weighs the two.

    At every refresh, the mean of the energy over the last second rises by ``average * slot``. The energy now is this
    mean plus the slots, weighted by how late they count in it. The weights fall linearly over the second.

    Args:
        average_watts: The power of the last second, in W.
        slot_seconds: Length of a slot, in s.
    """

    def __init__(self, average_watts: float, slot_seconds: float) -> None:
        self._count = max(1, round(AVERAGED_SECONDS / slot_seconds))
        joules = average_watts * slot_seconds
        self._slots = [joules] * self._count
        unsure = (_FIRST_SLOT_SHARE * joules) ** 2
        self._covariance = [[unsure if i == j else 0.0 for j in range(self._count)] for i in range(self._count)]
        self._excess_variance = 0.0
        self._added = 0
        self._misses: list[float] = []
        self.choice = 0
        """Index of the interpretation of the power that was taken last."""
        self._correct(average_watts, slot_seconds)
        self.mean_joules = 0.0
        self.walk_square_joules = 0.0
        """Variance of :attr:`mean_joules`, in J². It never falls."""

    @property
    def newest_joules(self) -> float:
        """Energy of the newest slot, in J."""
        return self._slots[0]

    @property
    def oldest_joules(self) -> float:
        """Energy of the oldest slot, in J, which leaves the second next."""
        return self._slots[-1]

    def add(self, estimates: Sequence[SlotEnergy], slot_seconds: float, average_watts: float | None) -> None:
        """Go on by a slot.

        Args:
            estimates: Estimates of the slot's energy from the instantaneous power, one for each interpretation of that
                power, always in the same order. The interpretation with the smallest error so far is taken.
            slot_seconds: Length of the slot, in s.
            average_watts: The power of the last second at its end, in W. None if that refresh was missed.
        """
        self._misses = self._misses or [0.0] * len(estimates)
        self.choice = self._misses.index(min(self._misses))
        joules, variance = estimates[self.choice]
        if average_watts is not None:
            self._compare(estimates, average_watts * slot_seconds * self._count - sum(self._slots[:-1]))
        least = (_LEAST_SLOT_SHARE * joules) ** 2
        self._slots = [joules, *self._slots[:-1]]
        kept = [row[:-1] for row in self._covariance[:-1]]
        newest = [variance + least + self._excess_variance] + [0.0] * (self._count - 1)
        self._covariance = [newest, *([0.0, *row] for row in kept)]
        self._added += 1
        if average_watts is None:
            self.mean_joules += sum(self._slots) / self._count
            self.walk_square_joules += sum(map(sum, self._covariance)) / self._count**2
        else:
            self._correct(average_watts, slot_seconds)
            self.mean_joules += average_watts * slot_seconds
            self.walk_square_joules += (_AVERAGE_SHARE * average_watts * slot_seconds) ** 2

    def _compare(self, estimates: Sequence[SlotEnergy], joules: float) -> None:
        """Update the mean squared error of each interpretation, with the average as the truth."""
        self._misses = [
            miss + _MISS_LEARNING * ((one - joules) ** 2 - miss)
            for miss, (one, _) in zip(self._misses, estimates, strict=True)
        ]

    def behind(self) -> tuple[float, float]:
        """Return the energy now less its mean over the last second, in J, and the variance in J²."""
        weights = [(self._count - 1 - slot) / self._count for slot in range(self._count)]
        joules = sum(weight * slot for weight, slot in zip(weights, self._slots, strict=True))
        rows = zip(weights, self._covariance, strict=True)
        variance = sum(w * sum(v * c for v, c in zip(weights, row, strict=True)) for w, row in rows)
        return joules, max(0.0, variance)

    def _correct(self, average_watts: float, slot_seconds: float) -> None:
        """Correct the slots, because they add up to the average."""
        total_joules = average_watts * slot_seconds * self._count
        sums = [sum(row) for row in self._covariance]
        unsure = (_AVERAGE_SHARE * total_joules) ** 2 + _LEAST_SLOT_JOULES**2
        variance = sum(sums) + unsure
        surprise = total_joules - sum(self._slots)
        gains = [each / variance for each in sums]
        self._slots = [slot + gain * surprise for slot, gain in zip(self._slots, gains, strict=True)]
        self._covariance = [
            [cell - gain * other for cell, other in zip(row, sums, strict=True)]
            for gain, row in zip(gains, self._covariance, strict=True)
        ]
        # Sensors that cover only a part of the time miss some energy. The excess of the surprise shows how much.
        if self._added <= self._count:
            return  # the first slots are guesses
        excess = max(0.0, surprise**2 - (variance - self._excess_variance))
        self._excess_variance += _MISS_LEARNING * (excess - self._excess_variance)
