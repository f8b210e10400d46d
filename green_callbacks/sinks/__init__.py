"""The destinations of records, such as TensorBoard or a sink of your own."""

from green_callbacks.sinks.base import Reporting, RunContext, Sink
from green_callbacks.sinks.scalars import is_ours, scalars
from green_callbacks.sinks.tensorboard.sink import TensorBoardSink
from green_callbacks.sinks.trackers.mlflow_sink import MlflowSink
from green_callbacks.sinks.trackers.wandb_sink import WandbSink

__all__ = [
    "MlflowSink",
    "Reporting",
    "RunContext",
    "Sink",
    "TensorBoardSink",
    "WandbSink",
    "is_ours",
    "scalars",
]
