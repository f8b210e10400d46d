"""What becomes known of a run after its start."""

from collections.abc import Collection

from green_callbacks.accountant.decisions.policy_board import PolicyBoard
from green_callbacks.ledger import RunLedger
from green_callbacks.records import Checkpoints, Plan
from green_callbacks.sinks import RunContext


class LaterKnowledge:
    """Passes on to the policies, the sinks and the ledger what an adapter learns after the start.

    Args:
        board: The policies.
        context: What sinks know of the run; changes with what becomes known.
        ledger: The ledger; None for none.
        is_first_rank: Whether this is rank 0, which alone holds policies.
    """

    def __init__(
        self, board: PolicyBoard, context: RunContext, ledger: RunLedger | None, *, is_first_rank: bool
    ) -> None:
        self._board = board
        self._context = context
        self._ledger = ledger
        self._is_first_rank = is_first_rank

    def replan(self, plan: Plan) -> None:
        """Take a plan; does nothing if it is the known one."""
        if plan != self._context.plan:
            self._context.plan = plan
            self._board.replan(plan)
            if self._ledger:
                self._ledger.replan(plan)

    def watch(self, metric: str, mode: str) -> None:
        """Watch a metric beside the policies.

        Args:
            metric: Its key.
            mode: ``max`` or ``min``: the direction in which it improves.
        """
        board, context = self._board, self._context
        board.watch(metric, mode)
        context.monitor, context.mode = board.monitor, board.mode
        if self._ledger:
            self._ledger.watch(board.monitor, board.mode)

    def expect_validation(self, every_epochs: int | None) -> None:
        """Take note of how often the framework validates.

        Args:
            every_epochs: The interval in epochs; None for never.
        """
        if self._is_first_rank:
            self._board.monitors.expect_validation(every_epochs, self._board.plan)

    def expect_no_epochs(self) -> None:
        """Take note that training goes by steps alone."""
        if self._is_first_rank and self._board.plan.epochs is None:
            self._board.ability.by_steps_alone()

    def explain_missing(self, metrics: Collection[str], why: str, remedy: str) -> None:
        """Say why watched metrics are missing.

        Args:
            metrics: Their keys.
            why: Half a sentence.
            remedy: A sentence.
        """
        if self._is_first_rank:
            self._board.monitors.explain(metrics, why, remedy)

    def keep_checkpoints(self, metric: str, kept: Checkpoints) -> None:
        """Note which checkpoint files of the Pareto front of a metric there are from now on.

        Args:
            metric: Its key.
            kept: All of the files.
        """
        if self._ledger:
            self._ledger.keep_checkpoints(metric, kept)
