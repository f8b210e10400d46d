import threading

import pytest

from green_callbacks import measure
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource


def test_a_block_is_measured():
    clock = ScriptedClock()
    with measure([ScriptedSource({"gpu:0": 300.0, "gpu:1": 100.0}, clock=clock)]) as window:
        assert window.energy_joules is None
        clock.advance(5)
    assert window.energy_joules == window.low_joules == window.high_joules == 2000.0
    assert window.devices["gpu:1"].joules == 500.0
    assert window.duration_seconds >= 0.0


def test_a_block_that_raises_is_measured_too_and_leaves_nothing_behind():
    clock, source = ScriptedClock(), None

    def fail():
        nonlocal source, window
        source = ScriptedSource(300.0, clock=clock)
        with measure([source]) as window:
            clock.advance(2)
            raise KeyError(0)

    window = None
    with pytest.raises(KeyError, match="0"):
        fail()
    assert window.energy_joules == 600.0
    assert source.read() == {}


def test_nothing_to_measure_is_none():
    with measure([]) as window:
        pass
    assert (window.energy_joules, window.low_joules, window.high_joules, dict(window.devices)) == (None, None, None, {})


def test_sources_are_polled_on_another_thread_meanwhile():
    polled, names = threading.Event(), set()

    class Polled(ScriptedSource):
        poll_seconds = 0.001

        def poll(self):
            names.add(threading.current_thread().name)
            polled.set()

    with measure([Polled(300.0)]):
        assert polled.wait(30)
    assert names == {"green_callbacks measure"}


def test_the_machine_is_measured_by_default():
    with measure() as window:
        sum(range(100_000))
    assert window.duration_seconds > 0
    assert window.devices
