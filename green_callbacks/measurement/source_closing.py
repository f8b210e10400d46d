"""Closing sources, of which any may hang."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from green_callbacks.call_threads import Threads, call_once
from green_callbacks.measurement.timed_reads import name_of
from green_callbacks.sources.base import EnergySource
from green_callbacks.sources.common.opening import close_all
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

CLOSE_SECONDS: Final = 0.2
"""How long anybody waits for all sources to let go, in s; one that hangs is left to itself."""


def let_go(sources: Iterable[EnergySource], threads: Threads) -> None:
    """Close sources; one that hangs is left to itself.

    Args:
        sources: The sources.
        threads: What starts threads.
    """
    leaving = list(sources)
    if not leaving:
        return
    if not call_once(partial(close_all, leaving), "green_callbacks closer", threads, CLOSE_SECONDS):
        logger.warning("%s did not let go of its sensor in time, and is left to itself.", name_of(leaving[0]))
