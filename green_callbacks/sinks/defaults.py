"""The sinks of a run for which none was named."""

from importlib.util import find_spec
from typing import Any

from green_callbacks.sinks.base import Sink
from green_callbacks.sinks.tensorboard import TensorBoardSink


def default_sinks(writer: Any | None) -> list[Sink]:  # noqa: ANN401  # whose class it is depends on the framework
    """Choose the sinks of a run for which none was named.

    Args:
        writer: The framework's own TensorBoard writer; None where there is none.

    Returns:
        TensorBoard, where it can be written: through that writer, or with tensorboardX.
    """
    return [TensorBoardSink()] if writer is not None or find_spec("tensorboardX") else []
