"""The landing of a replayed rule. The ledger knows where it would begin, but not the model at its end."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from green_callbacks.analysis.ledger_run import LedgerRun
from green_callbacks.policies import Budget, CarbonBudget, MarginalGain
from green_callbacks.policies.replay import Replay
from green_callbacks.records import History, Landing

_NO_STEPS: Final = (
    "The run reported no optimizer steps, so the landing is counted by its energy. With such a loop, the rule stops at "
    "once."
)
_INSIDE: Final = (
    "A budget lands inside epochs. The ledger knows only their ends, so the savings are counted from such an end."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedLanding:
    """The landing of a rule on a recorded run.

    Attributes:
        begins_after: Number of epochs that have ended before the landing begins.
        ends_after: Number of epochs that have ended before it ends.
        of_epochs: Number of epochs that the recorded run has begun.
        begins_inside: Whether it begins inside the next epoch.
        ends_inside: Whether it ends inside an epoch.
        is_over: Whether the recorded run is long enough to contain its end.
        is_recorded: Whether the recorded run landed there itself, so that its values are those of the landing.
        is_by_energy: Whether its length is counted by energy, because the run reported no steps.
        rows: Number of first records whose metrics are those of the landed run, too.

    Example:
        >>> landing = ReplayedLanding(
        ...     begins_after=12, ends_after=15, of_epochs=40, begins_inside=False, ends_inside=False, is_over=True,
        ...     is_recorded=False, is_by_energy=False, rows=12,
        ... )
        >>> landing.stop
        'After 15 of 40 epochs.'
    """

    begins_after: int
    ends_after: int
    of_epochs: int
    begins_inside: bool
    ends_inside: bool
    is_over: bool
    is_recorded: bool
    is_by_energy: bool
    rows: int

    @classmethod
    def of(
        cls, found: Replay, policy: CarbonBudget | MarginalGain, run: LedgerRun, history: History, rows: Sequence[int]
    ) -> Self | None:
        """Return the landing before a stop. None for a stop without a landing.

        Args:
            found: The stop.
            policy: The rule.
            run: The run.
            history: Its records up to the last epoch.
            rows: Rows of the last record before the landing, and of the last record before the stop.
        """
        begin, end = rows
        is_budget = isinstance(policy, Budget)
        if found.begins is None and not (is_budget and _lands_inside(policy.landing, history, end)):
            return None
        is_whole, landing = history.is_whole(begin), found.landing
        ends_inside = is_budget or landing is None or _passes(landing, history, end)
        return cls(
            begins_after=bisect_right(history.epoch_rows, begin) - (is_budget and is_whole),
            ends_after=bisect_right(history.epoch_rows, end) - (ends_inside and history.is_whole(end)),
            of_epochs=history.finished_epochs + (not history.is_whole(len(history) - 1)),
            begins_inside=is_budget or not is_whole,
            ends_inside=ends_inside,
            is_over=found.verdict.stop,
            is_recorded=_is_recorded(run, history, found, end),
            is_by_energy=history.steps is None,
            rows=begin if is_budget else begin + 1,
        )

    @property
    def stop(self) -> str:
        """Where the landing ends and the training stops, as a sentence."""
        place = _place(self.ends_after, self.of_epochs, is_inside=self.ends_inside)
        return f"{place[:1].upper()}{place[1:]}."

    @property
    def words(self) -> str:
        """Where the landing begins, and what a replay cannot know of it."""
        begin = f"Begins {_place(self.begins_after, self.of_epochs, is_inside=self.begins_inside)}."
        if not self.is_over:
            return f"{begin} The recorded run ends before the landing does."
        fall = "The learning rate then goes linearly to zero until the stop."
        is_inside = self.begins_inside and not self.is_recorded
        notes = (_INSIDE if is_inside else "", _NO_STEPS if self.is_by_energy else "")
        return " ".join(filter(None, (begin, fall, *notes)))


def _is_recorded(run: LedgerRun, history: History, found: Replay, end: int) -> bool:
    landed = run.totals.landing
    if landed is None or not landed.is_over or found.begins is None:
        return False
    return found.begins.epoch == landed.landing.epoch and end == len(history) - 1


def _lands_inside(share: float, history: History, end: int) -> bool:
    """Return whether a whole landing may lie inside the last epoch. It takes at least one step."""
    step = history.step_at(end)
    return share > 0 and (step is None or share * step >= 1)


def _passes(landing: Landing, history: History, end: int) -> bool:
    """Return whether a record goes beyond the end of a landing."""
    return landing.last_epoch is None and (history.step_at(end) or 0) > landing.end


def _place(after: int, of_epochs: int, *, is_inside: bool) -> str:
    return (
        f"in epoch {after + 1} of {of_epochs}, counted from 1" if is_inside else f"after {after} of {of_epochs} epochs"
    )
