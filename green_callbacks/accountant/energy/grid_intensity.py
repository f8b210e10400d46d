"""The carbon intensity of a run, also while its provider fails."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from green_callbacks.accountant.notices import Notices
from green_callbacks.call_threads import CallThread, Threads
from green_callbacks.carbon import CarbonIntensity, ConstantIntensity, checked_intensity
from green_callbacks.carbon.energy_weighted import Piece, energy_weighted
from green_callbacks.clock import Clock
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import WORLD, Intensity
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_LIMIT_SECONDS: Final = 0.04
"""Longest time that training waits for a provider of the user's own, in s."""
_FIRST_SECONDS: Final = 5.0
"""Longest time to wait for a provider at the start of a run, in s, before its first epoch."""


class GridIntensity:
    """Asks a provider of carbon intensity. Keeps the last good answer while the provider gives none.

    Providers of the package answer from memory. A provider of the user's own is asked on a thread of its own, for which
    training waits a limited time.

    Args:
        provider: The provider.
        clock: The clock of the run.
        threads: Starts threads.
        notices: Receives a provider that gives no answer. Defaults to a new list.
    """

    def __init__(
        self, provider: CarbonIntensity, clock: Clock, threads: Threads, notices: Notices | None = None
    ) -> None:
        self._provider = provider
        self._clock = clock
        self._threads = threads
        self._thread: CallThread | None = None
        self._last: Intensity | None = None
        self._is_instant = _is_instant(provider)
        self._notices = notices or Notices()
        self._constant = provider.intensity if type(provider) is ConstantIntensity else None

    def now(self) -> Intensity:
        """Return the intensity now, for the start of a run."""
        now = self._clock.now()
        return self._asked(partial(self._provider.at, now), _FIRST_SECONDS)

    def over(self, pieces: Sequence[Piece]) -> Intensity:
        """Return the mean over an interval.

        Args:
            pieces: The pieces of the interval in order, at least one.
        """
        if self._constant is not None:
            return self._constant
        return self._asked(partial(energy_weighted, self._provider, pieces), _LIMIT_SECONDS)

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.stop()

    def _asked(self, question: Callable[[], Intensity], seconds: float) -> Intensity:
        answer = _Answer(question, self._last)
        if self._is_instant:
            answer()
        else:
            self._wait_for(answer, seconds)
        if answer.value is not None:
            self._last = answer.value
            return answer.value
        self._say(answer.reason)
        last = self._last or WORLD
        return last if "stale" in last.flags else replace(last, flags=(*last.flags, "stale"))

    def _wait_for(self, answer: "_Answer", seconds: float) -> None:
        if self._thread is None:
            self._thread = CallThread("green_callbacks provider")
            self._thread.start(self._threads)
        began = time.monotonic()
        if self._thread.is_busy or not self._thread.ask(answer).acquire(timeout=seconds):
            answer.reason = answer.reason or f"no answer within {max(seconds, time.monotonic() - began):.2g} s"

    def _say(self, reason: str) -> None:
        self._notices.say(
            "grid",
            "The carbon intensity provider %s gave no answer that can be used (%s). Its last one stands in, or "
            "the world average, flagged 'stale', until it does.",
            type(self._provider).__name__,
            reason,
        )


class _Answer:
    """A question to a provider, and its answer.

    Args:
        question: Asks the provider.
        last: The last good answer, or None before the first.
    """

    def __init__(self, question: Callable[[], Intensity], last: Intensity | None) -> None:
        self._question = question
        self._last = last
        self.value: Intensity | None = None
        self.reason = ""

    def __call__(self) -> None:
        try:
            value = self._question()
            self.value = value if value is self._last else checked_intensity(value)
        except ConfigurationError as reason:
            self.reason = str(reason)
        # A provider may be the user's own and raise anything. The energy is accounted all the same.
        except (Exception, SystemExit) as failure:
            logger.debug("The provider failed.", exc_info=True)
            self.reason = f"{type(failure).__name__}: {failure}"


def _is_instant(provider: CarbonIntensity) -> bool:
    """Return whether the author of each method of a provider declares that it answers from memory."""
    kinds = type(provider).__mro__
    owners = {next((kind for kind in kinds if name in vars(kind)), None) for name in ("at", "over")} - {None}
    return all(vars(owner).get("is_instant", False) is True for owner in owners if owner is not None)
