"""Finds a running call on the stack, and later tells whether it is still running and what its variables hold."""

import inspect
import sys
import threading
import weakref
from collections.abc import Callable, Collection
from types import FrameType
from typing import Any, Self


class RunningCall:
    """A call on the stack of the thread that makes this object.

    Some frameworks do not report exceptions to their callbacks. The stack of the thread shows them, because the call is
    gone from it, even while a traceback keeps the frame. This object keeps nothing of the call alive.

    Args:
        frame: Frame of the call.
        made: Name of a variable whose value the call has created itself. It distinguishes the call from a later call of
            the same function, whose frame may have the same address. Defaults to an empty text, for none.
    """

    def __init__(self, frame: FrameType, made: str = "") -> None:
        self._thread = threading.get_ident()
        self._frame_id = id(frame)  # a running call keeps one frame object
        self._code = frame.f_code
        self._made_name = made
        self._made = _reference(frame.f_locals.get(made)) if made else None

    @classmethod
    def innermost(cls, package: str, names: Collection[str], made: str = "") -> Self | None:
        """Find the innermost running call of a function of a package on this thread.

        Args:
            package: The package.
            names: Names of the functions, in any module of the package.
            made: Name of a variable whose value every call creates itself. Defaults to an empty text, for none.

        Returns:
            The call. None if there is none.
        """
        frame = inspect.currentframe()
        while frame is not None:
            module = frame.f_globals.get("__name__")  # may be any object in code run by exec()
            if frame.f_code.co_name in names and isinstance(module, str) and module.split(".", 1)[0] == package:
                return cls(frame, made)
            frame = frame.f_back
        return None

    def is_running(self) -> bool:
        """Return whether the call is still running. Any thread may ask."""
        return self._frame() is not None

    def variables(self) -> dict[str, Any]:
        """Return the present variables of the call by name. Empty after it has ended.

        Only the thread of the call may ask.
        """
        frame = self._frame()
        return dict(frame.f_locals) if frame else {}

    def _frame(self) -> FrameType | None:
        if self._thread == threading.get_ident():
            frame = inspect.currentframe()
        else:
            frame = sys._current_frames().get(self._thread)  # noqa: SLF001  documented, and the only way to ask
        while frame is not None:
            if id(frame) == self._frame_id and frame.f_code is self._code:
                return frame if self._has_made(frame) else None
            frame = frame.f_back
        return None

    def _has_made(self, frame: FrameType) -> bool:
        if self._made is None:
            return True
        made = self._made()
        is_here = self._thread == threading.get_ident()  # only its own thread may read the variables of a call
        return made is not None and (not is_here or frame.f_locals.get(self._made_name) is made)


def _reference(value: object) -> Callable[[], object] | None:
    try:
        return weakref.ref(value)
    except TypeError:
        return None
