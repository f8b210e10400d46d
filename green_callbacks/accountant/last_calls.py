"""Calls of helpers of the user that want to write something before a run closes."""

import atexit
import weakref
from collections.abc import Callable

from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.process import process_id


class LastCalls:
    """Methods to call before a run closes. Their objects are not kept alive. A fork of the process calls none."""

    def __init__(self) -> None:
        self._pid = process_id()
        self._guarded = Guarded()
        self._methods: list[weakref.WeakMethod[Callable[[], object]]] = []

    def add(self, method: Callable[[], object]) -> None:
        """Call a method at each close from now on.

        Args:
            method: The method.
        """
        self._methods.append(weakref.WeakMethod(method))
        self.also_at_exit()

    def also_at_exit(self) -> None:
        """Call the methods at the exit of the interpreter, too, and before whatever has asked for that so far."""
        if self._methods:
            atexit.unregister(self.make)
            atexit.register(self.make)

    def make(self) -> None:
        """Call all methods whose objects are still there. A failure is reported once."""
        atexit.unregister(self.make)
        if process_id() != self._pid:
            return
        for method in filter(None, [reference() for reference in self._methods]):
            self._guarded.tell("A last call before the close of the run", method)
