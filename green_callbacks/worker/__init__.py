"""Threads of a run for everything that may wait, except the ledger."""

from green_callbacks.worker.lane import Lane
from green_callbacks.worker.worker_threads import Worker

__all__ = ["Lane", "Worker"]
