"""Checks of the budgets inside an epoch, at times when one of them may be spent."""

import time
from collections.abc import Callable, Sequence
from math import ceil, inf
from typing import Final, NamedTuple, Protocol

from green_callbacks.accountant.ranks.protocol import Ranks
from green_callbacks.clock import Clock, SystemClock
from green_callbacks.policies import Left

FIRST_SECONDS: Final = 1.0
"""Time from the beginning of an epoch to the first check, in s. Earlier energy outside epochs is in no record yet."""
MOST_SECONDS: Final = 60.0
"""Longest time between two checks, in s, because the power may rise."""
LEAST_SECONDS: Final = 0.05
"""Shortest time between two checks, in s. It is half of the refresh period of NVIDIA's counters."""
_CLOSE_SECONDS: Final = 0.2
"""Remaining time of a budget, in s, above which the next check comes halfway, because the power may rise."""
_ROUNDING: Final = 1e-9
"""Relative margin by which a check comes before the predicted end of a budget, so that rounding delays no stop."""
_NEVER: Final = 2**63
"""Number of batches that no epoch has. The next check is due after it."""


class Spending(NamedTuple):
    """Energy and emissions that are in no record yet.

    Attributes:
        kg: Emissions in kgCO2e, or None if nothing was measured.
        kwh: Facility energy in kWh, or None if nothing was measured.
        seconds: Time since the beginning of the epoch or of its last part, in s.
    """

    kg: float | None = None
    kwh: float | None = None
    seconds: float = 0.0


class Asked(Protocol):
    """Answers for the budgets of a run."""

    def left_inside(self, spending: Spending) -> Sequence[Left | None]:
        """Return the rest of each budget, or None for a budget that cannot answer."""
        ...

    def stop_inside(self, lefts: Sequence[Left | None]) -> bool:
        """Stop the run if a budget is spent, or let it land. Return whether all ranks must hear of a decision."""
        ...


class BudgetChecks:
    """Decides when to check the budgets, and checks them.

    A check is due when the first budget would be spent at the highest rate so far. While that time is far, the check
    comes halfway, and at the latest a minute after the last one. Several ranks check after the same batch, which rank
    0 chooses by its clock and its rates.

    Args:
        asked: Answers for the budgets, on rank 0.
        ranks: The processes of the run.
        clock: The clock of the run.
        measure: Reads the meter, and returns what no record holds yet. Its argument is whether all ranks call it.
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
        """Whether a loop has asked inside the open epoch."""
        self._begin_batches()

    def _begin_batches(self) -> None:
        self._batches, self._ask_at = 0, 1
        self._last = (0, self._now())
        self._pace = 0.0

    def begin(self, *, is_stopped: bool) -> None:
        """Begin an epoch.

        Args:
            is_stopped: Whether the run is to stop already.
        """
        self._before: dict[int, tuple[float, float]] = {}
        self._due = inf if is_stopped else self._now() + FIRST_SECONDS
        if not self._is_alone:
            self._begin_batches()
            self._ask_at = _NEVER if is_stopped else 1

    def hurry(self) -> None:
        """Make a check due now, in an open epoch of one process. Another thread may call this."""
        if self._is_alone:
            self._due = min(self._due, self._now()) if self._due < inf else inf

    def repeat(self) -> None:
        """Report the stop again after every later batch of the epoch."""
        self._due, self._ask_at = -inf, 0

    def end(self) -> None:
        """End the epoch. No check is due before the next one."""
        self.is_used = False
        self._due, self._ask_at = inf, _NEVER

    def is_due(self) -> bool:
        """Return whether a check may be due. A loop calls this after every batch."""
        self.is_used = True
        if self._is_alone:
            return self._now() >= self._due
        self._batches += 1
        return self._batches >= self._ask_at

    def is_overdue(self) -> bool:
        """Return whether a check is overdue, in a run of one process. The worker's thread calls this."""
        return self._is_alone and self._now() >= self._due

    def check(self) -> bool:
        """Check the budgets if rank 0 says that a check is due. Every rank calls this.

        Returns:
            Whether there is a decision of rank 0 to agree on, for a stop or a landing.
        """
        if self._is_alone:
            return self._asked.stop_inside(self.ask())
        if not self._agree(self._now() >= self._due):
            return False
        is_spent = self._asked.stop_inside(self.ask())
        return self._agree(is_spent)

    def ask(self) -> Sequence[Left | None]:
        """Return the rest of each budget, and schedule the next check."""
        spending = self._measure(not self._is_alone)
        if self._ranks.rank:
            return ()
        lefts, now = self._asked.left_inside(spending), self._now()
        self._due = now + min((self._ahead(at, left, now) for at, left in enumerate(lefts)), default=MOST_SECONDS)
        return lefts

    def _ahead(self, at: int, left: Left | None, now: float) -> float:
        """Return the predicted time until a budget is spent, in s, at most a minute."""
        if left is None:
            return MOST_SECONDS
        then, before = self._before.get(at, (now, left.amount))
        self._before[at] = now, left.amount
        if now > then:
            self._rates[at] = max(self._rates.get(at, 0.0), (before - left.amount) / (now - then))
        if left.amount <= 0 and left.landing > 0:
            return LEAST_SECONDS  # a landing begins, and from then on the rest is another amount
        rate = self._rates.get(at)
        if rate is None:
            return FIRST_SECONDS
        if left.amount <= 0 or rate <= 0:
            return MOST_SECONDS
        seconds = left.amount / rate * (1 - _ROUNDING)
        return min(seconds / 2 if seconds > _CLOSE_SECONDS else max(seconds, LEAST_SECONDS), MOST_SECONDS)

    def _agree(self, is_so: bool) -> bool:  # noqa: FBT001
        """Send rank 0's answer to all ranks, with the batch after which the next check is due."""
        mine = [float(is_so), self._batches_ahead()] if self._ranks.rank == 0 else [0.0, 0.0]
        answer, ahead = self._ranks.sum(mine)
        self._ask_at = self._batches + max(1, int(ahead))
        return answer > 0

    def _batches_ahead(self) -> float:
        """Return the number of batches until the next check by the pace so far, at most the number done so far."""
        (batches, seconds), now = self._last, self._now()
        if self._batches > batches and now > seconds:
            self._pace = (self._batches - batches) / (now - seconds)
            self._last = self._batches, now
        expected = ceil((self._due - now) * self._pace) if self._pace else self._batches
        return float(min(max(expected, 1), self._batches))
