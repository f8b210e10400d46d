"""Everything that TensorBoard shows of a run."""

import time
from typing import Final

from green_callbacks.records import EpochRecord, History, RunRecord
from green_callbacks.sinks.base import RunContext
from green_callbacks.sinks.cumulative_emissions import CumulativeEmissions
from green_callbacks.sinks.scalars import scalars
from green_callbacks.sinks.tensorboard.axis import Axis
from green_callbacks.sinks.tensorboard.chart_layout import layout
from green_callbacks.sinks.tensorboard.event_stream import EventStream
from green_callbacks.sinks.tensorboard.provenance_page import final_page, provenance
from green_callbacks.sinks.tensorboard.quality_curve import QualityCurve

_PAGE: Final = "green/provenance"


class Board:
    """Draws the records of a run from its start or continuation to its close.

    Args:
        stream: Destination of the curves and pages.
        context: Facts about the run.
    """

    def __init__(self, stream: EventStream, context: RunContext) -> None:
        self.stream = stream
        self._context = context
        self._axis = Axis.of(context.before)
        self._spent = CumulativeEmissions.of(context.before)
        self._quality = QualityCurve(context)
        self._tags: set[str] = set()
        self._page = ""
        self._laid_out = layout(())
        self._wall_seconds = 0.0
        if context.is_resumed and (context.before or context.writer is None):
            self.rewind(context.before)  # the framework may have drawn epochs that will be repeated

    def add(self, record: EpochRecord) -> None:
        """Draw a record.

        Args:
            record: The record.
        """
        self._wall_seconds = _end(record)
        self._spent.add(record)
        if record.epoch is not None:
            self._draw(record)
            self._lay_out()
        self._show(provenance(record, self._context, self._quality.words))
        self.stream.flush()

    def rewind(self, before: History) -> None:
        """Let TensorBoard drop the points of repeated epochs.

        TensorBoard drops every point from a step on. The curve of the quality counts its steps differently, so its
        dropped points are drawn once more. Without the ledger, the emissions of lost epochs are unknown. Then points of
        lost epochs may stay, and the curve goes back.

        Args:
            before: All records so far. The records that will be repeated lie outside epochs.
        """
        self._axis = Axis.of(before)
        self._wall_seconds = _end(before[-1]) if before else time.time()
        first = self._axis.next
        self.stream.restart(first, self._wall_seconds)
        for row, point in self._quality.points_so_far(before):
            if point.step >= first:
                self.stream.scalars({point.tag: point.value}, point.step, _end(before[row]))
        self._page, self._laid_out = "", layout(())
        self.stream.flush()

    def sum_up(self, run: RunRecord) -> None:
        """Show the totals.

        Args:
            run: Totals of the run.
        """
        self._show(final_page(run, self._context, self._quality.words))
        self.stream.flush()

    def _draw(self, record: EpochRecord) -> None:
        place = self._axis.place(record)
        values = scalars(record, self._spent.kg, self._spent.low_kg, self._spent.high_kg, self._spent.effort)
        self._tags.update(values)
        if not self._context.reporting.streams_scalars:
            self.stream.scalars(values, place, self._wall_seconds)
        for point in self._quality.points(record, self._spent.kg):
            self._tags.add(point.tag)
            self.stream.scalars({point.tag: point.value}, point.step, self._wall_seconds)

    def _lay_out(self) -> None:
        wanted = layout(self._tags)
        if wanted != self._laid_out:
            self._laid_out = wanted
            self.stream.layout(wanted, self._wall_seconds)

    def _show(self, page: str) -> None:
        if page != self._page:
            self._page = page
            self.stream.text(_PAGE, page, self._wall_seconds)


def _end(record: EpochRecord) -> float:
    """Return the end of a record, in s since 1970."""
    return record.started_at.timestamp() + record.duration_seconds
