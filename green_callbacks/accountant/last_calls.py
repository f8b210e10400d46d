"""Calls of helpers of the user that want to write something before a run closes."""

import weakref
from collections.abc import Callable

from green_callbacks.accountant.guarded_calls import Guarded


class LastCalls:
    """Methods to call before a run closes. Their objects are not kept alive."""

    def __init__(self) -> None:
        self._guarded = Guarded()
        self._methods: list[weakref.WeakMethod[Callable[[], object]]] = []

    def add(self, method: Callable[[], object]) -> None:
        """Call a method at each close from now on.

        Args:
            method: The method.
        """
        self._methods.append(weakref.WeakMethod(method))

    def make(self) -> None:
        """Call all methods whose objects are still there. A failure is reported once."""
        for method in filter(None, [reference() for reference in self._methods]):
            self._guarded.tell("A last call before the close of the run", method)
