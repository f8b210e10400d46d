"""What a run costs, as curves and a page in TensorBoard."""

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
    """Shows a run in TensorBoard: per epoch its power, energy and emissions, and what its policies count.

    Goes through the framework's own writer where there is one, so that everything stands in the run's own place;
    else writes event files of its own, which takes no library. They are written out after every record. A run that is
    continued adds a file to the same folder.

    The tags are those of :func:`green_callbacks.sinks.scalars`: a few under ``green/``, the details under
    ``green_detail/``. What was not measured is not drawn.

    The horizontal axis is the last optimizer step, counted from 0, in every framework: Lightning draws the metrics of
    the run there, and what decides inside epochs needs places there. Where the first epoch knows no steps, it is the
    epoch. A fit that counts from 0 again continues behind the one before. Where epochs are done again, after a resume
    or a rewind, the file says so, and TensorBoard drops what it had of them.

    ``green/1_quality_by_mg_co2e`` draws the monitored metric, whatever it is called, against the emissions so far.
    Its step is in whole milligrams of CO2e, the same for all runs, because a step of TensorBoard is an integer.
    ``green/1_loss_by_mg_co2e`` takes its place for a metric of which less is better. Up to 100 mg,
    ``green_detail/quality_by_ug_co2e`` shows the same in micrograms.

    Args:
        folder: Where own event files lie; the run's id inside the run's folder unless given. Not used with the
            framework's writer.

    Raises:
        ConfigurationError: ``folder`` can be none, as a file has its name.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._folder = None if folder is None else checked_folder(folder, "TensorBoardSink's folder")
        self._board: Board | None = None

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
        self._board = Board(stream, context)

    def write(self, record: EpochRecord) -> None:
        """Draw one record; a sink that is not open draws nothing."""
        if self._board is not None:
            self._board.add(record)

    def rewind(self, before: History) -> None:
        """Drop what is done again."""
        if self._board is not None:
            self._board.rewind(before)

    def finish(self, run: RunRecord) -> None:
        """Put the totals on the page."""
        if self._board is not None:
            self._board.sum_up(run)

    def close(self) -> None:
        """Close the file, if it is an own one."""
        board, self._board = self._board, None
        if board is not None:
            board.stream.close()


def _plain_name(run_id: str) -> str:
    """Name the folder of a run; a checkpoint or a ledger may have called the run anything."""
    if is_plain_name(run_id):
        return run_id
    name = plain_name(run_id)
    logger.warning("The run id %r cannot be the name of a folder. TensorBoard's files go to %s.", run_id, name)
    return name
