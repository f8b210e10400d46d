"""The tasks of one sink, source or provider, and the thread that does them."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

Task = Callable[[], object]
"""A call that is made once."""
Period = Callable[[], float | None]
"""Returns the interval of a job, in s, or None to end it."""

_RETRY_SECONDS: Final = 2.0
"""Interval of a job, in s, whose period has raised."""


@dataclass(slots=True, eq=False)
class Job:
    """A task that is repeated.

    Attributes:
        task: What to do.
        period: Returns the time to the next repetition, in s.
        due: Monotonic time of the next repetition, in s.
        jobs: The list of jobs that holds this one.
    """

    task: Task
    period: Period
    due: float
    jobs: "list[Job]"

    def __call__(self) -> None:
        """Settle when the task is due again, and do it."""
        self.due = time.monotonic() + _RETRY_SECONDS  # in case the period raises
        seconds = self.period()
        if seconds is None:
            self.jobs.remove(self)
        else:
            self.due = time.monotonic() + seconds
        self.task()


@dataclass(slots=True, eq=False)
class Lane:
    """Tasks of one sink, source or provider, done one after the other in the order in which they came.

    Attributes:
        name: What to call the owner of the tasks in a message.
        tasks: Tasks to do. The first may be under way.
        jobs: Tasks that are repeated.
        taken: Held by the thread that does a task or a job.
        began: Monotonic time at which the present task or job began, in s, or None between tasks.
        is_jobs_turn: Whether a job comes before the next task.
        is_said: Whether it was reported that the lane hangs.
        runner: The thread that serves the lane, or None while none does.

    >>> Lane("the sink Example").is_done
    True
    """

    name: str
    tasks: deque[Task] = field(default_factory=deque)
    jobs: list[Job] = field(default_factory=list)
    taken: threading.Lock = field(default_factory=threading.Lock)
    began: float | None = None
    is_jobs_turn: bool = False
    is_said: bool = False
    runner: "Runner | None" = None

    @property
    def is_done(self) -> bool:
        """Whether no task waits or is under way. Jobs do not count, because nobody waits for a job."""
        return not self.tasks  # a task under way is the first of them

    def hung_seconds(self) -> float:
        """Return the duration of the present task or job so far, in s, or 0 if there is none."""
        began = self.began
        return 0.0 if began is None else time.monotonic() - began

    def due_job(self) -> Job | None:
        """Return a job that is due, or None if none is."""
        now = time.monotonic()
        return next((job for job in self.jobs if job.due <= now), None)


class Runner:
    """One thread of the worker.

    Attributes:
        only: The only lane that the thread serves, because a task hangs there, or None while it serves every free lane.
        bell: Released when there may be something to do.
        thread: The thread.
    """

    def __init__(self, only: Lane | None) -> None:
        self.only = only
        self.bell = threading.Lock()
        self.thread = threading.current_thread()
