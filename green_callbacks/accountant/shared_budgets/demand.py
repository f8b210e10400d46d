"""What a run has spent of a shared budget, and what it is expected to spend next."""

from math import ceil
from typing import Final, NamedTuple

from green_callbacks.policies.expected_cost import cost_until_next_decision, decisions_to_come
from green_callbacks.records import History, Plan
from green_callbacks.registry import DEAD_SECONDS
from green_callbacks.units import Quantity

_MOST_AHEAD: Final = 20
"""Largest number of epochs that a run reserves ahead. It covers an answer that takes 20 epochs. By experiment."""

_BEAT_SECONDS: Final = DEAD_SECONDS / 3
"""Interval of the heartbeats of a run, in s."""


class Demand(NamedTuple):
    """What a run has spent, and what it needs next.

    Attributes:
        spent: Spending of the run so far, in the unit of the budget.
        cost: Expected spending until the next decision, in the unit of the budget. None if unknown.
        to_come: Number of epochs that the plan still allows. None if it does not limit them.
        is_training: Whether an epoch goes on, or begins now.
        is_over: Whether nothing more will be trained.
        not_ours: Part of the recorded spending that the project counts for other runs, in the unit of the budget.
        opened: Spending since the last record, as it will be at the next heartbeat, in the unit of the budget.
    """

    spent: float
    cost: float | None = None
    to_come: int | None = None
    is_training: bool = False
    is_over: bool = False
    not_ours: float = 0.0
    opened: float = 0.0

    @classmethod
    def of(
        cls, history: History, plan: Plan, quantity: Quantity, *, not_ours: float, is_training: bool, is_over: bool
    ) -> "Demand":
        """Return what a run needs after its last record.

        Args:
            history: All records so far.
            plan: The plan of the run.
            quantity: What the budget limits.
            not_ours: Part of the recorded spending that the project counts for other runs.
            is_training: Whether an epoch goes on, or begins now.
            is_over: Whether nothing more will be trained.
        """
        recorded = history.emissions_kg if quantity == "emissions_kg" else history.facility_kwh
        to_come = decisions_to_come(history, plan)
        cost = cost_until_next_decision(history, plan, quantity)
        spent = max(recorded - not_ours, 0.0)
        return cls(spent, cost, to_come, is_training, is_over or to_come == 0, recorded - spent)

    def or_cost(self, others_cost: float | None) -> "Demand":
        """Return the demand with the cost of an epoch of other runs, if this run does not know its own.

        Args:
            others_cost: Cost of an epoch of other runs, in the unit of the budget. None if unknown.
        """
        return self if self.cost is not None or self.is_over else self._replace(cost=others_cost)

    def with_open(self, opened: float, seconds: float) -> "Demand":
        """Return the demand in an epoch that may cost more than expected.

        Args:
            opened: Spending since the last record, in the unit of the budget.
            seconds: Time since then, in s.
        """
        return self._replace(opened=opened * (1 + _BEAT_SECONDS / max(seconds, 1.0)))

    @property
    def under_way(self) -> float:
        """Expected spending that nobody can take back, in the unit of the budget."""
        expected = self.cost or 0.0 if self.is_training and not self.is_over else 0.0
        return max(expected, self.opened)

    def wanted(self, answer_epochs: float) -> float:
        """Return the expected spending that the run asks for ahead of time, in the unit of the budget.

        Args:
            answer_epochs: Number of epochs that pass until the registry answers.
        """
        if self.is_over or self.cost is None:
            return 0.0
        epochs = min(max(1, ceil(answer_epochs)), _MOST_AHEAD) if self.is_training else 1
        left = epochs if self.to_come is None else min(epochs, self.to_come - self.is_training)
        return max(left, 0) * self.cost
