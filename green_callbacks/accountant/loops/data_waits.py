"""How long training waits for its next batch, from a look at a part of its steps."""

from collections.abc import Iterable, Iterator
from threading import get_ident
from typing import Final, TypeVar

from green_callbacks.clock import Clock

Batch = TypeVar("Batch")

EXACT_STEPS: Final = 50
"""Number of first steps of a pass over the data, all of which are looked at. So a short epoch is measured exactly, and
a pass costs at most this many looks and one in 47 steps (by convention).
"""
STRIDE: Final = 47
"""Every so many steps, one is looked at after the first ones (by convention). It is a prime number near 50, because
loaders with several workers deliver batches in bursts of as many."""
_STEADY: Final = EXACT_STEPS // 2
"""Position in a pass from which a wait counts for the mean of later steps. Workers have filled their queues by then (by
convention)."""
_ENOUGH: Final = 16
"""Number of later looks that stand for later steps by themselves (by convention). A pass may begin more slowly than it
goes on, because files are not cached yet.
"""
_OUTLIERS_FROM: Final = 8
"""Number of looks from which on the longest counts as the second longest for others (by convention). One stall of a
disk would else count 47 times.
"""


class _Looks:
    """Some looked-at waits, and their mean for steps that were not looked at."""

    def __init__(self) -> None:
        self.number = 0
        self._seconds = self._longest = self._second = 0.0

    def add(self, seconds: float) -> None:
        self.number += 1
        self._seconds += seconds
        if seconds > self._longest:
            self._longest, self._second = seconds, self._longest
        elif seconds > self._second:
            self._second = seconds

    @property
    def mean(self) -> float:
        if self.number < _OUTLIERS_FROM:
            return self._seconds / self.number
        return max(self._seconds - self._longest + self._second, 0.0) / self.number


class DataWaits:
    """Estimates the time that the training thread waits for batches in the open epoch.

    The first 50 steps of a pass over the data are looked at, and then every 47th. The mean wait of looked-at steps
    stands for the others. The first 25 steps of a pass are not in that mean, because they wait for workers to start.
    In a long pass, none of the first 50 is in it. A single stall stands for itself alone, and so do
    waits that come once in hundreds of batches.

    Only the time in the loader counts. Whoever calls :meth:`ask` and :meth:`arrive` does so around the loader.

    Args:
        clock: The clock of the run.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Begin an epoch."""
        self._passed_seconds = self._told_seconds = 0.0
        self._has_new, self._is_known = False, True
        self._thread = get_ident()
        self._restart()

    def _restart(self) -> None:
        self._position = self._unseen = 0
        self._first_seconds = self._seen_seconds = 0.0
        self._seen, self._steady, self._late = _Looks(), _Looks(), _Looks()
        self._asked: float | None = None

    def begin_pass(self) -> None:
        """Begin another pass over the data in the same epoch. Its first wait counts once, too."""
        passed_seconds = self._estimate()
        self._is_known &= passed_seconds is not None
        self._passed_seconds = passed_seconds or 0.0
        self._restart()

    def ask(self) -> bool:
        """Note that training asks for a batch now. Return whether this step is looked at."""
        position = self._position
        if position < EXACT_STEPS or (position - EXACT_STEPS) % STRIDE == 0:
            self._asked = self._clock.monotonic()
            return True
        return False

    def arrive(self) -> None:
        """Note that the batch has arrived."""
        self.count(self.waited())

    def waited(self) -> float | None:
        """End the wait. Return its length in s, or None if this step is not looked at."""
        asked, self._asked = self._asked, None
        return None if asked is None else max(self._clock.monotonic() - asked, 0.0)

    def count(self, seconds: float | None) -> None:
        """Count a batch.

        Args:
            seconds: The wait for it, in s. None if unknown.
        """
        if seconds is None:
            self._unseen += 1
        else:
            is_later = self._position > 0
            self._first_seconds += 0.0 if is_later else seconds
            self._seen_seconds += seconds if is_later else 0.0
            if is_later:
                self._seen.add(seconds)
            if self._position >= _STEADY:
                self._steady.add(seconds)
            if self._position >= EXACT_STEPS:
                self._late.add(seconds)
        self._position += 1
        self._has_new = True

    def forget(self) -> None:
        """Note that the last call of :meth:`ask` began no wait, because the data ended or something else was done."""
        self._asked = None

    def watched(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Go through the batches of a pass, and look at the waits for them.

        A thread that fetches batches ahead waits for them without keeping training. So its waits are unknown.

        Args:
            batches: The training data.

        Yields:
            The batches.
        """
        self.begin_pass()
        if get_ident() != self._thread:
            self._is_known = False
        self.ask()  # before the loader starts its workers
        for batch in batches:
            self.arrive()
            yield batch
            self.ask()
        self.forget()

    def take(self) -> float | None:
        """Return the estimated wait since the last call in this epoch, in s.

        None if no batch has arrived since, or if too few waits could be seen.
        """
        if not self._has_new:
            return None
        self._has_new = False
        seconds = self._estimate()
        if seconds is None or not self._is_known:
            return None
        since, self._told_seconds = seconds - self._told_seconds, seconds
        return max(since, 0.0)

    def _estimate(self) -> float | None:
        """Return the wait in the epoch so far, in s. None if nothing stands for the steps that were not looked at."""
        mean = 0.0
        if self._late.number >= _ENOUGH:
            mean = self._late.mean
        elif self._steady.number:
            mean = self._steady.mean
        elif self._unseen:  # something else was done before every later batch
            if not self._seen.number:
                return None
            mean = self._seen.mean
        return self._passed_seconds + self._first_seconds + self._seen_seconds + mean * self._unseen
