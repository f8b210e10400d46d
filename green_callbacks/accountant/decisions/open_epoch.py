"""What happens inside an epoch without a record: budgets are looked at, and what cannot act is noticed."""

from collections.abc import Callable
from typing import Any

from green_callbacks.accountant.decisions.budget_checks import Looks
from green_callbacks.accountant.decisions.decision_interval import Parts
from green_callbacks.accountant.decisions.policy_board import PolicyBoard
from green_callbacks.accountant.energy.timeline import Timeline
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.clock import Clock


class Inside:
    """Watches the epoch at hand.

    A loop that asks after every batch has its answer at once. Of one that does not, a thread looks every second: it has
    the framework stop, or says that the loop cannot be stopped.

    Args:
        board: The policies.
        looks: Looks at the budgets; None where there are none.
        parts: Counts the steps.
        timeline: The open intervals.
        clock: The time.
        at_edge: Makes an edge on the training thread.
        on_spent: Has the framework stop; None where it cannot be told.
        guarded: What calls it.
    """

    def __init__(
        self,
        board: PolicyBoard,
        looks: Looks | None,
        parts: Parts,
        timeline: Timeline,
        clock: Clock,
        *,
        at_edge: Callable[..., Any],
        on_spent: Callable[[], object] | None,
        guarded: Guarded,
    ) -> None:
        self.is_cut_short = False
        """Whether a decision inside the epoch at hand has stopped the run."""
        self.is_unasked = False
        """Whether nobody looked at the budgets inside the last epoch."""
        self.looks = looks
        self._board = board
        self._parts = parts
        self._timeline = timeline
        self._clock = clock
        self._at_edge = at_edge
        self._on_spent = on_spent
        self._guarded = guarded
        self._began_seconds = 0.0
        self._is_to_tell = False

    def begin(self, epoch: int) -> None:
        """Begin an epoch."""
        self.is_cut_short = False
        self._board.decision.epoch = epoch
        self._began_seconds = self._clock.monotonic()
        self._parts.begin()
        if self.looks is not None:
            self.looks.begin(is_stopped=self._board.decision.is_made)

    def end(self) -> None:
        """End it."""
        if self.looks is not None:
            self.is_unasked = self._on_spent is None and not self.looks.is_used
            self.looks.end()

    def look(self) -> bool:
        """Look at the budgets after a batch, as it may be time; return whether the run is to stop."""
        looks, board = self.looks, self._board
        if looks is None or self._timeline.segment.epoch is None:
            return False
        if not board.decision.is_made:
            answers: list[bool] = []
            self._at_edge(lambda: answers.append(looks.look()))
            if not any(answers):
                return False
            board.decision.follow_rank_0()
            self.is_cut_short = True
        looks.repeat()
        return True

    def watch(self) -> None:
        """Look on another thread than that of training, now and then."""
        self._timeline.if_free(self._watch)
        if self._is_to_tell and self._on_spent is not None:
            self._is_to_tell = False
            self._guarded.tell("Stopping the training inside an epoch", self._on_spent)

    def _watch(self) -> None:
        epoch, board, looks = self._timeline.segment.epoch, self._board, self.looks
        if epoch is None:
            return
        seconds = self._clock.monotonic() - self._began_seconds
        board.ability.in_long_epoch(epoch, seconds, has_counted=self._parts.has_counted)
        if looks is None or board.decision.is_made or not looks.is_overdue():
            return
        if self._on_spent is None:
            board.budgets.say_unasked(() if looks.is_used else looks.ask())
        elif looks.look():
            self.is_cut_short = self._is_to_tell = True
            looks.repeat()
