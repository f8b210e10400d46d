import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from green_callbacks.clock import ScriptedClock, SystemClock


def test_the_machines_clocks_go_forward_and_know_their_zone():
    clock = SystemClock()
    before, when = clock.monotonic(), clock.now()
    assert clock.monotonic() >= before
    assert when.tzinfo is UTC
    assert abs(when - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_scripted_clock_moves_only_when_told():
    clock = ScriptedClock(datetime(2026, 3, 1, tzinfo=UTC))
    assert (clock.monotonic(), clock.now()) == (0.0, datetime(2026, 3, 1, tzinfo=UTC))
    clock.advance(90)
    assert (clock.monotonic(), clock.now()) == (90.0, datetime(2026, 3, 1, 0, 1, 30, tzinfo=UTC))


def test_a_scripted_clock_does_not_run_backwards():
    with pytest.raises(ValueError, match="backwards"):
        ScriptedClock().advance(-1)


def test_threads_may_advance_a_scripted_clock_together():
    clock = ScriptedClock()

    def advance():
        for _ in range(5_000):
            clock.advance(1)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=advance) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert clock.monotonic() == 20_000
