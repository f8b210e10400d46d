"""Whether a call that was under way on some thread still is."""

import inspect
import sys
import threading
from collections.abc import Collection
from types import FrameType
from typing import Self


class RunningCall:
    """A call on the stack of the thread that makes this object.

    Some frameworks tell their callbacks nothing of an exception. The stack of the thread does: the call is gone from
    it, even while a traceback keeps the frame. Nothing of the call is kept alive by this object.

    Args:
        frame: Frame of the call.
    """

    def __init__(self, frame: FrameType) -> None:
        self._thread = threading.get_ident()
        self._frame_id = id(frame)  # as long as the call runs, there is one frame object for it
        self._code = frame.f_code

    @classmethod
    def innermost(cls, package: str, names: Collection[str]) -> Self | None:
        """Find the innermost call of a package's function that is under way on this thread.

        Args:
            package: The package.
            names: Names of the functions, of any module of it.

        Returns:
            The call; None if there is none.
        """
        frame = inspect.currentframe()
        while frame is not None:
            module = frame.f_globals.get("__name__")  # anything, where code is run by exec()
            if frame.f_code.co_name in names and isinstance(module, str) and module.split(".", 1)[0] == package:
                return cls(frame)
            frame = frame.f_back
        return None

    def is_running(self) -> bool:
        """Return whether the call is still under way; may be asked on any thread."""
        frame = sys._current_frames().get(self._thread)  # noqa: SLF001  documented; there is no other way to ask
        while frame is not None:
            if id(frame) == self._frame_id and frame.f_code is self._code:
                return True
            frame = frame.f_back
        return False
