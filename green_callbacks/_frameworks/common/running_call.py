"""Whether a call that was under way on some thread still is, and what its variables hold."""

import inspect
import sys
import threading
import weakref
from collections.abc import Callable, Collection
from types import FrameType
from typing import Any, Self


class RunningCall:
    """A call on the stack of the thread that makes this object.

    Some frameworks tell their callbacks nothing of an exception. The stack of the thread does: the call is gone from
    it, even while a traceback keeps the frame. Nothing of the call is kept alive by this object.

    Args:
        frame: Frame of the call.
        made: Name of a variable whose value the call has made for itself. It tells the call from a later one of the
            same function, whose frame may lie where that of the first one did.
    """

    def __init__(self, frame: FrameType, made: str = "") -> None:
        self._thread = threading.get_ident()
        self._frame_id = id(frame)  # as long as the call runs, there is one frame object for it
        self._code = frame.f_code
        self._made_name = made
        self._made = _reference(frame.f_locals.get(made)) if made else None

    @classmethod
    def innermost(cls, package: str, names: Collection[str], made: str = "") -> Self | None:
        """Find the innermost call of a package's function that is under way on this thread.

        Args:
            package: The package.
            names: Names of the functions, of any module of it.
            made: Name of a variable whose value every call makes for itself.

        Returns:
            The call; None if there is none.
        """
        frame = inspect.currentframe()
        while frame is not None:
            module = frame.f_globals.get("__name__")  # anything, where code is run by exec()
            if frame.f_code.co_name in names and isinstance(module, str) and module.split(".", 1)[0] == package:
                return cls(frame, made)
            frame = frame.f_back
        return None

    def is_running(self) -> bool:
        """Return whether the call is still under way; may be asked on any thread."""
        return self._frame() is not None

    def variables(self) -> dict[str, Any]:
        """Return what the variables of the call hold now, by name; nothing once it has ended.

        To be asked on the thread of the call.
        """
        frame = self._frame()
        return dict(frame.f_locals) if frame else {}

    def _frame(self) -> FrameType | None:
        frame = sys._current_frames().get(self._thread)  # noqa: SLF001  documented; there is no other way to ask
        while frame is not None:
            if id(frame) == self._frame_id and frame.f_code is self._code:
                return frame if self._has_made(frame) else None
            frame = frame.f_back
        return None

    def _has_made(self, frame: FrameType) -> bool:
        if self._made is None:
            return True
        made = self._made()
        is_here = self._thread == threading.get_ident()  # variables of a call are to be read on its thread only
        return made is not None and (not is_here or frame.f_locals.get(self._made_name) is made)


def _reference(value: object) -> Callable[[], object] | None:
    try:
        return weakref.ref(value)
    except TypeError:
        return None
