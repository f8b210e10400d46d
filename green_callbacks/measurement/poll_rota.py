"""Polling a source once, though several runs share it."""

import threading
import time
from typing import Final

from green_callbacks.sources.base import EnergySource

_IN_TIME: Final = 0.75
"""A source that another run has polled within so much of its period needs no poll."""


class Rota:
    """Who has polled a source last, and when."""

    def __init__(self) -> None:
        self.at_it = threading.Lock()
        self.last: Poll | None = None
        self.seconds = 0.0


class Poll:
    """Polls a source for one of the runs that share it; the others stand by, and go on when that run ends.

    Args:
        source: The source.
        rota: What those runs have in common.
    """

    def __init__(self, source: EnergySource, rota: Rota) -> None:
        self.source = source
        self._rota = rota

    @property
    def poll_seconds(self) -> float | None:
        """How often the source wants to be polled, in s, or None for never."""
        return self.source.poll_seconds

    def poll(self) -> None:
        """Poll the source, unless another run does."""
        rota = self._rota
        if not rota.at_it.acquire(blocking=False):
            return
        try:
            now, period = time.monotonic(), self.source.poll_seconds or 0.0
            if rota.last is None or rota.last is self or now - rota.seconds >= _IN_TIME * period:
                rota.last, rota.seconds = self, now
                self.source.poll()
        finally:
            rota.at_it.release()
