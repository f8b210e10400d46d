"""Something that happens at a chosen line of the package, as a signal may at any."""

import faulthandler
import sys
from contextlib import contextmanager
from pathlib import Path

import green_callbacks

PACKAGE = Path(green_callbacks.__file__).parent
HANG_SECONDS = 60.0


class Injector:
    """Does something at the n-th line of some files that this thread executes.

    Args:
        files: The files, from the root of the package.
        at: Which line, from 1.
        work: What is done there.
    """

    def __init__(self, files, at, work):
        self.place, self._at, self._work, self._lines = "", at, work, 0
        self._files = {str(PACKAGE / name) for name in files}

    def __call__(self, frame, event, argument):
        if frame.f_code.co_filename not in self._files:
            return None
        if event == "line" and not self.place:
            self._lines += 1
            if self._lines == self._at:
                self.place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
                self._work()
        return self

    def run(self, work):
        """Do something under the eyes of the injector."""
        before = sys.gettrace()
        sys.settrace(self)
        try:
            work()
        finally:
            sys.settrace(before)


@contextmanager
def no_hang():
    """End the process with a traceback of all threads rather than wait for ever."""
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
