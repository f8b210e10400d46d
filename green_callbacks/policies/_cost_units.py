"""What the costs of a run are counted by, and how many of them are to come."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, inf, isfinite
from typing import Final, Self

from green_callbacks.policies._epoch_cost import LAST, Range
from green_callbacks.policies._repeated_epochs import cost, costs, lost_rows
from green_callbacks.records import History, Plan

_FEWEST: Final = 3
"""The first is not counted, and one alone says nothing of its scatter."""


@dataclass(frozen=True, slots=True)
class Laps:
    """What costs are counted by: epochs, or their parts as long as too few epochs have ended.

    Attributes:
        lost: Rows of epochs that are done again.
        end: The last row of the history.
        rows: Rows at which the last of them ended, one more than are counted.
        done: How many epochs, or parts, were done.
        ahead: How many of them are to come.
        each: How many epochs one of them stands for: more than one where not every epoch is recorded.
        share: The share of the plan that is done.
        are_epochs: Whether they are epochs.
    """

    lost: Sequence[int]
    end: int
    rows: Sequence[int]
    done: int
    ahead: float
    each: float
    share: float
    are_epochs: bool

    @classmethod
    def of(cls, history: History, plan: Plan) -> Self | None:
        """Take the epochs, or else the parts, that have ended; None where there are too few, or no plan."""
        epochs, lost = history.last_epochs(LAST + 1), lost_rows(history)
        are_epochs = len(epochs) >= _FEWEST
        rows = epochs if are_epochs else _last_parts(history)
        ahead = _ahead(history, plan, rows, lost) if len(rows) >= _FEWEST else None
        if ahead is None:
            return None
        done = history.epochs_done(rows[-1]) if are_epochs else history.finished_parts
        since = done - history.epochs_done(rows[0]) if are_epochs else 0
        return cls(
            lost=lost,
            end=len(history) - 1,
            rows=rows,
            done=done,
            ahead=ahead,
            each=max(since / (len(rows) - 1), 1.0),
            share=plan.progress(history, rows[-1]) or 0.0,
            are_epochs=are_epochs,
        )

    @property
    def planned(self) -> float:
        """Number of epochs, or parts, of the whole plan."""
        return self.done + self.ahead * self.each

    def after(self, count: float) -> float:
        """Return how many epochs, or parts, are done after some more of what is counted."""
        return self.done + _whole(count) * self.each

    def share_at(self, count: float) -> float:
        """Return which share of the plan is done after a number of epochs, or parts."""
        ahead = self.planned - self.done
        return self.share + (1 - self.share) * (count - self.done) / ahead if ahead else self.share

    def costs(self, cumulative: Sequence[float]) -> list[float]:
        """Return what each of the last took, with what lies outside epochs since the one before."""
        return costs(self.lost, cumulative, self.rows)

    def total(self, cumulative: Sequence[float], each: Range) -> Range:
        """Count from the last that has ended; what came after it and is not lost begins what is ahead."""
        last = self.rows[-1]
        begun = cost(self.lost, cumulative, last, self.end)
        total = each.after(cumulative[self.end] - begun, self.ahead)
        return Range(*(max(end, cumulative[-1]) for end in total))


def _last_parts(history: History) -> Sequence[int]:
    """Return the rows of the last parts of the present fit."""
    parts = history.part_rows
    return parts[max(bisect_left(parts, history.fit_row), len(parts) - LAST - 1) :]


def _ahead(history: History, plan: Plan, rows: Sequence[int], lost: Sequence[int]) -> float | None:
    """Return how many more epochs or parts like the last ones the plan has room for; None where that is not known.

    Every limit is compared with how much of it the last ones took, and the first to be reached ends the plan. So
    epochs that grow or shrink count as they are now.
    """
    used, before, count = plan.used(history, rows[-1]), plan.used(history, rows[0]), len(rows) - 1
    taken = {limit: used[limit] - before[limit] for limit in used.keys() & before.keys()}
    for limit, cumulative in (("seconds", history.cumulative_seconds), ("emissions_kg", history.cumulative_kg)):
        if limit in taken:
            taken[limit] = sum(costs(lost, cumulative, rows))
    if None in (plan.open_share(history, rows[-1]), plan.open_share(history, rows[0])):
        taken.pop("epochs", None)
    left = {limit: getattr(plan, limit) - used[limit] for limit in taken}
    if any(amount <= 0 for amount in left.values()):
        return 0.0
    return min((left[limit] * count / amount for limit, amount in taken.items() if amount > 0), default=None)


def _whole(count: float) -> float:
    return float(floor(count)) if isfinite(count) else inf
