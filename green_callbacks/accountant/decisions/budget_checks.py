"""Looks at the budgets of a run inside an epoch, when one of them may be spent."""

import time
from collections.abc import Callable, Sequence
from math import ceil, inf
from typing import Final, NamedTuple, Protocol

from green_callbacks.accountant.ranks import Ranks
from green_callbacks.clock import Clock, SystemClock
from green_callbacks.policies import Left

FIRST_SECONDS: Final = 1.0
"""When the first look of an epoch is due, in s after its beginning: what was used before it is in no record yet."""
MOST_SECONDS: Final = 60.0
"""Longest time between two looks, in s, since the power may rise meanwhile."""
LEAST_SECONDS: Final = 0.05
"""Shortest time between two looks, in s: half of the time in which NVIDIA's counters refresh."""
_CLOSE_SECONDS: Final = 0.2
"""A budget that lasts longer, in s, is looked at again halfway, since the power may rise meanwhile."""
_ROUNDING: Final = 1e-9
_NEVER: Final = 2**63


class Spending(NamedTuple):
    """What has been used and is in no record yet.

    Attributes:
        kg: Emissions in kgCO2e; None if nothing was measured.
        kwh: Facility energy in kWh; None if nothing was measured.
        seconds: Time since the epoch, or the part of it, began, in s.
    """

    kg: float | None = None
    kwh: float | None = None
    seconds: float = 0.0


class Asked(Protocol):
    """What answers for the budgets."""

    def left_inside(self, spending: Spending) -> Sequence[Left | None]:
        """Return what is left of each budget; None of one that cannot tell."""
        ...

    def stop_inside(self, lefts: Sequence[Left | None]) -> bool:
        """Stop the run if nothing is left of a budget; return whether that is so."""
        ...


class Looks:
    """Tells when to look, and looks.

    A look is due when the first budget would be spent at the highest rate seen so far, or halfway to it while that is
    far, and a minute after the last look at the latest. Where several ranks train, they look after the same batch:
    rank 0's clock and rates say which.

    Args:
        asked: Answers for the budgets, on rank 0.
        ranks: The processes.
        clock: The time.
        measure: Reads the meter. Told whether all ranks call it, returns what is in no record yet.
    """

    def __init__(self, asked: Asked, ranks: Ranks, clock: Clock, measure: Callable[[bool], Spending]) -> None:
        self._asked = asked
        self._ranks = ranks
        self._now = time.monotonic if type(clock) is SystemClock else clock.monotonic  # one call less
        self._measure = measure
        self._is_alone = ranks.size == 1
        self._due = inf
        self._rates: dict[int, float] = {}
        self.is_used = False
        """Whether a loop has asked inside the epoch at hand."""
        self._begin_batches()

    def _begin_batches(self) -> None:
        self._batches, self._ask_at = 0, 1
        self._last = (0, self._now())
        self._pace = 0.0

    def begin(self, *, is_stopped: bool) -> None:
        """Begin an epoch.

        Args:
            is_stopped: Whether the run is to stop anyway.
        """
        self._before: dict[int, tuple[float, float]] = {}
        self._due = inf if is_stopped else self._now() + FIRST_SECONDS
        if not self._is_alone:
            self._begin_batches()
            self._ask_at = _NEVER if is_stopped else 1

    def repeat(self) -> None:
        """Have every batch of the epoch that follows be told of the stop again."""
        self._due, self._ask_at = -inf, 0

    def end(self) -> None:
        """End the epoch."""
        self.is_used = False
        self._due, self._ask_at = inf, _NEVER

    def is_due(self) -> bool:
        """Tell whether it may be time to look; called after every batch."""
        self.is_used = True
        if self._is_alone:
            return self._now() >= self._due
        self._batches += 1
        return self._batches >= self._ask_at

    def is_overdue(self) -> bool:
        """Tell the same without being a batch; on the worker's thread, of a run of one process."""
        return self._is_alone and self._now() >= self._due

    def look(self) -> bool:
        """Look, if rank 0 says that it is time; called on every rank.

        Returns:
            Whether the run is to stop.
        """
        if self._is_alone:
            return self._asked.stop_inside(self.ask())
        if not self._agree(self._now() >= self._due):
            return False
        is_spent = self._asked.stop_inside(self.ask())
        return self._agree(is_spent)

    def ask(self) -> Sequence[Left | None]:
        """Return what is left of each budget, and settle when the next look is due."""
        spending = self._measure(not self._is_alone)
        if self._ranks.rank:
            return ()
        lefts, now = self._asked.left_inside(spending), self._now()
        self._due = now + min((self._ahead(at, left, now) for at, left in enumerate(lefts)), default=MOST_SECONDS)
        return lefts

    def _ahead(self, at: int, left: Left | None, now: float) -> float:
        """Return how long a budget will last, in s, and at most a minute."""
        if left is None:
            return MOST_SECONDS
        then, before = self._before.get(at, (now, left.amount))
        self._before[at] = now, left.amount
        if now > then:
            self._rates[at] = max(self._rates.get(at, 0.0), (before - left.amount) / (now - then))
        rate = self._rates.get(at)
        if rate is None:
            return FIRST_SECONDS
        if left.amount <= 0 or rate <= 0:
            return MOST_SECONDS
        seconds = left.amount / rate * (1 - _ROUNDING)
        return min(seconds / 2 if seconds > _CLOSE_SECONDS else max(seconds, LEAST_SECONDS), MOST_SECONDS)

    def _agree(self, is_so: bool) -> bool:  # noqa: FBT001
        """Let rank 0's answer reach all ranks, and after which batch it is asked next."""
        mine = [float(is_so), self._batches_ahead()] if self._ranks.rank == 0 else [0.0, 0.0]
        answer, ahead = self._ranks.sum(mine)
        self._ask_at = self._batches + max(1, int(ahead))
        return answer > 0

    def _batches_ahead(self) -> float:
        """Return after how many batches the next look is due by the pace so far; at most as many as were done."""
        (batches, seconds), now = self._last, self._now()
        if self._batches > batches and now > seconds:
            self._pace = (self._batches - batches) / (now - seconds)
            self._last = self._batches, now
        expected = ceil((self._due - now) * self._pace) if self._pace else self._batches
        return float(min(max(expected, 1), self._batches))
