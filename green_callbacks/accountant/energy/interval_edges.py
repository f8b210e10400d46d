"""Edges of a run, which stay whole when an exception or a signal handler interrupts them."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final

from green_callbacks.accountant.energy.timeline import Timeline
from green_callbacks.records import EpochRecord, History


class Edges:
    """Makes edges on the training thread, and gives their records to the history and to the ledger.

    An exception may break an edge off after its records were made. The next edge then gives them away first. A signal
    handler may ask for the end of the run in the middle of an edge. The run then ends right after that edge.

    Args:
        timeline: The open intervals.
        history: All records of the run. It grows.
        keep: Hands a record to the ledger, with its position in the history.
        close: Closes the run.
    """

    def __init__(
        self,
        timeline: Timeline,
        history: History,
        keep: Callable[[int, EpochRecord], object],
        close: Callable[[], object],
    ) -> None:
        self.is_closing_wanted = False
        """Whether a signal handler has asked for the end of the run in the middle of an edge."""
        self._timeline = timeline
        self._history = history
        self._keep = keep
        self._close = close

    def at(self, work: Callable[..., object], *arguments: Any) -> bool:  # noqa: ANN401  whatever the work takes
        """Make an edge.

        Args:
            work: Makes it, and leaves its records in the timeline.
            *arguments: What the work takes.

        Returns:
            Whether the run goes on. False if it ended right after the edge.
        """
        try:
            self._make(work, arguments)
        finally:
            is_ending = self.is_closing_wanted
            if is_ending:
                self.is_closing_wanted = False
                self._close()
        return not is_ending

    def _make(self, work: Callable[..., object], arguments: Sequence[Any]) -> None:
        timeline = self._timeline
        with timeline.edges:
            if timeline.opened.rows:  # an exception has broken off the edge before
                self._keep_rows()
            work(*arguments)
            if timeline.opened.rows:
                self._keep_rows()

    def finish(self) -> None:
        """Give away records that an exception has kept from the history. Makes no edge."""
        self.at(_nothing)

    @property
    def is_at_edge(self) -> bool:
        """Whether this thread is in the middle of an edge, for a signal handler.

        The stack shows it, because a handler runs on top of the interrupted code. An interrupt could leave a flag set.
        """
        frame = inspect.currentframe()
        while frame is not None:
            if frame.f_code is _AT_EDGE and frame.f_locals.get("self") is self:
                return True
            frame = frame.f_back
        self._timeline.free_edges()
        return False

    def _keep_rows(self) -> None:
        """Give the records of the last edge to the history and to the ledger, unless they have them."""
        opened = self._timeline.opened
        if len(self._history) == opened.position:
            self._history.extend(opened.rows)
        for number, row in enumerate(opened.rows, start=opened.position):
            self._keep(number, row)
        self._timeline.opened = opened._replace(rows=())


def _nothing() -> None:
    """Make no edge."""


_AT_EDGE: Final = Edges._make.__code__
