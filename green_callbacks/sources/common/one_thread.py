"""Live state of a source that one thread at a time updates."""

from collections.abc import Callable
from typing import Generic, TypeVar

from green_callbacks.sources.common.device import ForkSafeLock

State = TypeVar("State")


class Guarded(Generic[State]):
    """A state that one thread at a time updates.

    A source that closes drops the whole object. So it waits for no lock, although another thread may hang in a sensor
    with the lock held. That thread still updates a state, but nobody reads it any more.

    Args:
        state: The first state.

    Attributes:
        state: The present state.
        lock: Held while the state is updated.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.lock = ForkSafeLock()

    def carry_on(self, step: Callable[[State], State]) -> State:
        """Replace the state by the next one, and return the next one.

        Args:
            step: Function from a state to the next. If it raises, the state stays as it was.
        """
        with self.lock:
            self.state = state = step(self.state)
        return state
