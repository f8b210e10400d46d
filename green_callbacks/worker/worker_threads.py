"""Threads that do the tasks of all lanes, and leave behind a lane that hangs."""

import threading
import time
import traceback
from typing import Final

from green_callbacks.call_threads import Threads, ring
from green_callbacks.text.log import get_logger
from green_callbacks.worker.lane import Job, Lane, Period, Runner, Task

logger = get_logger(__name__)

SLOW_SECONDS: Final = 0.1
"""Duration, in s, after which a task is left behind on its thread, so that the other lanes go on. By experiment,
writes of healthy sinks take less."""
HUNG_SECONDS: Final = 2.0
"""Duration, in s, after which a task is reported as hanging."""
_CHECK_SECONDS: Final = 0.1
"""Interval, in s, at which a thread that waits for the tasks checks whether one hangs."""


class Worker:
    """Daemon threads that do tasks and jobs. There is one thread, and one more for each lane that hangs.

    An exception of a task is logged, once for each place of origin, and kept in :attr:`failure`. The thread goes on.

    Args:
        name: Name of the threads. Defaults to the name of the package.
        threads: Starts the threads. Defaults to a new object.

    >>> worker, done = Worker(), []
    >>> worker.submit(lambda: done.append("task"))
    >>> worker.drain(timeout_seconds=1.0)  # without a thread, drain() does the tasks
    ()
    >>> done
    ['task']
    """

    def __init__(self, name: str = "green_callbacks", threads: Threads | None = None) -> None:
        self.failure: Exception | SystemExit | None = None
        self._name = name
        self._threads = threads or Threads()
        self._lanes: tuple[Lane, ...] = ()
        self._others = self.lane("a background task")
        self._general: Runner | None = None
        self._runners: tuple[Runner, ...] = ()
        self._idle = threading.Lock()  # released whenever a task is done
        self._is_stopping = False
        self._failed: set[tuple[object, ...]] = set()

    def lane(self, name: str) -> Lane:
        """Make a lane. A task of one lane delays the tasks of others only for a moment.

        Args:
            name: Name of the owner of the tasks, for messages.
        """
        lane = Lane(name)
        self._lanes += (lane,)
        return lane

    def start(self) -> None:
        """Start the thread. If the system allows no thread, :meth:`drain` does the tasks, and jobs are not done."""
        self._general = self._new_runner(None)

    @property
    def has_threads(self) -> bool:
        """Whether the system allowed a thread."""
        return bool(self._runners)

    @property
    def is_current(self) -> bool:
        """Whether this is asked on a thread of the worker."""
        current = threading.current_thread()
        return any(runner.thread is current for runner in self._runners)

    def submit(self, task: Task, lane: Lane | None = None) -> None:
        """Queue a task behind the earlier tasks of its lane. Returns at once.

        Args:
            task: The task.
            lane: Its lane. Defaults to the lane of background tasks.
        """
        lane = lane or self._others
        lane.tasks.append(task)
        self._wake(lane)

    def every(self, period: Period, task: Task, lane: Lane | None = None, *, at_once: bool = False) -> None:
        """Repeat a task.

        Args:
            period: Returns the interval between two beginnings, in s. It is asked every time. None ends the job.
            task: The task.
            lane: Its lane. Defaults to the lane of background tasks.
            at_once: Whether to begin now rather than after one interval. Defaults to False.
        """
        lane = lane or self._others
        seconds = period()
        if seconds is not None:
            lane.jobs.append(Job(task, period, time.monotonic() + (0.0 if at_once else seconds), lane.jobs))
            self._wake(lane)

    def look(self) -> None:
        """Leave slow tasks behind, and warn once of each lane that hangs. Called every second on another thread."""
        for lane in self._lanes:
            seconds = lane.hung_seconds()
            runner = lane.runner
            if runner is None or seconds < min(SLOW_SECONDS, HUNG_SECONDS):
                continue
            if runner.only is not lane:
                runner.only = lane
                if runner is self._general:
                    self._general = self._new_runner(None)
            if seconds >= HUNG_SECONDS and not lane.is_said:
                lane.is_said = True
                logger.warning(
                    "%s has not come back for %.0f s. Training, the ledger and everything else go on without it. "
                    "Its tasks wait until it does.",
                    _capitalized(lane.name),
                    seconds,
                )

    def drain(self, timeout_seconds: float) -> tuple[Lane, ...]:
        """Wait until every submitted task is done.

        On a thread of the worker, or without threads, the calling thread does the tasks.

        Args:
            timeout_seconds: Longest time to wait, in s.

        Returns:
            The lanes whose tasks are not done in time.
        """
        deadline = time.monotonic() + timeout_seconds
        if self.is_current or not self._runners:
            for lane in self._lanes:
                self._do_here(lane)
        while True:
            waiting = tuple(lane for lane in self._lanes if not lane.is_done and not self._is_doing(lane))
            remaining = deadline - time.monotonic()
            if not waiting or remaining <= 0:
                return waiting
            self._idle.acquire(timeout=min(remaining, _CHECK_SECONDS))
            self.look()

    def raise_failure(self) -> None:
        """Raise the last exception of a task since the last call, if there is one.

        Raises:
            Exception: The last failure of a task.
        """
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure

    def stop(self, timeout_seconds: float) -> None:
        """End the threads and the jobs. A lane that hangs goes on until its tasks are done.

        Args:
            timeout_seconds: Longest time to wait for the other threads, in s.
        """
        deadline = time.monotonic() + timeout_seconds
        for lane in self._lanes:
            lane.jobs.clear()
        self._is_stopping = True
        for runner in self._runners:
            ring(runner.bell)
        for runner in self._runners:
            if runner.only is None and runner.thread is not threading.current_thread():
                runner.thread.join(max(0.0, deadline - time.monotonic()))

    def _wake(self, lane: Lane) -> None:
        runner = lane.runner
        general = self._general
        if runner is not None and runner.only is lane:
            ring(runner.bell)
        elif general is not None:
            ring(general.bell)

    def _new_runner(self, only: Lane | None) -> Runner | None:
        runner = Runner(only)
        thread = self._threads.start(lambda: self._run(runner), self._name)
        if thread is None:
            return None
        runner.thread = thread
        self._runners += (runner,)
        return runner

    def _run(self, runner: Runner) -> None:
        while True:
            lanes = self._lanes if runner.only is None else (runner.only,)
            has_worked = False
            for lane in lanes:
                if runner.only is None or runner.only is lane:
                    has_worked |= self._work(lane, runner)
            if has_worked:
                continue
            if self._is_stopping:
                return
            runner.bell.acquire(timeout=self._seconds_until_due(lanes))

    def _work(self, lane: Lane, runner: Runner) -> bool:
        """Do one task or job of a lane, unless another thread serves it. Return whether there was one."""
        if lane.runner is not None and lane.runner is not runner:
            return False
        if not lane.taken.acquire(blocking=False):
            return False
        try:
            lane.runner = runner
            return self._do_next(lane)
        finally:
            if runner.only is not lane:
                lane.runner = None
            lane.taken.release()

    def _do_here(self, lane: Lane) -> None:
        """Do all tasks of a lane on this thread, unless another thread serves it."""
        while lane.tasks and lane.taken.acquire(blocking=False):
            try:
                self._do_task(lane)
            finally:
                lane.taken.release()

    def _do_next(self, lane: Lane) -> bool:
        """Do a job or a task. They take turns, so that neither waits for ever."""
        lane.is_jobs_turn = not lane.is_jobs_turn
        job = lane.due_job() if lane.is_jobs_turn or not lane.tasks else None
        if job is not None:
            self._do(job, lane)
            return True
        return self._do_task(lane)

    def _do_task(self, lane: Lane) -> bool:
        if not lane.tasks:
            return False
        try:
            self._do(lane.tasks[0], lane)
        finally:
            lane.tasks.popleft()
            ring(self._idle)
        return True

    def _do(self, task: Task, lane: Lane) -> None:
        lane.began = time.monotonic()
        try:
            task()
        # Sinks, sensors and providers are other people's code. No exception of theirs may end the thread that serves
        # the others. It is logged, and raised in strict mode.
        except (Exception, SystemExit) as failure:  # noqa: BLE001
            self._report(failure)
        finally:
            lane.began = None

    def _report(self, failure: Exception | SystemExit) -> None:
        place = tuple((frame.f_code, line) for frame, line in traceback.walk_tb(failure.__traceback__))
        if place not in self._failed:
            self._failed.add(place)
            logger.error("A background task failed. Training goes on without it.", exc_info=failure)
        self.failure = failure

    @staticmethod
    def _is_doing(lane: Lane) -> bool:
        """Return whether this thread does a task of a lane, and so cannot wait for the lane."""
        return lane.runner is not None and lane.runner.thread is threading.current_thread()

    def _seconds_until_due(self, lanes: tuple[Lane, ...]) -> float:
        dues = [job.due for lane in lanes if lane.runner is None or len(lanes) == 1 for job in lane.jobs]
        return -1 if not dues else min(max(0.0, min(dues) - time.monotonic()), threading.TIMEOUT_MAX)


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]
