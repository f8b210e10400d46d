"""Keeps the account in the trainer's checkpoints."""

from collections.abc import Callable
from typing import Any


class SavedAccount:
    """An account that is read when the trainer writes ``trainer_state.json``, which copies its state deeply.

    So any checkpoint holds the account as it is then. The trainer may save at times that no hook announces.

    Args:
        read: Returns the account, as plain JSON types. It never raises.
    """

    def __init__(self, read: Callable[[], dict[str, Any] | None]) -> None:
        self._read = read

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any] | None:
        """Return the account as it is now."""
        return self._read()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the account as it is now, because the monitor of a pickled trainer is a new run."""
        return dict, (self._read() or {},)
