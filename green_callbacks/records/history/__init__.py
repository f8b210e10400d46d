"""Every record of a run, in order: the only state that decisions are made from."""

from green_callbacks.records.history.columns import Column
from green_callbacks.records.history.history import History

__all__ = ["Column", "History"]
