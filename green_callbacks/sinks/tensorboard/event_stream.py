"""The contract of an event stream, and a stream through the framework's own writer."""

import sys
from collections.abc import Mapping
from typing import Any, Final, Protocol

from green_callbacks.sinks.tensorboard.chart_layout import Layout
from green_callbacks.sinks.tensorboard.event_encoding import layout_event, restart_event, text_event

_MESSAGES: Final = {
    "torch": "tensorboard.compat.proto.event_pb2",
    "tensorboardX": "tensorboardX.proto.event_pb2",
}
"""Module of the class of events by library. A process that has a writer has imported it."""


class EventStream(Protocol):
    """Takes everything that TensorBoard shows. Times are in s since 1970, as in TensorBoard."""

    def scalars(self, values: Mapping[str, float], step: int, wall_seconds: float) -> None:
        """Add one point to the curve of every tag."""
        ...

    def restart(self, step: int, wall_seconds: float) -> None:
        """Drop all points from a step on, because the run repeats itself from there."""
        ...

    def text(self, tag: str, markdown: str, wall_seconds: float) -> None:
        """Add a page or a new version of it."""
        ...

    def layout(self, charts: Layout, wall_seconds: float) -> None:
        """Set the layout of the custom scalars."""
        ...

    def flush(self) -> None:
        """Write everything out, so that killing the process loses nothing."""
        ...

    def close(self) -> None:
        """Release everything that this stream opened."""
        ...


class FrameworkStream:
    """Writes through a writer that the framework owns, and leaves the writer open.

    Some events have no fitting method of the writer, such as a restart and a page that is more than a table of one
    cell. They are handed to the writer as ready events. A writer that takes no events gets only calls of its methods.

    Args:
        writer: An object with the methods of torch's ``SummaryWriter``.
    """

    def __init__(self, writer: Any) -> None:  # noqa: ANN401  # whose class it is depends on the framework
        self._writer = writer
        self._event = _event_class(writer)

    def scalars(self, values: Mapping[str, float], step: int, wall_seconds: float) -> None:
        """Add one point to the curve of every tag."""
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step, wall_seconds)

    def restart(self, step: int, wall_seconds: float) -> None:
        """Drop all points from a step on, the framework's included, because the run repeats itself from there."""
        self._add(restart_event(step, wall_seconds), wall_seconds)

    def text(self, tag: str, markdown: str, wall_seconds: float) -> None:
        """Add a page or a new version of it."""
        if not self._add(text_event(tag, markdown, wall_seconds), wall_seconds):
            self._writer.add_text(tag, markdown, 0, wall_seconds)

    def layout(self, charts: Layout, wall_seconds: float) -> None:
        """Set the layout of the custom scalars."""
        if not self._add(layout_event(charts, wall_seconds), wall_seconds):
            self._writer.add_custom_scalars(charts)

    def flush(self) -> None:
        """Write everything out."""
        self._writer.flush()

    def close(self) -> None:
        """Do nothing, because the framework closes its own writer."""

    def _add(self, event: bytes, wall_seconds: float) -> bool:
        """Add an event, and return whether the writer takes events."""
        if self._event is None:
            return False
        self._writer._get_file_writer().add_event(self._event.FromString(event), walltime=wall_seconds)  # noqa: SLF001
        return True


def _event_class(writer: Any) -> Any | None:  # noqa: ANN401  # a class of protocol buffers
    """Return the class of the events that a writer takes. None for a writer of an unknown library."""
    roots = (kind.__module__.partition(".")[0] for kind in type(writer).__mro__)
    names = (_MESSAGES[root] for root in roots if root in _MESSAGES)
    found = (getattr(sys.modules.get(name), "Event", None) for name in names)
    return next(filter(None, found), None) if hasattr(writer, "_get_file_writer") else None
