"""Where records go: the ledger, TensorBoard, and whatever else takes them."""

from green_callbacks.sinks.base import RunContext, Sink
from green_callbacks.sinks.ledger import Ledger, LedgerContents, read_ledger
from green_callbacks.sinks.scalars import scalars
from green_callbacks.sinks.tensorboard import TensorBoardSink

__all__ = [
    "Ledger",
    "LedgerContents",
    "RunContext",
    "Sink",
    "TensorBoardSink",
    "read_ledger",
    "scalars",
]
