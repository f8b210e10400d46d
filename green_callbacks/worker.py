"""The one thread of a run on which everything happens that may wait."""

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)

Task = Callable[[], object]
Period = Callable[[], float | None]


@dataclass(slots=True)
class _Job:
    """A task that comes round."""

    task: Task
    period: Period
    due: float


class Worker:
    """A parked daemon thread: runs tasks in the order they came, and jobs when they are due.

    What a task raises is logged, once for each place it comes from, and kept in :attr:`failure`; the thread goes on.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str = "green_callbacks") -> None:
        self.failure: Exception | SystemExit | None = None
        self._name = name
        self._wake = threading.Condition()
        self._first: deque[Task] = deque()
        self._tasks: deque[Task] = deque()
        self._jobs: list[_Job] = []
        self._busy = False  # with a task: a job is nothing that anybody waits for
        self._stopping = False
        self._is_jobs_turn = False
        self._failed: set[tuple[object, ...]] = set()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    @property
    def is_current(self) -> bool:
        """Whether this is asked on the worker's own thread."""
        return threading.current_thread() is self._thread

    def submit(self, task: Task, *, first: bool = False) -> None:
        """Have a task done after all that were submitted before it in the same way; returns at once.

        Args:
            task: What to do.
            first: Before all that were not submitted like this.
        """
        with self._wake:
            (self._first if first else self._tasks).append(task)
            self._wake.notify_all()

    def every(self, period: Period, task: Task) -> None:
        """Have a task done again and again, the first time after one period.

        Args:
            period: Tells the time from one beginning to the next, in s; asked anew each time. None ends it.
            task: What to do.
        """
        seconds = period()
        if seconds is not None:
            with self._wake:
                self._jobs.append(_Job(task, period, time.monotonic() + seconds))
                self._wake.notify_all()

    def drain(self, timeout_seconds: float) -> bool:
        """Wait until every submitted task is done.

        Args:
            timeout_seconds: How long to wait at most, in s.

        Returns:
            Whether all were done in time.
        """
        if self.is_current:
            while task := self._waiting():
                self._do(task)
            return True
        with self._wake:
            return self._wake.wait_for(lambda: not (self._first or self._tasks or self._busy), timeout_seconds)

    def take_over(self) -> None:
        """Do here the tasks that go first, where the thread hangs in another one."""
        while True:
            with self._wake:
                task = self._first.popleft() if self._first else None
            if task is None:
                return
            self._do(task)

    def raise_failure(self) -> None:
        """Raise what a task has raised since the last call, if any has.

        Raises:
            Exception: The last failure of a task.
        """
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure

    def stop(self, timeout_seconds: float) -> None:
        """End the thread after the task at hand and those that go first; the others that still wait are dropped.

        Args:
            timeout_seconds: How long to wait for the end, in s; the thread may come to it later.
        """
        with self._wake:
            self._stopping = True
            self._jobs.clear()
            self._tasks.clear()
            self._wake.notify_all()
        if self._thread is not None and not self.is_current:
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while task := self._next():
            self._do(task)
            with self._wake:
                self._busy = False
                self._wake.notify_all()

    def _do(self, task: Task) -> None:
        try:
            task()
        # Sinks, sensors and providers are other people's code: whatever they raise must not end the thread that
        # writes the ledger. Nothing is hidden: it is logged, and raised where the user asked for that.
        except (Exception, SystemExit) as failure:  # noqa: BLE001
            self._report(failure)

    def _report(self, failure: Exception | SystemExit) -> None:
        place = tuple((frame.f_code, line) for frame, line in traceback.walk_tb(failure.__traceback__))
        if place not in self._failed:
            self._failed.add(place)
            logger.error("A background task failed; training goes on without it.", exc_info=failure)
        self.failure = failure

    def _next(self) -> Task | None:
        with self._wake:
            while True:
                task = self._due()
                if task is not None:
                    return task
                if self._stopping:
                    return None
                self._wake.wait(self._seconds_until_due())

    def _due(self) -> Task | None:
        """Return what is to be done now: jobs and tasks in turn, so that neither waits for ever for the other."""
        self._is_jobs_turn = not self._is_jobs_turn
        if self._is_jobs_turn:
            return self._due_job() or self._waiting()
        return self._waiting() or self._due_job()

    def _due_job(self) -> Task | None:
        now = time.monotonic()
        for job in self._jobs:
            if job.due <= now:
                seconds = job.period()
                if seconds is None:
                    self._jobs.remove(job)
                else:
                    job.due = now + seconds
                return job.task
        return None

    def _waiting(self) -> Task | None:
        tasks = self._first or self._tasks
        if not tasks:
            return None
        self._busy = True
        return tasks.popleft()

    def _seconds_until_due(self) -> float | None:
        if not self._jobs:
            return None
        return max(0.0, min(job.due for job in self._jobs) - time.monotonic())
