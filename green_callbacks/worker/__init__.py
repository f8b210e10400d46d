"""Threads of a run for everything that may wait, except the ledger.

>>> worker, done = Worker(), []
>>> worker.submit(lambda: done.append("task"))
>>> worker.drain(timeout_seconds=1.0)  # without a thread, the tasks are done here
()
>>> done
['task']
"""

from green_callbacks.worker.lane import Lane
from green_callbacks.worker.worker_threads import Worker

__all__ = ["Lane", "Worker"]
