import tempfile
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sensors import RaplTree

from green_callbacks.clock import ScriptedClock
from green_callbacks.meter import EnergyMeter, energy_between
from green_callbacks.records import Reading
from green_callbacks.sources import EnergySource, PowercapSource, ScriptedSource

SECONDS = st.floats(0, 1e4)
LAPS = st.lists(SECONDS, min_size=1, max_size=12)


class SteppedClock(ScriptedClock):
    """A clock whose time of day is set to anything now and then."""

    def __init__(self, days):
        super().__init__()
        self._days = days

    def now(self):
        return datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=self._days.pop() if self._days else 0)


class Counter(EnergySource):
    """Shows what it is told to show, one value per reading."""

    def __init__(self, values):
        self.values = iter(values)

    def read(self):
        joules, below, above = next(self.values)
        return {
            "gpu:0": Reading(joules=joules, component="gpu", method="counter", below_joules=below, above_joules=above)
        }


def assert_laps_add_up(snapshots):
    """Check that the laps add up to the last snapshot minus the first, for every device."""
    laps = [energy_between(*pair) for pair in pairwise(snapshots)]
    whole = energy_between(snapshots[0], snapshots[-1])
    for name, device in whole.items():
        if device.joules is not None:
            parts = [each[name].joules for each in laps]
            assert sum(part for part in parts if part is not None) == pytest.approx(device.joules, rel=1e-9, abs=1e-6)
            assert device.low_joules <= device.joules <= device.high_joules
        assert sum(each[name].duration_seconds for each in laps) == pytest.approx(device.duration_seconds)


@given(
    LAPS,
    st.lists(st.tuples(SECONDS, st.floats(1, 1e4)), max_size=2),
    st.lists(SECONDS, max_size=3),
    st.lists(st.integers(-900, 900)),
)
def test_laps_add_up_under_losses_resets_and_clock_steps(laps, losses, resets, days):
    clock = SteppedClock(days)
    edges = list(accumulate(seconds for loss in losses for seconds in loss))
    lost = list(zip(edges[::2], edges[1::2], strict=True))
    power = {"gpu:0": 300.0, "gpu:1": 45.5}
    meter = EnergyMeter([ScriptedSource(power, lost_seconds=lost, reset_seconds=resets, clock=clock)], clock)
    meter.open()
    snapshots = [meter.read()]
    for seconds in laps:
        clock.advance(seconds)
        snapshots.append(meter.read())
    meter.close()
    assert_laps_add_up(snapshots)
    if not losses and not resets:
        joules = energy_between(snapshots[0], snapshots[-1])["gpu:0"].joules
        assert joules == pytest.approx(300.0 * sum(laps), rel=1e-9, abs=1e-6)


VALUES = st.tuples(st.none() | st.floats(0, 1e9), st.floats(0, 50), st.floats(0, 50))


@given(st.lists(VALUES, min_size=2, max_size=15))
def test_laps_add_up_whatever_a_counter_shows(values):
    meter = EnergyMeter([Counter(values)], ScriptedClock())
    meter.open()
    snapshots = [meter.read() for _ in values]
    tallies = [snapshot.tallies["gpu:0"].joules for snapshot in snapshots]
    assert all(before <= after for before, after in pairwise(tallies))
    assert_laps_add_up(snapshots)


@given(st.lists(st.integers(1, 900_000_000), min_size=1, max_size=10))
def test_laps_add_up_under_wraps(steps):
    with tempfile.TemporaryDirectory() as folder:
        tree, clock = RaplTree(Path(folder)), ScriptedClock()
        tree.add("intel-rapl:0", "package-0", microjoules=0, range_microjoules=1_000_000_000)
        meter = EnergyMeter([PowercapSource(folder, clock=clock)], clock)
        meter.open()
        snapshots, shown = [meter.read()], 0
        for step in steps:
            shown = (shown + step) % 1_000_000_000
            tree.counter("intel-rapl:0").write_text(f"{shown}\n", encoding="ascii")
            clock.advance(1)
            snapshots.append(meter.read())
        meter.close()
    assert_laps_add_up(snapshots)
    (device,) = energy_between(snapshots[0], snapshots[-1]).values()
    assert device.joules == pytest.approx(sum(steps) / 1e6)
