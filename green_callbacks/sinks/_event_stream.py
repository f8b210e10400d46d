"""Two ways to TensorBoard: through the framework's own writer, or into event files of our own."""

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from green_callbacks.errors import ConfigurationError
from green_callbacks.sinks._layout import Layout

_FILE_VERSION: Final = "brain.Event:2"
"""What the first event of every file says; readers refuse to order events without it."""

_NANOSECONDS_PER_SECOND: Final = 10**9


class EventStream(Protocol):
    """Takes what TensorBoard shows. Times are seconds since 1970, as TensorBoard counts them."""

    def scalars(self, values: Mapping[str, float], step: int, wall_seconds: float) -> None:
        """Add one point to the curve of every tag."""
        ...

    def text(self, tag: str, markdown: str, wall_seconds: float) -> None:
        """Add a page, or a new version of it."""
        ...

    def layout(self, charts: Layout, wall_seconds: float) -> None:
        """Set the layout of the custom scalars."""
        ...

    def flush(self) -> None:
        """Hand everything to the operating system: from here on, no kill of the process loses it."""
        ...

    def close(self) -> None:
        """Let go of what this stream opened."""
        ...


class FrameworkStream:
    """Writes through a writer that the framework owns, and leaves it open.

    Args:
        writer: An object with the methods of torch's ``SummaryWriter``.
    """

    def __init__(self, writer: Any) -> None:  # noqa: ANN401  # whose class it is depends on the framework
        self._writer = writer

    def scalars(self, values: Mapping[str, float], step: int, wall_seconds: float) -> None:
        """Add one point to the curve of every tag."""
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step, wall_seconds)

    def text(self, tag: str, markdown: str, wall_seconds: float) -> None:
        """Add a page, or a new version of it."""
        self._writer.add_text(tag, markdown, 0, wall_seconds)

    def layout(self, charts: Layout, wall_seconds: float) -> None:  # noqa: ARG002  # their method takes no time
        """Set the layout of the custom scalars."""
        self._writer.add_custom_scalars(charts)

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._writer.flush()

    def close(self) -> None:
        """Do nothing: the framework closes its own writer."""


class EventFile:
    """Writes one new event file, with neither TensorFlow nor a thread.

    The framing and the message classes are those of tensorboardX; its ``SummaryWriter`` would add a thread and a queue
    between processes, and keep events in them that a killed process loses.

    Args:
        folder: Where the file lies; made if missing.

    Raises:
        ConfigurationError: tensorboardX is not installed.
        OSError: The file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboardX.record_writer import RecordWriter
        except ImportError as reason:
            msg = (
                "TensorBoardSink writes its own event files here, and that needs tensorboardX: "
                "pip install 'green-callbacks[tensorboard]', or leave the sink out."
            )
            raise ConfigurationError(msg) from reason
        folder.mkdir(parents=True, exist_ok=True)
        self._records = RecordWriter(str(folder / _file_name()))
        self._event(time.time(), file_version=_FILE_VERSION)
        self.flush()

    def scalars(self, values: Mapping[str, float], step: int, wall_seconds: float) -> None:
        """Add one point to the curve of every tag, all in one event."""
        from tensorboardX.proto.summary_pb2 import Summary

        points = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._event(wall_seconds, step=step, summary=Summary(value=points))

    def text(self, tag: str, markdown: str, wall_seconds: float) -> None:
        """Add a page, or a new version of it."""
        from tensorboardX.summary import text

        self._event(wall_seconds, summary=text(tag, markdown))

    def layout(self, charts: Layout, wall_seconds: float) -> None:
        """Set the layout of the custom scalars."""
        from tensorboardX.summary import custom_scalars

        self._event(wall_seconds, summary=custom_scalars(charts))

    def flush(self) -> None:
        """Hand everything to the operating system, and the disk."""
        self._records.flush()

    def close(self) -> None:
        """Close the file."""
        self._records.close()

    def _event(self, wall_seconds: float, **content: Any) -> None:  # noqa: ANN401  # fields of a protocol buffer
        from tensorboardX.proto.event_pb2 import Event

        self._records.write(Event(wall_time=wall_seconds, **content).SerializeToString())


def _file_name() -> str:
    """Name a file that no other has, and that sorts after those before it: TensorBoard reads them in that order."""
    seconds, nanoseconds = divmod(time.time_ns(), _NANOSECONDS_PER_SECOND)
    return f"events.out.tfevents.{seconds:010d}.{nanoseconds:09d}.{socket.gethostname()}.{os.getpid()}"
