import threading
import time

import pytest

from green_callbacks.call_threads import Threads
from green_callbacks.clock import ScriptedClock, SystemClock
from green_callbacks.measurement.gauge import Gauge
from green_callbacks.measurement.registry import Registry
from green_callbacks.sources import ScriptedSource

LONG_SECONDS = 30.0


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def gauges():
    clock = SystemClock()
    made = [Gauge(clock, Threads()) for _ in range(3)]
    yield made
    for gauge in made:
        gauge.close()


def devices(claims):
    return {gauge: set(claim.devices) for gauge, claim in claims.items()}


def test_the_first_that_claims_a_device_measures_it_for_all(registry, gauges):
    one, two, three = gauges
    assert devices(registry.claim({"a", "b"}, one)) == {one: {"a", "b"}}
    assert devices(registry.claim({"b", "c"}, two)) == {two: {"c"}, one: {"b"}}
    assert devices(registry.claim({"a", "c", "d"}, three)) == {three: {"d"}, one: {"a"}, two: {"c"}}


def test_a_gauge_is_needed_as_long_as_anybody_claims_a_device_of_it(registry, gauges):
    one, two, _ = gauges
    first, second = registry.claim({"a", "b"}, one), registry.claim({"b"}, two)
    registry.give_up(one, first[one])
    assert registry.needed(one) == {"b"}
    assert registry.claims_of(two) == [(one, second[one]), (two, second[two])]
    registry.give_up(one, second[one])
    registry.give_up(one, second[one])
    assert registry.needed(one) == frozenset()
    assert devices(registry.claim({"b"}, two)) == {two: {"b"}}


def test_devices_by_other_clocks_are_others(registry, gauges):
    scripted, same = ScriptedClock(), SystemClock()
    registry.claim({"a"}, gauges[0])
    assert devices(registry.claim({"a"}, apart := Gauge(scripted, Threads()))) == {apart: {"a"}}
    assert devices(registry.claim({"a"}, joining := Gauge(same, Threads()))) == {joining: set(), gauges[0]: {"a"}}


def test_a_source_is_closed_by_the_last_that_needs_it(registry, gauges):
    source, one, two = ScriptedSource(), *gauges[:2]
    registry.hold(source, one)
    registry.hold(source, two)
    assert registry.release([source], one) == []
    assert registry.release([source], one) == []
    assert registry.release([source], two) == [source]
    registry.closed([source])
    registry.closed([source])


def test_who_opens_a_source_waits_until_another_has_closed_it(registry, gauges):
    source, one, two = ScriptedSource(), *gauges[:2]
    registry.hold(source, one)
    assert registry.release([source], one) == [source]
    opening = threading.Thread(target=registry.hold, args=(source, two))
    opening.start()
    time.sleep(0.05)
    assert opening.is_alive()
    registry.closed([source])
    opening.join(LONG_SECONDS)
    assert not opening.is_alive()
    assert registry.release([source], two) == [source]


def test_a_source_is_lent_by_a_gauge_that_has_claimed_something(registry, gauges):
    source, one = ScriptedSource(), gauges[0]
    registry.hold(source, one)
    assert registry.lender(source, SystemClock()) is None
    registry.claim({"a"}, one)
    assert registry.lender(source, SystemClock()) is one
    assert registry.lender(source, ScriptedClock()) is None
