"""The TensorBoard sink."""

from pathlib import Path
from typing import Any

from green_callbacks.records import EpochRecord, History, RunRecord
from green_callbacks.sinks.base import RunContext, Sink
from green_callbacks.sinks.folder_checks import checked_folder
from green_callbacks.sinks.tensorboard.board import Board
from green_callbacks.sinks.tensorboard.event_file import EventFile
from green_callbacks.sinks.tensorboard.event_stream import FrameworkStream
from green_callbacks.text import is_plain_name, plain_name
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)


class TensorBoardSink(Sink):
    """Shows a run in TensorBoard, with power, energy and emissions of each epoch, and the values of its policies.

    The sink writes through the framework's own writer if there is one, so that the curves appear beside the
    framework's. Otherwise it writes event files of its own, which needs no library. Every record is written out at
    once. A run that is continued adds a file to the same folder.

    The tags are the keys of :mod:`green_callbacks.sinks.scalars`. The main keys begin with ``green/``, and the details
    with ``green_detail/``. A number that was not measured is not drawn.

    The horizontal axis is the last optimizer step, counted from 0, in every framework. Lightning draws its metrics
    there, and decisions inside epochs need positions there. The axis is the epoch if the first epoch knows no steps. A
    fit that counts from 0 again continues after the fit before it. If epochs are repeated after a resume or a rewind,
    TensorBoard drops their old points.

    ``green/1_quality_by_mg_co2e`` draws the watched metric over the emissions so far. Its step is the emissions in
    whole milligrams of CO2e, because a step of TensorBoard is an integer. A metric that improves downwards is drawn as
    ``green/1_loss_by_mg_co2e``. Up to 100 mg, ``green_detail/quality_by_ug_co2e`` shows the same in micrograms.

    Args:
        folder: Folder of the sink's own event files. Defaults to a folder inside the run's folder, named by the run's
            id. Not used with the framework's writer.

    Raises:
        ConfigurationError: ``folder`` is no path, or a file is in the way.

    Example:
        >>> from green_callbacks import EnergyAccountant
        >>> accountant = EnergyAccountant(sinks=[TensorBoardSink("runs/first")])
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._folder = None if folder is None else checked_folder(folder, "TensorBoardSink's folder")
        self._board: Board | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle only the options."""
        return type(self), (self._folder,)

    def open(self, context: RunContext) -> None:
        """Begin to write.

        Args:
            context: Facts about the run.

        Raises:
            OSError: The event file cannot be made.
        """
        self.close()
        folder = self._folder or context.folder / _plain_name(context.run_id)
        if isinstance(context.writer, Path):
            folder = self._folder or context.writer
        is_own = context.writer is None or isinstance(context.writer, Path)
        self._board = Board(EventFile(folder) if is_own else FrameworkStream(context.writer), context)

    def write(self, record: EpochRecord) -> None:
        """Draw a record. A closed sink draws nothing.

        Args:
            record: The record.
        """
        if self._board is not None:
            self._board.add(record)

    def rewind(self, before: History) -> None:
        """Drop the points of repeated epochs.

        Args:
            before: All records so far. The records that will be repeated lie outside epochs.
        """
        if self._board is not None:
            self._board.rewind(before)

    def finish(self, run: RunRecord) -> None:
        """Put the totals on the page.

        Args:
            run: Totals of the run.
        """
        if self._board is not None:
            self._board.sum_up(run)

    def close(self) -> None:
        """Close the sink's own event file. The framework's writer stays open."""
        board, self._board = self._board, None
        if board is not None:
            board.stream.close()


def _plain_name(run_id: str) -> str:
    """Return the name of a run's folder. The id of a run from a checkpoint or a ledger may be any text."""
    if is_plain_name(run_id):
        return run_id
    name = plain_name(run_id)
    logger.warning("The run id %r cannot be a folder name, so TensorBoard's files go to %s.", run_id, name)
    return name
