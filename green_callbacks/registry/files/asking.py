"""How a run asks for its next epoch where every run only writes a file of its own."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import monotonic, sleep
from typing import Final

from green_callbacks.registry.files.known_runs import Known
from green_callbacks.registry.files.told_sessions import Told
from green_callbacks.registry.protocol import Claim, Standing

CONTENTION_SECONDS: Final = 1.0
"""Longest time in s for which a run asks again while others ask too. By experiment, 64 runs need a third of it."""
_SHORTEST_PAUSE: Final = 0.002
"""Shortest pause in s before a run asks again. Writing and reading the files takes about as long."""
_LONGEST_PAUSE: Final = 0.02
"""Longest pause in s before a run asks again, by experiment."""
_UNANSWERED_SECONDS: Final = 2.0
"""Age in s from which on a question counts as granted, because the run that asked has stopped answering.

It is more than the time for which a run asks.
"""
_ROUNDING: Final = 1e-9
"""Share of a budget by which sums may miss it. No unit, by experiment."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A run that asks for its next epoch.

    A run first writes that it asks, and then reads what all others hold and ask for. If everything fits together, the
    amount is held. If it does not fit only because others ask too, the first run by name keeps asking and the others
    step back for a moment. So there is always a run that gets its answer, and nobody is granted what is not left.

    Attributes:
        claim: The claim.
        set_limit: The limit that was set in the registry, or None.
        tell: Writes what the run tells, and returns what is known after that.
        write: Writes what the run tells.
    """

    claim: Claim
    set_limit: float | None
    tell: Callable[[Told], Known]
    write: Callable[[Told], None]

    def ask(self, told: Told) -> Standing:
        """Ask until there is an answer.

        Args:
            told: What the run tells without asking.

        Returns:
            Where the budget stands.
        """
        most = (self.claim.limit if self.set_limit is None else self.set_limit) * (1 + _ROUNDING)
        until = monotonic() + CONTENTION_SECONDS
        while True:
            told = told.following(wanted=self.claim.wanted, is_asking=True)
            known = self.tell(told)
            counted = _counted(known, self.claim)
            rivals = self._rivals(known)
            is_granted = counted <= most
            if is_granted or counted - sum(each.wanted for each in rivals) > most or monotonic() > until:
                told = told.following(wanted=self.claim.wanted if is_granted else 0.0)
                self.write(told)
                return standing(known.with_fresh(told), told, self.claim, self.set_limit, is_granted=is_granted)
            if any(rival.key < told.key for rival in rivals):
                told = told.following(wanted=0.0)
                self.write(told)
            sleep(random.uniform(_SHORTEST_PAUSE, _LONGEST_PAUSE))  # noqa: S311  nobody gains by guessing it

    def _rivals(self, known: Known) -> list[Told]:
        return [
            told
            for told in known.fresh.values()
            if told.is_asking and told.run_id != self.claim.run_id and known.now - told.told_at < _UNANSWERED_SECONDS
        ]


def standing(known: Known, told: Told, claim: Claim, set_limit: float | None, *, is_granted: bool) -> Standing:
    """Return the answer to a claim.

    Args:
        known: All that is known after the claim.
        told: What the run has told.
        claim: The claim.
        set_limit: The limit that was set in the registry, or None.
        is_granted: Whether the wanted amount is held.
    """
    runs = known.fresh_runs(claim)
    own, others = runs[claim.run_id], known.others(runs, claim.run_id)
    # What earlier sessions of this run spent beyond its own total counts with the others, so that nothing is lost.
    beyond = own.spent + own.held - claim.spent - told.held
    return Standing(
        limit=claim.limit if set_limit is None else set_limit,
        others_spent=others.spent + (beyond if beyond > _ROUNDING * own.spent else 0.0),
        others_held=others.held,
        held=told.held,
        live_runs=others.live + (not told.is_ended),
        epoch_cost=median(others.epoch_costs) if others.epoch_costs else None,
        is_granted=is_granted,
        set_limit=set_limit,
    )


def _counted(known: Known, claim: Claim) -> float:
    """Return what counts against the budget: all that was spent, is held or is asked for."""
    runs = known.fresh_runs(claim)
    own, others = runs[claim.run_id], known.others(runs, claim.run_id)
    return others.spent + others.held + own.spent + own.held
