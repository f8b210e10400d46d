"""Closes sources, although any of them may hang."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from green_callbacks.call_threads import Threads, call_once
from green_callbacks.measurement.read_time_limit import name_of
from green_callbacks.sources.base import EnergySource
from green_callbacks.sources.common.opening import close_all
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

CLOSE_SECONDS: Final = 0.2
"""Longest time to wait until all sources are closed, in s. A source that hangs is left to itself."""


def let_go(sources: Iterable[EnergySource], threads: Threads) -> None:
    """Close sources. A source that hangs is left to itself.

    Args:
        sources: The sources.
        threads: Starts threads.
    """
    leaving = list(sources)
    if not leaving:
        return
    if not call_once(partial(close_all, leaving), "green_callbacks closer", threads, CLOSE_SECONDS):
        logger.warning("%s did not close its sensor in time, and is left to itself.", name_of(leaving[0]))
