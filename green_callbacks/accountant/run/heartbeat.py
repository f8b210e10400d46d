"""The heartbeat of a run, which writes the energy of an open interval to the ledger."""

from collections.abc import Callable
from typing import Final

from green_callbacks.accountant.setup.opened_run import OpenedRun
from green_callbacks.accountant.shared_budgets.shared_budgets import SharedBudgets

HEARTBEAT_SECONDS: Final = 60.0
"""Interval of the ledger's heartbeats, in s. A killed run loses at most the energy of one interval."""


class Heartbeat:
    """Writes the energy since the last record to the ledger, in case no other record follows.

    The edge also divides the energy by time, for a changing carbon intensity.

    Args:
        opened: The parts of the run.
        shared: The budgets that it shares with other runs.
        is_closed: Whether the run is closed.
        has_begun: Whether the run has begun an epoch.
    """

    def __init__(
        self,
        opened: OpenedRun,
        shared: SharedBudgets,
        is_closed: Callable[[], bool],
        has_begun: Callable[[], bool],
    ) -> None:
        self._shared = shared
        self._measurement = opened.measurement
        self._ledger = opened.delivery.ledger
        self._budgets = opened.board.budgets
        self._is_first_rank = opened.trainer.ranks.rank == 0
        self._is_closed = is_closed
        self._has_begun = has_begun

    def beat(self) -> None:
        """Write the energy, unless an edge is being made. The edge then writes a record."""
        self._measurement.meter.refresh_slow()
        self._measurement.timeline.if_free(self._write)

    def _write(self) -> None:
        """Write while no edge is made. After a record of the same energy, it would count twice."""
        if self._is_closed():
            return
        pricing = self._measurement.pricing
        if not self._has_begun() and self._is_first_rank:
            self._budgets.say_without_epochs(pricing.spending(together=False))
        used = pricing.unrecorded()
        if used is None:
            return
        if self._ledger is not None:
            self._ledger.heartbeat(used)
        self._shared.beat(used)
