"""Polls of a source that several runs share."""

import threading
import time
from typing import Final

from green_callbacks.sources.base import EnergySource

_IN_TIME: Final = 0.75
"""Share of the interval within which a poll by another run makes a poll unnecessary."""


class Rota:
    """The last poll of a source, by which run and when.

    Attributes:
        at_it: Held during a poll.
        last: The last poll, or None before the first.
        seconds: Its monotonic time, in s.
    """

    def __init__(self) -> None:
        self.at_it = threading.Lock()
        self.last: Poll | None = None
        self.seconds = 0.0


class Poll:
    """Polls a source for one of the runs that share it. The other runs take over when that run ends.

    Args:
        source: The source.
        rota: The rota that these runs share.
    """

    def __init__(self, source: EnergySource, rota: Rota) -> None:
        self.source = source
        self._rota = rota

    @property
    def name(self) -> str:
        """What is asked, as the subject of a sentence."""
        return type(self.source).__name__

    @property
    def poll_seconds(self) -> float | None:
        """Interval of the polls, in s, or None for no polls."""
        return self.source.poll_seconds

    def poll(self) -> None:
        """Poll the source, unless another run does."""
        rota = self._rota
        if not rota.at_it.acquire(blocking=False):
            return
        try:
            now, period = time.monotonic(), self.poll_seconds or 0.0
            if rota.last is None or rota.last is self or now - rota.seconds >= _IN_TIME * period:
                rota.last, rota.seconds = self, now
                self._work()
        finally:
            rota.at_it.release()

    def _work(self) -> None:
        self.source.poll()


class Observation(Poll):
    """Asks a source what its devices do, for one of the runs that share it. It may hang without delaying a poll."""

    @property
    def name(self) -> str:
        """What is asked, as the subject of a sentence. The energy is not concerned if it hangs."""
        return f"{super().name}, asked what its devices do besides using energy,"

    @property
    def poll_seconds(self) -> float | None:
        """Interval of the questions, in s, or None for no questions."""
        return self.source.observe_seconds

    def _work(self) -> None:
        self.source.observe()
