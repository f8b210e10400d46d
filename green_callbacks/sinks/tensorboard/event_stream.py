"""What goes to TensorBoard, and the way there through the framework's own writer."""

import sys
from collections.abc import Mapping
from typing import Any, Final, Protocol

from green_callbacks.sinks.tensorboard.chart_layout import Layout
from green_callbacks.sinks.tensorboard.event_encoding import layout_event, restart_event, text_event

_MESSAGES: Final = {
    "torch": "tensorboard.compat.proto.event_pb2",
    "tensorboardX": "tensorboardX.proto.event_pb2",
}
"""Where the writers of a library have their class of events: whoever has a writer has imported it."""


class EventStream(Protocol):
    """Takes what TensorBoard shows. Times are seconds since 1970, as TensorBoard counts them."""

    def scalars(self, values: Mapping[str, float], step: int, wall_seconds: float) -> None:
        """Add one point to the curve of every tag."""
        ...

    def restart(self, step: int, wall_seconds: float) -> None:
        """Drop all points at a step and behind it: what they show is done again."""
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

    What its methods cannot say goes past them as ready events: a page that is no table of one cell, a restart. A writer
    that takes no events gets what its methods can say.

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
        """Drop all points at a step and behind it, those of the framework too: what they show is done again."""
        self._add(restart_event(step, wall_seconds), wall_seconds)

    def text(self, tag: str, markdown: str, wall_seconds: float) -> None:
        """Add a page, or a new version of it."""
        if not self._add(text_event(tag, markdown, wall_seconds), wall_seconds):
            self._writer.add_text(tag, markdown, 0, wall_seconds)

    def layout(self, charts: Layout, wall_seconds: float) -> None:
        """Set the layout of the custom scalars."""
        if not self._add(layout_event(charts, wall_seconds), wall_seconds):
            self._writer.add_custom_scalars(charts)

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._writer.flush()

    def close(self) -> None:
        """Do nothing: the framework closes its own writer."""

    def _add(self, event: bytes, wall_seconds: float) -> bool:
        """Add an event; return whether the writer takes events."""
        if self._event is None:
            return False
        self._writer._get_file_writer().add_event(self._event.FromString(event), walltime=wall_seconds)  # noqa: SLF001
        return True


def _event_class(writer: Any) -> Any | None:  # noqa: ANN401  # a class of protocol buffers
    """Return the class of the events that a writer takes; None if it is of no library that we know to take any."""
    roots = (kind.__module__.partition(".")[0] for kind in type(writer).__mro__)
    names = (_MESSAGES[root] for root in roots if root in _MESSAGES)
    found = (getattr(sys.modules.get(name), "Event", None) for name in names)
    return next(filter(None, found), None) if hasattr(writer, "_get_file_writer") else None
