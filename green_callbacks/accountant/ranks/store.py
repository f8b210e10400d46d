"""The key-value store over which processes meet and agree, with waits that end."""

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

_FIRST_PAUSE_SECONDS: Final = 50e-6
"""Shortest pause between two looks into the store, in s. A request to a store on the same machine takes as long."""
_LAST_PAUSE_SECONDS: Final = 0.05
"""Longest pause between two looks into the store, in s, so that 1,024 waiting processes ask 20,000 times a second."""
_PAUSE_SHARE: Final = 0.1
"""Share of the time waited so far that the next pause takes. An answer is noticed at most a tenth too late."""


class Store(Protocol):
    """A store of ``torch.distributed``, as far as it is used. Values are written as text and come back as bytes."""

    def set(self, key: str, value: str) -> object:
        """Set a value."""
        ...

    def get(self, key: str) -> bytes:
        """Return a value that is there."""
        ...

    def add(self, key: str, amount: int) -> int:
        """Add to a number, which begins at 0, and return it."""
        ...

    def check(self, keys: list[str]) -> bool:
        """Return whether all keys are there."""
        ...

    def compare_set(self, key: str, expected_value: str, desired_value: str) -> bytes:
        """Set a value if the present value is the expected one, or empty. Return the value that is then there."""
        ...

    def delete_key(self, key: str) -> bool:
        """Remove a key."""
        ...


def settled(store: Store, key: str, text: str) -> str:
    """Settle the value of a key that several processes may set. The first of them wins.

    Args:
        store: The store.
        key: The key.
        text: The value that this process would set.

    Returns:
        The value that counts.
    """
    return bytes(store.compare_set(key, "", text)).decode()


def waited(is_there: Callable[[], bool], seconds: float) -> bool:
    """Wait for something in the store. Interrupts come through.

    Args:
        is_there: Looks for it.
        seconds: Longest time to wait, in s.

    Returns:
        Whether it is there.
    """
    began = time.monotonic()
    while not is_there():
        passed = time.monotonic() - began
        if passed > seconds:
            return False
        time.sleep(min(max(_FIRST_PAUSE_SECONDS, _PAUSE_SHARE * passed), _LAST_PAUSE_SECONDS))
    return True


def values_of(store: Store, keys: Sequence[str]) -> list[str]:
    """Return the values of keys that are there.

    Args:
        store: The store. Newer ones answer all keys in one request.
        keys: The keys.
    """
    every = getattr(store, "multi_get", None)
    found = every(list(keys)) if every else [store.get(key) for key in keys]
    return [bytes(value).decode() for value in found]
