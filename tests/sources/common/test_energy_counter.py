"""Whatever a counter shows, what is told of it can be true."""

from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.sources.common.device import Account
from green_callbacks.sources.common.energy_counter import CountedEnergy, CounterLimits

LIMITS = CounterLimits(largest_watts=1000.0, still_seconds=0.4, range_joules=65_532.0, wrap_seconds=65.0)
SHOWN = st.one_of(st.none(), st.floats(0, 65_532.0), st.sampled_from([0.0, 1.0, 65_532.0]))


@given(st.lists(st.tuples(st.floats(0.001, 30.0), SHOWN), max_size=40))
def test_what_is_told_can_be_true(answers: list[tuple[float, float | None]]):
    counted, now, joules = CountedEnergy(LIMITS, Account(0.0)).taken(100.0, 0.0), 0.0, 0.0
    for seconds, shown in answers:
        now += seconds
        counted = counted.lost("no answer") if shown is None else counted.taken(shown, now)
        reading = counted.reading(now, "cpu", "counter")
        assert reading.joules >= joules
        assert reading.joules <= LIMITS.largest_watts * (now + 1.25 * (len(answers) + 1))
        assert 0 <= reading.gap_seconds <= now + 1e-9
        assert isfinite(reading.above_joules)
        assert reading.above_joules >= 0
        joules = reading.joules


@given(st.lists(st.floats(0.01, 0.5), min_size=2, max_size=60), st.floats(5, 900), st.floats(0, 65_000))
def test_a_counter_that_works_is_exact_whenever_it_is_read(steps: list[float], watts: float, start: float):
    counted, now, shown = CountedEnergy(LIMITS, Account(0.0)).taken(start, 0.0), 0.0, start
    for seconds in steps:
        now += seconds
        shown = (shown + watts * seconds) % 65_532.0
        counted = counted.taken(shown, now)
    reading = counted.reading(now, "cpu", "counter")
    assert reading.joules == pytest.approx(watts * now, rel=1e-6)
    assert (reading.gap_seconds, reading.flags, reading.reason) == (0.0, (), None)


@given(st.floats(1, 200), st.floats(2, 60), st.floats(5, 300))
def test_a_standstill_is_a_gap_of_its_length(before: float, still: float, watts: float):
    counted, now, shown = CountedEnergy(LIMITS, Account(0.0)).taken(0.0, 0.0), 0.0, 0.0
    for is_moving, seconds in ((True, before), (False, still), (True, before)):
        for _ in range(int(seconds / 0.5)):
            now += 0.5
            shown += 0.5 * watts * is_moving
            counted = counted.taken(shown % 65_532.0, now)
    reading = counted.reading(now, "cpu", "counter")
    still = int(still / 0.5) * 0.5
    if before >= 0.5:
        assert still <= reading.gap_seconds <= still + 0.5
    assert watts * (now - reading.gap_seconds) == pytest.approx(reading.joules)
