"""The phase of a counter, from the intervals in which it was seen to refresh."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.sources.nvidia.counter.refresh_phase import CounterPhase


def learned(period: float, offset: float, sightings: list[int], half: float) -> CounterPhase:
    phase = CounterPhase()
    for number in sightings:
        refresh = offset + number * period
        phase.observe(refresh - half, refresh + half)
    return phase


def test_nothing_is_known_before_two_refreshes():
    phase = CounterPhase()
    assert phase.elapsed(1.0) is None
    phase.observe(0.9, 1.0)
    assert phase.elapsed(1.0) is None
    assert phase.period_seconds is None


@given(
    period=st.one_of(st.floats(0.0985, 0.1015), st.floats(0.0197, 0.0203)),
    offset=st.floats(0.0, 100.0),
    later=st.floats(0.0, 1.5),
)
def test_a_steady_counter_is_known_to_a_millisecond(period: float, offset: float, later: float):
    sightings = [0, 1, 4, 9, 15, 24, 33, 45, 60, 75]
    phase = learned(period, offset, sightings, 0.0008)
    now = offset + (sightings[-1] + later) * period
    elapsed = phase.elapsed(now)
    assert elapsed is not None
    assert phase.period_seconds == pytest.approx(period, rel=1e-3)
    off = (elapsed[0] - later * period + period / 2) % period - period / 2
    assert abs(off) <= 0.001
    assert elapsed[1] < 0.005


def test_a_first_coarse_sighting_is_rounded_to_a_period_that_gpus_have():
    phase = learned(0.103, 0.0, [0, 1], 0.006)
    assert phase.period_seconds == pytest.approx(0.1, abs=0.002)


def test_a_period_that_no_gpu_is_known_for_is_taken_as_it_is():
    phase = learned(0.033, 0.0, [0, 1, 2, 4], 0.001)
    assert phase.period_seconds == pytest.approx(0.033, rel=0.02)


def test_jitter_widens_what_is_said():
    steady, jittery = CounterPhase(), CounterPhase()
    for number in range(40):
        steady.observe(number * 0.1 - 0.001, number * 0.1 + 0.001)
        off = 0.008 if number % 2 else -0.008
        jittery.observe(number * 0.1 + off - 0.001, number * 0.1 + off + 0.001)
    calm, wild = steady.elapsed(4.0), jittery.elapsed(4.0)
    assert calm is not None
    assert wild is not None
    assert wild[1] > 4 * calm[1]
    assert steady.is_sharp(4.0)
    assert not jittery.is_sharp(4.0)


def test_a_phase_not_seen_for_long_is_not_known_any_more():
    phase = learned(0.1, 0.0, [0, 1, 2], 0.004)
    assert phase.elapsed(0.25) is not None
    assert phase.elapsed(100.0) is None


def test_a_refresh_that_did_not_come_is_a_doubt():
    phase = learned(0.1, 0.0, list(range(9)), 0.001)
    before = phase.elapsed(1.0)
    phase.doubt()
    after = phase.elapsed(1.0)
    assert before is not None
    assert after is None or after[1] > before[1]


def test_the_same_refresh_seen_twice_is_one():
    phase = learned(0.1, 0.0, list(range(9)), 0.001)
    before = phase.elapsed(0.85)
    phase.observe(0.799, 0.801)
    assert phase.elapsed(0.85) == before
