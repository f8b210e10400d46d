import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sensors import AMD_RANGE_MICROJOULES, RaplTree

from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import (
    CallableSource,
    EnergySource,
    PlatformSource,
    PowercapSource,
    PowerSteps,
    ScriptedSource,
)

watts = st.floats(0, 900)
awake = st.floats(1, 900)  # a package that draws nothing for seconds is one whose counter stands still
seconds = st.floats(0, 1e5)
NODES = ("intel-rapl:0", "intel-rapl:1")


def only(source: EnergySource):
    (reading,) = source.read().values()
    return reading


@settings(max_examples=40, deadline=None)
@given(
    start=st.integers(0, AMD_RANGE_MICROJOULES - 1),
    trace=st.lists(st.tuples(st.floats(0, 21.8), awake, awake, st.booleans()), min_size=1, max_size=40),
)
def test_laps_of_a_wrapping_counter_add_up_to_the_truth(start: int, trace: list[tuple[float, float, float, bool]]):
    """Whatever two sockets do, and whether a step is seen by a lap's edge or by a poll within the lap."""
    with tempfile.TemporaryDirectory() as folder:
        clock, tree = ScriptedClock(), RaplTree(Path(folder))
        for socket, node in enumerate(NODES):
            tree.add(node, f"package-{socket}", microjoules=start, range_microjoules=AMD_RANGE_MICROJOULES)
        source = PowercapSource(tree.root, clock=clock)
        source.open()
        edges, truth = [source.read()], [0.0, 0.0]
        for duration, *powers, is_edge in trace:
            clock.advance(duration)
            for socket, (node, power) in enumerate(zip(NODES, powers, strict=True)):
                used = round(power * duration, 6)
                truth[socket] += used
                tree.use(node, used, range_microjoules=AMD_RANGE_MICROJOULES)
            if is_edge:
                edges.append(source.read())
            else:
                source.poll()
        edges.append(source.read())
    for socket in (0, 1):
        name = f"cpu:package-{socket}"
        laps = [after[name].joules - before[name].joules for before, after in pairwise(edges)]
        assert all(lap >= 0 for lap in laps)
        assert sum(laps) == pytest.approx(truth[socket], rel=1e-9, abs=1e-3)
        assert edges[-1][name].gap_seconds == 0.0
        assert {"reset", "wraps_unseen"}.isdisjoint(edges[-1][name].flags)


@given(power=watts, durations=st.lists(seconds, min_size=1, max_size=20))
def test_constant_power_is_exact_whatever_the_laps(power: float, durations: list[float]):
    clock = ScriptedClock()
    sources = [ScriptedSource(power, clock=clock), PlatformSource(power, clock=clock)]
    for source in sources:
        source.open()
    for duration in durations:
        clock.advance(duration)
        for source in sources:
            assert only(source).joules == pytest.approx(power * clock.monotonic(), rel=1e-12)


@given(
    steps=st.lists(st.tuples(st.floats(0.001, 1e3), watts), min_size=1, max_size=10),
    cut=st.floats(0, 1),
)
def test_steps_of_power_add_up(steps: list[tuple[float, float]], cut: float):
    starts = [0.0]
    for duration, _ in steps[:-1]:
        starts.append(starts[-1] + duration)
    energy = PowerSteps([(start, power) for start, (_, power) in zip(starts, steps, strict=True)])
    end = starts[-1] + steps[-1][0]
    assert energy(end) == pytest.approx(sum(duration * power for duration, power in steps), rel=1e-9, abs=1e-9)
    assert 0 <= energy(cut * end) <= energy(end)


@given(
    power=watts,
    loss=st.tuples(st.floats(0.1, 50), st.floats(0.1, 50)),
    durations=st.lists(st.floats(0, 20), max_size=20),
)
def test_a_counter_that_went_on_while_lost_loses_nothing(
    power: float, loss: tuple[float, float], durations: list[float]
):
    start, length = loss
    clock = ScriptedClock()
    source = ScriptedSource(power, lost_seconds=[(start, start + length)], clock=clock)
    source.open()
    before = 0.0
    for duration in durations:
        clock.advance(duration)
        reading = only(source)
        assert reading.joules >= before
        assert reading.joules == pytest.approx(power * (clock.monotonic() - reading.gap_seconds), rel=1e-9, abs=1e-9)
        before = reading.joules
    clock.advance(start + length)
    assert only(source).joules == pytest.approx(power * clock.monotonic(), rel=1e-12)


@given(
    steps=st.lists(st.tuples(st.floats(0.01, 2.9), watts, st.floats(0, 1)), min_size=1, max_size=20),
    first=watts,
)
def test_trapezoids_of_a_power_are_exact_where_it_is_linear_whoever_reads_between(
    steps: list[tuple[float, float]], first: float
):
    clock, shown = ScriptedClock(), [first]
    source = CallableSource(lambda: shown[-1], clock=clock)
    source.open()
    truth = told = 0.0
    for duration, power, when in steps:
        clock.advance(duration * when)
        between = only(source).joules
        assert between >= told
        clock.advance(duration * (1 - when))
        truth += (shown[-1] + power) / 2 * duration
        shown.append(power)
        source.poll()
        reading = only(source)
        told = reading.joules
        assert told >= between
        assert told - reading.below_joules == pytest.approx(truth, rel=1e-9, abs=1e-6)
