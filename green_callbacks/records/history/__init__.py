"""All records of a run, in order. Policies decide from nothing else."""

from green_callbacks.records.history.columns import Column
from green_callbacks.records.history.history import History

__all__ = ["Column", "History"]
