"""How a run asks for its next epoch where every run only writes a file of its own."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Final

from green_callbacks.registry.files.known_runs import Known
from green_callbacks.registry.files.told_sessions import Told
from green_callbacks.registry.protocol import FIRST_EPOCHS, Claim, RunState, Standing

CONTENTION_SECONDS: Final = 0.3
"""Longest time in s for which a run asks again while others ask too, by experiment. A denied run asks again later."""
_SHORTEST_PAUSE: Final = 0.002
"""Shortest pause in s before a run asks again. Writing and reading the files takes about as long."""
_LONGEST_PAUSE: Final = 0.02
"""Longest pause in s before a run asks again, by experiment."""
_UNANSWERED_SECONDS: Final = 2.0
"""Age in s from which on a question counts as granted, because the run that asked has stopped answering.

It is more than the time for which a run asks.
"""
_AMPLE: Final = 0.8
"""Share of a budget up to which a granted run leaves its question as it is, which saves every second file.

The amount is held all the same. By experiment, runs compete for the last fifth.
"""
_ROUNDING: Final = 1e-9
"""Share of a budget by which sums may miss it. No unit, by experiment."""


class View:
    """The budget as a run sees it after it has told something.

    Args:
        known: All that is known after that.
        told: What the run has told.
        claim: The claim.

    Attributes:
        known: All that is known.
    """

    def __init__(self, known: Known, told: Told, claim: Claim) -> None:
        self.known: Final = known
        self._told = told
        self._claim = claim
        self._runs = known.fresh_runs(claim)
        self._own = self._runs[claim.run_id]
        self._others = known.others(self._runs, claim.run_id)
        self._others_held = self._others.held + self._expected()

    @property
    def counted(self) -> float:
        """What counts against the budget: all that was spent, is held or is asked for."""
        return self._others.spent + self._others_held + self._own.spent + self._own.held

    def _expected(self) -> float:
        """Return what live runs will use before they know their cost and get an answer, beyond what they hold."""
        first_epochs = FIRST_EPOCHS * (self._claim.epoch_cost or 0.0)
        return sum(
            max(0.0, first_epochs - run.spent - run.held)
            for run in self._runs.values()
            if run.state is RunState.LIVE and run.epoch_cost is None and run.run_id != self._claim.run_id
        )

    def standing(self, set_limit: float | None, *, is_granted: bool) -> Standing:
        """Return the answer to the claim.

        Args:
            set_limit: The limit that was set in the registry, or None.
            is_granted: Whether the wanted amount is held.
        """
        claim, own, others = self._claim, self._own, self._others
        # What earlier sessions of this run spent beyond its own total counts with the others, so that nothing is lost.
        beyond = own.spent + own.held - claim.spent - self._told.held
        return Standing(
            limit=claim.limit if set_limit is None else set_limit,
            others_spent=others.spent + (beyond if beyond > _ROUNDING * own.spent else 0.0),
            others_held=self._others_held,
            held=self._told.held if is_granted else self._told.under_way,
            live_runs=others.live + (not claim.is_ended),
            epoch_cost=self.known.epoch_cost_of_others(self._runs, claim.run_id),
            is_granted=is_granted,
            set_limit=set_limit,
        )


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
            view = View(self.tell(told), told, self.claim)
            rivals = self._rivals(view.known)
            is_granted = view.counted <= most
            if view.counted <= _AMPLE * most:
                return view.standing(self.set_limit, is_granted=True)
            if is_granted or view.counted - sum(each.wanted for each in rivals) > most or monotonic() > until:
                self.write(told.following(wanted=self.claim.wanted if is_granted else 0.0))
                return view.standing(self.set_limit, is_granted=is_granted)
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
