"""A lock for short work, which no interrupt leaves locked for ever."""

import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from green_callbacks.measurement.read_time_limit import comes

TURN_SECONDS: Final = 1.0
"""Longest time to wait for a turn, in s. It is longer than any reading at an edge."""

Work = TypeVar("Work", bound=Callable[..., Any])
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_IN_TURN: Final[set[CodeType]] = set()


class Turn:
    """Lets one thread at a time do its work. A signal handler on top of the work may do the work too.

    An interrupt may come after a lock is taken, and before the code that releases it. So a thread checks the stacks of
    all threads if the lock is held. If no thread works under the lock, a new lock replaces it.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def take(self, seconds: float) -> "threading.RLock | None":
        """Wait for a turn.

        Args:
            seconds: Longest time to wait, in s.

        Returns:
            The lock to release afterwards, or None if there was no turn in time.
        """
        lock = self._lock
        if lock.acquire(blocking=False) or (seconds > 0 and comes(lock, seconds)):
            return lock
        if _is_being_done():
            return None
        if self._lock is lock:
            self._lock = threading.RLock()
        lock = self._lock
        return lock if lock.acquire(timeout=seconds) else None


class TakesTurns(Protocol):
    """An object with work for one thread at a time."""

    turn: Turn


Owner = TypeVar("Owner", bound=TakesTurns)


def done_in_turn(work: Work) -> Work:
    """Mark a function whose caller has a turn."""
    _IN_TURN.add(work.__code__)
    return work


def in_turn(
    work: Callable[Concatenate[Owner, Arguments], Result],
) -> Callable[Concatenate[Owner, Arguments], Result]:
    """Make a method wait for its turn. After :data:`TURN_SECONDS` it runs without one, because it must and is short."""
    done_in_turn(work)

    def waiting(self: Owner, /, *arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        lock = self.turn.take(TURN_SECONDS)
        try:
            return work(self, *arguments, **options)
        finally:
            if lock is not None:
                lock.release()

    waiting.__doc__ = work.__doc__
    return waiting


def _is_being_done() -> bool:
    """Return whether another thread works in its turn, by the stacks of all threads."""
    ours = threading.get_ident()
    stacks = sys._current_frames()  # noqa: SLF001  documented; there is no other way to ask
    return any(_has_it(top) for thread, top in stacks.items() if thread != ours)


def _has_it(top: FrameType) -> bool:
    frame: FrameType | None = top
    while frame is not None:
        if frame.f_code in _IN_TURN:
            return True
        frame = frame.f_back
    return False
