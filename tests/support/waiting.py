"""Waits in tests for what another process does."""

import time


def until(is_so, seconds=20.0):
    """Return whether something becomes true within a time in s."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.01)
    return False
