"""What is live in a source, carried on by one thread at a time."""

from collections.abc import Callable
from typing import Generic, TypeVar

from green_callbacks.sources.common.device import ForkSafeLock

State = TypeVar("State")


class Guarded(Generic[State]):
    """A state that one thread at a time carries on.

    A source that closes drops the whole object. So it waits for no lock, although another thread may hang in a sensor
    with the lock held: what that thread still does changes a state that nobody reads any more.

    Args:
        state: The state at the beginning.

    Attributes:
        state: The state now.
        lock: Whoever carries it on holds this.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.lock = ForkSafeLock()

    def carry_on(self, step: Callable[[State], State]) -> State:
        """Replace the state by the next one, and return that.

        Args:
            step: Makes the next state of the last one. What it raises leaves the state as it was.
        """
        with self.lock:
            self.state = state = step(self.state)
        return state
