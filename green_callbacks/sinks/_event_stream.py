"""What goes to TensorBoard, and the way there through the framework's own writer."""

from collections.abc import Mapping
from typing import Any, Protocol

from green_callbacks.sinks._layout import Layout


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
