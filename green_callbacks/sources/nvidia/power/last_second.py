"""The last second of a GPU that reports its power as the mean of a second: how its energy lies in that second."""

from collections.abc import Sequence
from typing import Final

AVERAGED_SECONDS: Final = 1.0
"""Time over which the chip averages its power, in s (NVIDIA, ``nvml.h``: Ampere but for GA100, and newer)."""
_LEARNING: Final = 0.05
_UNSURE_SHARE: Final = 0.5
_LEAST_SHARE: Final = 0.01
_AVERAGE_SHARE: Final = 0.001
"""By how much an average may be off, as a share: it is refreshed a little early or late."""
_LEAST_JOULES: Final = 0.02

Told = tuple[float, float]
"""An energy in J, and its variance in J²."""


class LastSecond:
    """Estimates the energy of each slot of the last second, and from that what an average does not show yet.

    A slot is the time between two refreshes of the average, about 0.1 s. The average at a refresh is the sum of the
    slots, exactly. So the average changes by the newest slot less the one that has left the second: where the older is
    known, so is the newer. The power of the instant says what it can of each slot: that is much where the power does
    not change, little where it jumps unseen. A Kalman filter, whose state are the slots, weighs the two.

    The mean of the energy over the last second rises by ``average x slot`` at every refresh, exactly. The energy now is
    that mean plus the slots weighted by how late they count in it: the weights fall linearly over the second.

    Args:
        average_watts: The power of the last second, in W.
        slot_seconds: Length of a slot, in s.
    """

    def __init__(self, average_watts: float, slot_seconds: float) -> None:
        self._count = max(1, round(AVERAGED_SECONDS / slot_seconds))
        joules = average_watts * slot_seconds
        self._slots = [joules] * self._count
        unsure = (_UNSURE_SHARE * joules) ** 2
        self._covariance = [[unsure if i == j else 0.0 for j in range(self._count)] for i in range(self._count)]
        self._excess_variance = 0.0
        self._added = 0
        self._misses: list[float] = []
        self.choice = 0
        """Which way of reading the power was taken last."""
        self._correct(average_watts, slot_seconds)
        self.mean_joules = 0.0
        self.walk_square_joules = 0.0
        """Variance of :attr:`mean_joules`, in J²: it never falls."""

    @property
    def newest_joules(self) -> float:
        """Energy of the newest slot, in J."""
        return self._slots[0]

    @property
    def oldest_joules(self) -> float:
        """Energy of the oldest slot, in J: the next to leave the second."""
        return self._slots[-1]

    def add(self, told: Sequence[Told], slot_seconds: float, average_watts: float | None) -> None:
        """Go on by a slot.

        Args:
            told: What the power of the instant says of the energy of the slot; where it may be read in several ways,
                all of them, each time in the same order. The one that has missed least so far is taken.
            slot_seconds: Its length, in s.
            average_watts: The power of the last second at its end, in W; None if that was missed.
        """
        self._misses = self._misses or [0.0] * len(told)
        self.choice = self._misses.index(min(self._misses))
        joules, variance = told[self.choice]
        if average_watts is not None:
            self._compare(told, average_watts * slot_seconds * self._count - sum(self._slots[:-1]))
        least = (_LEAST_SHARE * joules) ** 2
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

    def _compare(self, told: Sequence[Told], joules: float) -> None:
        """Learn by how much each way of reading the power misses the energy of the slot by the average."""
        self._misses = [
            miss + _LEARNING * ((one - joules) ** 2 - miss) for miss, (one, _) in zip(self._misses, told, strict=True)
        ]

    def behind(self) -> tuple[float, float]:
        """Return by how much the energy now exceeds its mean over the last second, in J, and the variance in J²."""
        weights = [(self._count - 1 - slot) / self._count for slot in range(self._count)]
        joules = sum(weight * slot for weight, slot in zip(weights, self._slots, strict=True))
        rows = zip(weights, self._covariance, strict=True)
        variance = sum(w * sum(v * c for v, c in zip(weights, row, strict=True)) for w, row in rows)
        return joules, max(0.0, variance)

    def _correct(self, average_watts: float, slot_seconds: float) -> None:
        """Take in that the slots add up to the average."""
        total_joules = average_watts * slot_seconds * self._count
        sums = [sum(row) for row in self._covariance]
        unsure = (_AVERAGE_SHARE * total_joules) ** 2 + _LEAST_JOULES**2
        variance = sum(sums) + unsure
        surprise = total_joules - sum(self._slots)
        gains = [each / variance for each in sums]
        self._slots = [slot + gain * surprise for slot, gain in zip(self._slots, gains, strict=True)]
        self._covariance = [
            [cell - gain * other for cell, other in zip(row, sums, strict=True)]
            for gain, row in zip(gains, self._covariance, strict=True)
        ]
        # What surprises more than it should is what the power of the instant does not see: sensors that look at a
        # part of the time only, and a load that repeats with them.
        if self._added <= self._count:
            return  # at first the slots are guessed
        excess = max(0.0, surprise**2 - (variance - self._excess_variance))
        self._excess_variance += _LEARNING * (excess - self._excess_variance)
