"""The destinations of records, such as TensorBoard or a sink of your own."""

from green_callbacks.sinks.base import RunContext, Sink
from green_callbacks.sinks.scalars import is_ours, scalars
from green_callbacks.sinks.tensorboard.sink import TensorBoardSink

__all__ = [
    "RunContext",
    "Sink",
    "TensorBoardSink",
    "is_ours",
    "scalars",
]
