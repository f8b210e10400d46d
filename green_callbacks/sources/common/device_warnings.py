"""Warnings about devices, each given once."""

from green_callbacks.sources.common.energy_counter import CountedEnergy
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)


def warn_if_still(name: str, counted: CountedEnergy, now: float, remedy: str, warned: set[str]) -> bool:
    """Warn of a counter that stands still, once.

    Args:
        name: Name of the device.
        counted: Its counter.
        now: Monotonic time in s.
        remedy: The remedy, as a sentence.
        warned: Earlier warnings, to which this one is added.

    Returns:
        Whether the counter stands still, so that no other warning is due.
    """
    if not counted.is_still:
        return False
    key = f"{name} stands still"
    if counted.is_worth_a_warning(now) and key not in warned:
        warned.add(key)
        logger.warning(
            "The energy counter of %s stands still. Its energy is missing until the counter moves. %s", name, remedy
        )
    return True
