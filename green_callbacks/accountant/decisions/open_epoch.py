"""Checks inside an epoch, without a record."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from green_callbacks.accountant.decisions.budget_checks import BudgetChecks
from green_callbacks.accountant.decisions.decision_interval import EpochParts
from green_callbacks.accountant.decisions.policy_board import PolicyBoard
from green_callbacks.accountant.energy.timeline import Timeline
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.ranks.protocol import Ranks
from green_callbacks.clock import Clock

if TYPE_CHECKING:
    from green_callbacks.accountant.shared_budgets.shared_budgets import SharedBudgets


class OpenEpoch:
    """Watches the open epoch.

    A loop that asks after every batch is answered at once. For other loops a thread checks every second. The thread
    stops the training through the framework, or warns that the loop cannot be stopped.

    Args:
        board: The policies.
        budget_checks: Checks the budgets, or None if there are none.
        parts: Counts steps.
        ranks: The processes of the run.
        timeline: The open intervals.
        clock: The clock of the run.
        at_edge: Makes an edge on the training thread.
        on_spent: Stops the training through the framework, or None if the framework cannot be told.
        guarded: Calls ``on_spent``, and survives its exceptions.
        shared: Knows what other runs spend of the same budgets.
    """

    def __init__(
        self,
        board: PolicyBoard,
        budget_checks: BudgetChecks | None,
        parts: EpochParts,
        ranks: Ranks,
        timeline: Timeline,
        clock: Clock,
        *,
        at_edge: Callable[..., Any],
        on_spent: Callable[[], object] | None,
        guarded: Guarded,
        shared: "SharedBudgets",
    ) -> None:
        self.is_cut_short = False
        """Whether a decision inside the open epoch has stopped the run."""
        self.is_unasked = False
        """Whether the loop never asked the budgets inside the last epoch."""
        self.budget_checks = budget_checks
        self.parts = parts
        """Counts the steps."""
        self._board = board
        self._ranks = ranks
        self._timeline = timeline
        self._clock = clock
        self._at_edge = at_edge
        self._on_spent = on_spent
        self._guarded = guarded
        self._shared = shared
        self._began_seconds = 0.0
        self._is_to_tell = False

    def begin(self, epoch: int) -> None:
        """Begin an epoch."""
        self.is_cut_short = False
        self._board.decision.epoch = epoch
        self._began_seconds = self._clock.monotonic()
        self.parts.begin()
        if self.budget_checks is not None:
            self.budget_checks.begin(is_stopped=self._board.decision.is_made)

    def end(self) -> None:
        """End the epoch."""
        if self.budget_checks is not None:
            self.is_unasked = self._on_spent is None and not self.budget_checks.is_used
            self.budget_checks.end()

    def check_budgets(self) -> bool:
        """Check the budgets after a batch, if a check is due. Return whether the run is to stop."""
        budget_checks, board = self.budget_checks, self._board
        if budget_checks is None or self._timeline.interval.epoch is None:
            return False
        if not board.decision.is_made:
            answers: list[bool] = []
            self._shared.look(is_inside=True)
            self._at_edge(lambda: answers.append(budget_checks.check()))
            if not any(answers) or not board.agree(self._ranks):
                return False
            self.is_cut_short = True
        budget_checks.repeat()
        return True

    def land_to(self, step: int, *, is_by_batch: bool = False) -> bool:
        """Note the optimizer steps so far. Return whether a landing ends here, so that the run is to stop.

        Args:
            step: Optimizer steps so far.
            is_by_batch: Whether the loop reports them after every batch. Defaults to False, if unknown.
        """
        is_open = self._timeline.interval.epoch is not None
        if not self._board.landing.at(step, is_open=is_open, is_by_batch=is_by_batch):
            return False
        self.is_cut_short = True
        if self.budget_checks is not None:
            self.budget_checks.repeat()
        return True

    def watch(self) -> None:
        """Watch the epoch every second, on a thread beside the training thread."""
        self._timeline.if_free(self._watch)
        if self._is_to_tell and self._on_spent is not None:
            self._is_to_tell = False
            self._guarded.tell("Stopping the training inside an epoch", self._on_spent)

    def _watch(self) -> None:
        epoch, board, budget_checks = self._timeline.interval.epoch, self._board, self.budget_checks
        if epoch is None:
            return
        seconds = self._clock.monotonic() - self._began_seconds
        board.ability.in_long_epoch(epoch, seconds, has_counted=self.parts.has_counted)
        if budget_checks is None or board.decision.is_made or not budget_checks.is_overdue():
            return
        self._shared.look(is_inside=True)
        if self._on_spent is None:
            board.budgets.say_unasked(() if budget_checks.is_used else budget_checks.ask())
        elif board.landing.is_for_budgets and not board.plan.landing_refused:
            return  # a landing begins on the training thread, which asks after every batch
        elif budget_checks.check() and board.decision.is_made:  # a landing that is to be shortened waits for the edge
            self.is_cut_short = self._is_to_tell = True
            budget_checks.repeat()
