"""Knowledge of a run that comes after its start."""

from collections.abc import Collection
from dataclasses import replace

from green_callbacks.accountant.decisions.policy_board import PolicyBoard
from green_callbacks.ledger import RunLedger
from green_callbacks.records import Checkpoints, Plan, SharedSpending
from green_callbacks.sinks import RunContext


class LaterKnowledge:
    """Passes later knowledge of an adapter on to the policies, the sinks and the ledger.

    Args:
        board: The policies.
        context: The run as sinks know it. It is updated here.
        ledger: The ledger, or None for none.
        is_first_rank: Whether this is rank 0, which alone holds policies.
    """

    def __init__(
        self, board: PolicyBoard, context: RunContext, ledger: RunLedger | None, *, is_first_rank: bool
    ) -> None:
        self._board = board
        self._context = context
        self._ledger = ledger
        self._is_first_rank = is_first_rank
        self._own, self._shared = board.plan, board.plan.shared

    def replan(self, plan: Plan) -> None:
        """Replace the plan, unless it is the same. A landing goes on."""
        before = self._board.plan
        self.land(replace(plan, landing=before.landing, landing_refused=before.landing_refused))

    def land(self, plan: Plan) -> None:
        """Replace the plan and its landing, unless it is the same."""
        self._own = plan
        self._publish()

    def share(self, shared: tuple[SharedSpending, ...]) -> None:
        """Replace what the other runs of the projects have spent and hold, unless it is the same."""
        self._shared = shared
        self._publish()

    def _publish(self) -> None:
        """Publish both parts of the plan. The thread that watches an epoch may replace one, and training the other."""
        plan = replace(self._own, shared=self._shared)
        if plan != self._context.plan:
            self._context.plan = plan
            self._board.replan(plan)
            if self._ledger:
                self._ledger.replan(plan)

    def watch(self, metric: str, mode: str, who: str) -> None:
        """Watch a metric beside the policies.

        Args:
            metric: Its key.
            mode: ``max`` or ``min``, the direction in which it improves.
            who: Name of what watches it.
        """
        board, context = self._board, self._context
        board.watch(metric, mode, who)
        context.monitor, context.mode = board.monitor, board.mode
        if self._ledger:
            self._ledger.watch(board.monitor, board.mode)

    def expect_validation(self, every_epochs: int | None) -> None:
        """Note how often the framework validates.

        Args:
            every_epochs: The interval in epochs, or None for never.
        """
        if self._is_first_rank:
            self._board.missing_metrics.expect_validation(every_epochs, self._board.plan)

    def expect_no_epochs(self) -> None:
        """Note that training counts steps alone."""
        if self._is_first_rank and self._board.plan.epochs is None:
            self._board.ability.by_steps_alone()

    def explain_missing(self, metrics: Collection[str], why: str, remedy: str) -> None:
        """Warn of watched metrics that are missing, with the reason.

        Args:
            metrics: Their keys.
            why: The reason, as half a sentence.
            remedy: The remedy, as a sentence.
        """
        if self._is_first_rank:
            self._board.missing_metrics.explain(metrics, why, remedy)

    def keep_checkpoints(self, metric: str, kept: Checkpoints) -> None:
        """Replace the Pareto checkpoints that are known of a metric.

        Args:
            metric: Its key.
            kept: All of the files.
        """
        if self._ledger:
            self._ledger.keep_checkpoints(metric, kept)
