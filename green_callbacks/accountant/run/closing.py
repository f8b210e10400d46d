"""The close of a run, which happens once, from any thread, and survives interrupts."""

import threading
from collections.abc import Callable

from green_callbacks.accountant.delivery.run_delivery import DRAIN_SECONDS, Delivery
from green_callbacks.accountant.energy.interval_edges import Edges
from green_callbacks.process import process_id
from green_callbacks.records import History, RunRecord


class RunClosing:
    """Closes a run from its own thread, from the worker, or from a signal handler.

    The run ends in two steps. First the open interval is recorded, then everything is handed over and let go. After an
    interrupt between the steps, or within the second step, the close can be called again.

    Args:
        edges: Makes edges, and knows whether this thread is in the middle of one.
        delivery: The ledger and the sinks.
        history: All records of the run.
        record_rest: Records the open interval. Its argument is whether all ranks close together.
        conclude: Warns of policies that could not act.
        totals: Returns the totals so far.
        let_go: Lets go of all that is live. It may be called again.
        strict: Whether to raise what a sink raises.
    """

    def __init__(
        self,
        edges: Edges,
        delivery: Delivery,
        history: History,
        *,
        record_rest: Callable[[bool], object],
        conclude: Callable[[], object],
        totals: Callable[[], RunRecord],
        let_go: Callable[[], object],
        strict: bool,
    ) -> None:
        self.is_closed = False
        """Whether everything is recorded, and nothing more is measured."""
        self._is_shut = self._is_closing = False
        self._lock = threading.RLock()
        self._pid = process_id()
        self._edges = edges
        self._delivery = delivery
        self._history = history
        self._record_rest = record_rest
        self._conclude = conclude
        self._totals = totals
        self._let_go = let_go
        self._strict = strict

    @property
    def is_own_process(self) -> bool:
        """Whether this is the process that started the run, and not a fork of it."""
        return self._pid == process_id()

    @property
    def is_live(self) -> bool:
        """Whether the run goes on, in this process."""
        return not self.is_closed and self._pid == process_id()

    def close(self, *, together: bool) -> RunRecord:
        """Record the open interval, hand everything over, and end all threads. It may be called again.

        A caller waits a limited time for a worker that closes the run. The worker itself does not wait, because the
        thread that closes the run waits for the worker. In the middle of an edge, a signal handler gets the totals
        of the last complete edge, which the disk then holds. The run is closed right after that edge.

        Args:
            together: Whether all ranks call this.
        """
        if not self.is_own_process:
            return self._totals()
        if self._edges.is_at_edge:
            self._edges.is_closing_wanted = not self._is_closing  # else it is being closed already
            self._delivery.flush()
            return self._totals()
        if self._lock.acquire(timeout=0.0 if self._delivery.worker.is_current else DRAIN_SECONDS):
            try:
                self._close(together=together)
            finally:
                self._lock.release()
        return self._totals()

    def _close(self, *, together: bool) -> None:
        if self._is_shut:
            return
        self._is_closing = True
        try:
            if not self.is_closed:
                self._record(together=together)
            self._hand_over()
        finally:
            self._is_closing = False
        if self._strict:
            self._delivery.raise_failure()

    def _record(self, *, together: bool) -> None:
        try:
            self._edges.is_closing_wanted = False
            self._edges.finish()
            self._record_rest(together)
        finally:
            self.is_closed = True

    def _hand_over(self) -> None:
        self._edges.finish()
        self._delivery.show_until(self._history, len(self._history))
        self._conclude()
        self._delivery.note_ledger()
        run = self._totals()
        self._delivery.end(run)  # an interrupt before this has come to its end leaves a run to be closed again
        try:
            self._delivery.finish(run)
        finally:
            self._let_go()
            self._is_shut = True
