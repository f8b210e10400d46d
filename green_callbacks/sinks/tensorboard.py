"""What a run costs, as curves and a page in TensorBoard."""

from math import isfinite
from pathlib import Path
from typing import Any, Final

from green_callbacks.records import EpochRecord, RunRecord
from green_callbacks.sinks._event_file import EventFile
from green_callbacks.sinks._event_stream import EventStream, FrameworkStream
from green_callbacks.sinks._layout import QUALITY_SUFFIX, layout
from green_callbacks.sinks._provenance import final_page, provenance
from green_callbacks.sinks._quality import quality_metric
from green_callbacks.sinks.base import RunContext, Sink
from green_callbacks.sinks.scalars import scalars
from green_callbacks.text import for_terminal, is_plain_name, plain_name
from green_callbacks.text.log import get_logger
from green_callbacks.units import MICROGRAMS_PER_KG

logger = get_logger(__name__)

_PAGE: Final = "green/provenance"
_LONGEST_TAG: Final = 200
"""Characters of a metric's name in a tag."""


class TensorBoardSink(Sink):
    """Shows a run in TensorBoard: per epoch its power, energy and emissions, and what its policies count.

    Goes through the framework's own writer where there is one, so that everything stands in the run's own place;
    else writes event files of its own, which takes no library. They are written out after every record. A run that is
    continued adds a file to the same folder.

    The tags begin with ``green/``: ``watts`` and ``<component>_watts``, ``energy_kwh`` and
    ``<component>_energy_kwh``, ``emissions_kg``, ``emissions_total_kg`` (rows outside epochs included),
    ``intensity_g_per_kwh``, and the values of the verdicts. What was not measured is not drawn. The horizontal axis is
    that of the run's own metrics: with the framework's writer the last optimiser step, counted from 0; else the epoch,
    or, where epochs are recorded in parts, the last step again. ``<metric>_by_ug_co2e`` draws the monitored metric
    against the emissions so far, in whole micrograms of CO2e, because a step of TensorBoard is an integer.

    Args:
        folder: Where own event files lie; the run's id inside the run's folder unless given. Not used with the
            framework's writer.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._folder = None if folder is None else Path(folder)
        self._board: _Board | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as the options alone."""
        return type(self), (self._folder,)

    def open(self, context: RunContext) -> None:
        """Begin to write.

        Args:
            context: What is known of the run.

        Raises:
            OSError: The event file cannot be made.
        """
        self.close()
        folder = self._folder or context.folder / _plain_name(context.run_id)
        stream = EventFile(folder) if context.writer is None else FrameworkStream(context.writer)
        self._board = _Board(stream, context)

    def write(self, record: EpochRecord) -> None:
        """Draw one record; a sink that is not open draws nothing."""
        if self._board is not None:
            self._board.add(record)

    def finish(self, run: RunRecord) -> None:
        """Put the totals on the page."""
        if self._board is not None:
            self._board.sum_up(run)

    def close(self) -> None:
        """Close the file, if it is an own one."""
        board, self._board = self._board, None
        if board is not None:
            board.stream.close()


class _Board:
    """One run in TensorBoard."""

    def __init__(self, stream: EventStream, context: RunContext) -> None:
        self.stream = stream
        self._context = context
        self._spent_kg = context.before.emissions_kg if context.before.energy_joules is not None else None
        self._by_step = context.writer is not None
        self._metric = quality_metric(context.monitor, context.before.metric_names)
        self._tags: set[str] = set()
        self._page = ""
        self._laid_out = layout(())
        self._wall_seconds = 0.0

    def add(self, record: EpochRecord) -> None:
        """Draw a record."""
        self._wall_seconds = record.started_at.timestamp() + record.duration_seconds
        if record.emissions_kg is not None:
            self._spent_kg = (self._spent_kg or 0.0) + record.emissions_kg
        if record.epoch is not None:
            self._by_step |= not record.closes_epoch
            self._draw_scalars(record)
            self._draw_quality(record)
            self._lay_out()
        self._show(provenance(record, self._context))
        self.stream.flush()

    def sum_up(self, run: RunRecord) -> None:
        """Show the totals."""
        self._show(final_page(run, self._context))
        self.stream.flush()

    def _step(self, record: EpochRecord) -> int:
        """Count from 0 on either axis, as the frameworks do: the epoch, or the last step of the record."""
        if self._by_step and record.step is not None:
            return max(record.step - 1, 0)
        return record.epoch or 0

    def _draw_scalars(self, record: EpochRecord) -> None:
        values = scalars(record, self._spent_kg)
        self._tags.update(values)
        if not self._context.streams_scalars:
            self.stream.scalars(values, self._step(record), self._wall_seconds)

    def _draw_quality(self, record: EpochRecord) -> None:
        self._metric = quality_metric(self._context.monitor or self._metric, record.metrics)
        value = None if self._metric is None else record.metrics.get(self._metric)
        if value is not None and isfinite(value) and self._spent_kg is not None:
            spent_micrograms = round(self._spent_kg * MICROGRAMS_PER_KG)
            tag = f"green/{for_terminal(self._metric, limit=_LONGEST_TAG)}{QUALITY_SUFFIX}"
            self._tags.add(tag)
            self.stream.scalars({tag: value}, spent_micrograms, self._wall_seconds)

    def _lay_out(self) -> None:
        wanted = layout(self._tags)
        if wanted != self._laid_out:
            self._laid_out = wanted
            self.stream.layout(wanted, self._wall_seconds)

    def _show(self, page: str) -> None:
        if page != self._page:
            self._page = page
            self.stream.text(_PAGE, page, self._wall_seconds)


def _plain_name(run_id: str) -> str:
    """Name the folder of a run; a checkpoint or a ledger may have called the run anything."""
    if is_plain_name(run_id):
        return run_id
    name = plain_name(run_id)
    logger.warning("The run id %r cannot be the name of a folder. TensorBoard's files go to %s.", run_id, name)
    return name
