"""The units by which costs are counted, and the number of units that remain in the plan."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, inf, isfinite
from typing import Final, Self

from green_callbacks.policies._epoch_cost import LAST, Range
from green_callbacks.policies._repeated_epochs import cost, costs, lost_rows
from green_callbacks.records import History, Plan

_FEWEST: Final = 3
"""Fewest ends of epochs or parts for a forecast. The first is not counted, and a single cost has no scatter."""


@dataclass(frozen=True, slots=True)
class CostUnits:
    """The units by which costs are counted. These are epochs, or parts of epochs until enough epochs have ended.

    Attributes:
        lost: Rows of epochs that were repeated.
        end: Last row of the history.
        rows: Rows at which the last units ended. One more than the number of counted units.
        done: Number of epochs or parts that are done.
        ahead: Number of units that remain.
        each: Number of epochs per unit. More than one if not every epoch is recorded.
        share: Share of the plan that is done.
        are_epochs: Whether the units are epochs.
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
        """Take the last epochs, or else the last parts. None if there are too few, or if nothing is planned."""
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
        """Number of epochs or parts in the whole plan."""
        return self.done + self.ahead * self.each

    def after(self, count: float) -> float:
        """Return the number of epochs or parts that are done after some more units."""
        return self.done + _whole(count) * self.each

    def share_at(self, count: float) -> float:
        """Return the share of the plan that is done after a number of epochs or parts."""
        ahead = self.planned - self.done
        return self.share + (1 - self.share) * (count - self.done) / ahead if ahead else self.share

    def costs(self, cumulative: Sequence[float]) -> list[float]:
        """Return the cost of each of the last units, with the rows outside epochs before it."""
        return costs(self.lost, cumulative, self.rows)

    def total(self, cumulative: Sequence[float], each: Range) -> Range:
        """Return the total cost of the plan.

        The count starts at the last unit that has ended. Spending after it belongs to the next unit, except in repeated
        epochs.

        Args:
            cumulative: Spending up to and including each record, in any unit.
            each: Cost of a unit, in the same unit.
        """
        last = self.rows[-1]
        begun = cost(self.lost, cumulative, last, self.end)
        total = each.after(cumulative[self.end] - begun, self.ahead)
        return Range(*(max(end, cumulative[-1]) for end in total))


def _last_parts(history: History) -> Sequence[int]:
    """Return the rows of the last parts of the present fit."""
    parts = history.part_rows
    return parts[max(bisect_left(parts, history.fit_row), len(parts) - LAST - 1) :]


def _ahead(history: History, plan: Plan, rows: Sequence[int], lost: Sequence[int]) -> float | None:
    """Return how many more units the plan has room for. None if unknown.

    Every limit of the plan is compared with its use by the last units. The first limit to be reached ends the plan. So
    epochs that become longer or shorter count as they are now.
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
