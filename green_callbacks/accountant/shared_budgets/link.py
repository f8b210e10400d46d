"""The thread that talks to a registry, for all runs of this process that share its budget."""

import atexit
import os
import random
import threading
import time
from collections.abc import Callable
from math import inf
from typing import Final, Protocol

from green_callbacks.call_threads import Threads, ring
from green_callbacks.process import process_id
from green_callbacks.registry import BudgetRegistry
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

RETRY_SECONDS: Final = 0.5
"""Time in s after which a registry that was away, or that refused an amount, is asked again for the first time."""
_MOST_RETRY_SECONDS: Final = 20.0
"""Longest time in s between two attempts to reach a registry that is away."""
LAST_SECONDS: Final = 5.0
"""Longest time in s that the end of the process waits for the last totals to be told."""
_CHECK_SECONDS: Final = 0.005
"""Interval in s at which the end of a run looks whether its last total is told."""


_GIVE_UP_SECONDS: Final = 600.0
"""Time in s after the end of a run after which its last total is given up."""
_UNTOLD: Final = (
    "The registry of a shared budget did not take the last total of a run. What the run held there counts as spent. "
    "Its ledger holds the true total."
)


class Talk(Protocol):
    """What the thread does for one run, on the registry that it holds."""

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to tell."""
        ...

    def tell(self, registry: BudgetRegistry) -> float | None:
        """Tell it, and take the answer. Return after which time in s to ask again. None for not by itself."""
        ...

    def fail(self, failure: BaseException) -> None:
        """Take the failure of the registry. It is told again."""
        ...


class RegistryLink:
    """A registry with a thread of its own, which ends with the last run that it serves.

    Runs of one process that share the registry take turns, in order. So a run that follows another one finds the last
    total of the other told.

    Args:
        open_registry: Opens the registry, on the thread.
        name: Name of the thread.
    """

    def __init__(self, open_registry: Callable[[], BudgetRegistry], name: str) -> None:
        self._open = open_registry
        self._name = name
        self._registry: BudgetRegistry | None = None
        self._bell = threading.Lock()
        self._bell.acquire()
        self._lock = threading.Lock()
        self._dues: dict[Talk, float] = {}
        """Monotonic time in s at which each run wants to ask again by itself. Infinite for not at all."""
        self._leaving: dict[Talk, float] = {}
        """Monotonic time in s at which each run that still has something to tell has left."""
        self._is_running = False
        self._failures = 0
        self._not_before = 0.0

    def join(self, talk: Talk, threads: Threads) -> None:
        """Serve a run from now on.

        Args:
            talk: What to do for it.
            threads: Starts the thread.
        """
        with self._lock:
            self._dues[talk] = inf
            if not self._is_running:
                self._is_running = threads.start(self._run, self._name) is not None
        ring(self._bell)

    def wake(self) -> None:
        """Look now what there is to tell."""
        ring(self._bell)

    def leave(self, talk: Talk) -> None:
        """Serve a run until it has nothing to tell any more."""
        self._leaving[talk] = time.monotonic()
        ring(self._bell)

    def finish(self, timeout_seconds: float) -> bool:
        """Wait until everything of the runs that have left is told. Return whether it is.

        Args:
            timeout_seconds: Longest time to wait, in s.
        """
        deadline = time.monotonic() + timeout_seconds
        while self._is_running and self._leaving and time.monotonic() < deadline:
            self._not_before = min(self._not_before, time.monotonic() + _CHECK_SECONDS)
            ring(self._bell)
            time.sleep(_CHECK_SECONDS)
        return not self._leaving

    def _run(self) -> None:
        try:
            while not self._is_over():
                self._bell.acquire(timeout=self._seconds_to_next())
        except BaseException:  # the next run starts another thread, which tells what is left, too
            self._is_running = False
            raise

    def _is_over(self) -> bool:
        """Tell everything that is due. Return whether no run is left, and let go of the registry then."""
        self._serve()
        with self._lock:
            if self._dues:
                return False
            self._is_running = False
            self._close()
            return True

    def _serve(self) -> None:
        for talk in list(self._dues):
            now = time.monotonic()
            is_due = now >= self._not_before and (talk.is_waiting or now >= self._dues[talk])
            if is_due:
                self._dues[talk] = self._told(talk)
            left_at = self._leaving.get(talk)
            if left_at is not None and (not talk.is_waiting or now > left_at + _GIVE_UP_SECONDS):
                if talk.is_waiting:
                    logger.warning(_UNTOLD)
                self._dues.pop(talk)
                self._leaving.pop(talk)

    def _told(self, talk: Talk) -> float:
        """Tell what a run has to tell. Return when it wants to ask again."""
        try:
            if self._registry is None:
                self._registry = self._open()
            seconds = talk.tell(self._registry)
        # A registry is a database or a disk with a driver of others, and no fault of theirs may end the thread. The run
        # says what happened.
        except (Exception, SystemExit) as failure:  # noqa: BLE001
            talk.fail(failure)
            self._failures += 1
            wait = min(RETRY_SECONDS * 2 ** min(self._failures - 1, 10), _MOST_RETRY_SECONDS)
            self._not_before = time.monotonic() + wait * random.uniform(0.75, 1.25)  # noqa: S311  spreads the runs
            return inf
        self._failures, self._not_before = 0, 0.0
        return inf if seconds is None else time.monotonic() + seconds

    def _seconds_to_next(self) -> float:
        soonest = min(self._dues.values(), default=inf)
        if any(talk.is_waiting for talk in list(self._dues)):
            soonest = min(soonest, self._not_before)
        soonest = max(soonest, self._not_before)
        return -1 if soonest == inf else min(max(soonest - time.monotonic(), 0.0), threading.TIMEOUT_MAX)

    def _close(self) -> None:
        registry, self._registry = self._registry, None
        if registry is not None:
            registry.close()


class _Links:
    """The links of this process."""

    def __init__(self) -> None:
        self._links: dict[tuple[object, ...], RegistryLink] = {}
        self._pid = process_id()

    def to(self, key: tuple[object, ...], open_registry: Callable[[], BudgetRegistry]) -> RegistryLink:
        """Return the link to a registry. A fork of the process has links of its own.

        Args:
            key: Tells registries apart.
            open_registry: Opens the registry.
        """
        if self._pid != process_id():
            self._links, self._pid = {}, process_id()
        if not self._links:
            atexit.unregister(self._finish)
            atexit.register(self._finish)
        return self._links.setdefault(key, RegistryLink(open_registry, "green_callbacks registry"))

    def _finish(self) -> None:
        if self._pid != os.getpid():
            return
        deadline = time.monotonic() + LAST_SECONDS
        told = [link.finish(max(0.0, deadline - time.monotonic())) for link in list(self._links.values())]
        if not all(told):
            logger.warning(_UNTOLD)


LINKS: Final = _Links()
"""The links of this process."""
