"""A lock for what takes a moment, which no interrupt leaves held for ever."""

import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from green_callbacks.measurement.timed_reads import comes

TURN_SECONDS: Final = 1.0
"""How long one waits who must have a turn, in s: longer than any reading at an edge takes."""

Work = TypeVar("Work", bound=Callable[..., Any])
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_IN_TURN: Final[set[CodeType]] = set()


class Turn:
    """Lets one thread at a time do something; a signal handler on top of it may do it too.

    An interrupt may come between the taking of a lock and the code that would let go of it. Whoever finds the lock held
    while no other thread does anything that is done in turn takes another lock in its place.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def take(self, seconds: float) -> "threading.RLock | None":
        """Wait for a turn.

        Args:
            seconds: How long, in s.

        Returns:
            What to release after it, or None if there was none in time.
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
    """What has work that one thread at a time may do."""

    turn: Turn


Owner = TypeVar("Owner", bound=TakesTurns)


def done_in_turn(work: Work) -> Work:
    """Mark a function that is called by who has a turn."""
    _IN_TURN.add(work.__code__)
    return work


def in_turn(
    work: Callable[Concatenate[Owner, Arguments], Result],
) -> Callable[Concatenate[Owner, Arguments], Result]:
    """Make a method wait for its turn. It is done without one rather than never: it must be, and takes no time."""
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
    """Tell whether another thread does anything in turn; the stacks of all threads tell."""
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
