"""Opens sources on a thread that can be left behind with a source that hangs."""

import weakref
from collections.abc import Callable, Iterable
from typing import Final

from green_callbacks.call_threads import CallThread, Threads
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.sources.base import EnergySource
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

OPEN_SECONDS: Final = 20.0
"""Longest time in s that training waits at the start for one source. A driver may need some seconds to wake."""
_JOIN_SECONDS: Final = 0.04
"""Longest wait for the end of the thread, in s. It ends at once unless it hangs."""


class Opener:
    """Opens sources one after the other, each within a time limit.

    Args:
        threads: The factory of its thread.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._thread: CallThread | None = None

    def open(self, source: EnergySource, also: Callable[[EnergySource], object] = lambda _: None) -> None:
        """Open a source.

        Args:
            source: The source.
            also: Function that is called with the open source, within the same time limit. Defaults to nothing.

        Raises:
            SourceUnavailableError: The source cannot be opened, or does not answer.
        """
        if self._thread is None:
            self._thread = thread = CallThread("green_callbacks opener")
            thread.start(self._threads)
            weakref.finalize(self, thread.stop).atexit = False  # an interrupt leaves no thread behind
        attempt = _Attempt(source, also)
        if not self._thread.ask(attempt).acquire(timeout=OPEN_SECONDS):
            attempt.is_given_up = True
            self.close()
            msg = (
                f"{type(source).__name__} did not open within {OPEN_SECONDS:.0f} s. Its devices are not measured. "
                "Check the sensor and its driver. For a GPU, check 'dmesg', and reboot if 'nvidia-smi' or 'amd-smi' "
                "hangs, too."
            )
            raise SourceUnavailableError(msg)
        if attempt.failure is not None:
            raise attempt.failure

    def close(self) -> None:
        """End the thread, unless it hangs."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()
            thread.join(_JOIN_SECONDS)


class _Attempt:
    """One attempt to open a source. Its result may come when nobody waits for it any more."""

    def __init__(self, source: EnergySource, also: Callable[[EnergySource], object]) -> None:
        self._source = source
        self._also = also
        self.failure: SourceUnavailableError | None = None
        self.is_given_up = False

    def __call__(self) -> None:
        try:
            self._source.open()
            self._also(self._source)
        except SourceUnavailableError as failure:
            self.failure = failure
        # A source may be the user's own, and may raise anything. It is left out like a source that cannot be opened.
        except (Exception, SystemExit) as failure:
            name = type(self._source).__name__
            logger.exception("%s cannot be opened.", name)
            self.failure = SourceUnavailableError(f"{name} cannot be opened ({failure}).")
            self.is_given_up = True
        if self.is_given_up:
            close_all([self._source])


def close_all(sources: Iterable[EnergySource]) -> None:
    """Close sources, whatever they raise.

    Args:
        sources: The sources.
    """
    for source in sources:
        try:
            source.close()
        # A source may be the user's own. Its failure must not keep the other sources open.
        except (Exception, SystemExit):
            logger.exception("%s cannot be closed.", type(source).__name__)
