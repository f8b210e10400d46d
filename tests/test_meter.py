import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from support.sensors import RaplTree

from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.measurement import source_closing as closing
from green_callbacks.meter import EnergyMeter, energy_between
from green_callbacks.records import Reading
from green_callbacks.sources import EnergySource, PowercapSource, ScriptedSource
from green_callbacks.sources.common import opening


class Told(EnergySource):
    """Reads what it is told; None for a device that does not answer."""

    def __init__(self, name="gpu:0", **fields):
        self.name, self.fields, self.joules = name, fields, 0.0
        self.opened = self.closed = 0

    def open(self):
        self.opened += 1

    def read(self):
        fields = {"component": "gpu", "method": "counter", **self.fields}
        return {self.name: Reading(joules=self.joules, **fields)}

    def close(self):
        self.closed += 1


@pytest.fixture
def clock():
    return ScriptedClock()


def metered(clock, *sources):
    meter = EnergyMeter(sources, clock)
    meter.open()
    return meter


def lap(meter, clock, first=None, seconds=10.0):
    first = first or meter.read()
    clock.advance(seconds)
    return energy_between(first, meter.read())


class Laps:
    """Laps of 10 s that share their edges, as those of a run do."""

    def __init__(self, meter, clock):
        self.meter, self.clock, self.edges = meter, clock, [meter.read()]

    def next(self):
        self.clock.advance(10)
        self.edges.append(self.meter.read())
        return energy_between(*self.edges[-2:])

    def whole(self):
        return energy_between(self.edges[0], self.edges[-1])


def test_energy_is_the_difference_of_two_snapshots(clock):
    meter = metered(clock, ScriptedSource(300.0, clock=clock))
    device = lap(meter, clock)["scripted:0"]
    assert (device.joules, device.low_joules, device.high_joules) == (3000.0, 3000.0, 3000.0)
    assert (device.duration_seconds, device.gap_seconds, device.mean_watts) == (10.0, 0.0, 300.0)
    assert (device.component, device.method, device.flags) == ("gpu", "counter", ())
    meter.close()


def test_a_snapshot_says_when(clock):
    clock.advance(3)
    snapshot = metered(clock).read()
    assert snapshot.seconds == 3
    assert snapshot.when == datetime(2025, 1, 1, 0, 0, 3, tzinfo=UTC)


def test_the_machines_clock_is_the_default():
    first, second = EnergyMeter([]).read(), EnergyMeter([]).read()
    assert second.seconds >= first.seconds
    assert abs(first.when - datetime.now(UTC)) < timedelta(minutes=1)


def test_what_is_off_at_both_edges_alike_does_not_widen_the_bounds(clock):
    source = Told(lag_joules=50.0)
    meter = metered(clock, source)
    first = meter.read()
    source.joules = 1000.0
    even = energy_between(first, meter.read())["gpu:0"]
    assert (even.low_joules, even.high_joules) == (1000.0, 1000.0)
    source.fields["lag_joules"] = 30.0
    uneven = energy_between(first, meter.read())["gpu:0"]
    assert (uneven.low_joules, uneven.high_joules) == (980.0, 1020.0)


def test_what_went_unseen_between_samples_counts_where_it_did(clock):
    source = Told(method="sampled")
    meter = metered(clock, source)
    snapshots = []
    for joules, square in ((0.0, 7.0), (1000.0, 7.0), (2000.0, 16.0), (3000.0, 32.0)):
        source.joules, source.fields["walk_square_joules"] = joules, square
        snapshots.append(meter.read())
    widths = [
        (device := energy_between(first, last)["gpu:0"]).high_joules - device.low_joules
        for first, last in pairwise(snapshots)
    ]
    assert widths == pytest.approx([0.0, 6.0, 8.0])
    whole = energy_between(snapshots[0], snapshots[-1])["gpu:0"]
    assert whole.high_joules - whole.low_joules == pytest.approx(10.0)


def test_edges_widen_the_bounds_and_models_their_tolerance(clock):
    source = Told(below_joules=3.0, above_joules=4.0)
    model = Told("cpu:0", method="modelled", tolerance=0.5)
    meter = metered(clock, source, model)
    first = meter.read()
    source.joules = model.joules = 100.0
    clock.advance(1)
    devices = energy_between(first, meter.read())
    assert (devices["gpu:0"].low_joules, devices["gpu:0"].high_joules) == (95.0, 105.0)
    assert (devices["cpu:0"].low_joules, devices["cpu:0"].high_joules) == (50.0, 150.0)


def test_a_lower_bound_is_never_below_zero(clock):
    source = Told(below_joules=50.0)
    meter = metered(clock, source)
    first = meter.read()
    source.joules = 10.0
    assert lap(meter, clock, first)["gpu:0"].low_joules == 0.0


def test_a_counter_that_falls_began_anew_from_zero(clock):
    source = Told()
    source.joules = 1000.0
    meter = metered(clock, source)
    first = meter.read()
    source.joules = 1500.0
    meter.read()
    source.joules = 200.0
    device = lap(meter, clock, first)["gpu:0"]
    assert (device.joules, device.flags) == (700.0, ("reset",))
    source.joules = 250.0
    assert lap(meter, clock)["gpu:0"].flags == ()


def test_a_fall_within_the_uncertainty_is_waited_for(clock):
    source = Told(below_joules=20.0, above_joules=3.0)
    meter = metered(clock, source)
    first = meter.read()
    source.joules = 100.0
    second = meter.read()
    source.joules = 90.0  # it had been estimated too high
    third = meter.read()
    source.joules = 130.0
    last = meter.read()
    held = energy_between(second, third)["gpu:0"]
    assert (held.joules, held.flags) == (0.0, ())
    assert energy_between(third, last)["gpu:0"].joules == 30.0
    assert energy_between(first, last)["gpu:0"].joules == 130.0
    assert energy_between(first, third)["gpu:0"].low_joules <= 90.0 - 20.0


def test_a_device_that_never_answers_is_not_measured(clock):
    source = Told()
    source.joules = None
    meter = metered(clock, source)
    device = lap(meter, clock)["gpu:0"]
    assert (device.joules, device.low_joules, device.high_joules, device.mean_watts) == (None,) * 4
    assert device.gap_seconds == device.duration_seconds == 10.0


def test_a_device_that_appears_later_counts_from_then_on(clock):
    source = Told()
    source.joules = None
    meter = metered(clock, source)
    first = meter.read()
    source.joules = 5000.0
    meter.read()
    source.joules = 5100.0
    assert lap(meter, clock, first)["gpu:0"].joules == 100.0


def test_a_device_that_stops_answering_keeps_what_it_had_and_catches_up(clock):
    source = Told()
    laps = Laps(metered(clock, source), clock)
    source.joules = 100.0
    assert laps.next()["gpu:0"].joules == 100.0
    source.joules = None
    silent = laps.next()["gpu:0"]
    assert (silent.joules, silent.gap_seconds) == (None, 10.0)
    source.joules = 150.0
    back = laps.next()["gpu:0"]
    assert (back.joules, back.flags) == (50.0, ("catch_up",))
    assert back.low_joules <= 25.0 <= back.high_joules
    source.joules = 175.0
    after = laps.next()["gpu:0"]
    assert (after.joules, after.flags, after.gap_seconds) == (25.0, (), 0.0)
    whole = laps.whole()["gpu:0"]
    assert (whole.joules, whole.gap_seconds) == (175.0, 0.0)
    laps.meter.close()


def test_a_device_of_which_its_source_tells_nothing_any_more_is_not_measured_and_catches_up(clock):
    class Two(Told):
        is_there = True

        def read(self):
            readings = {**super().read(), "gpu:1": Reading(self.joules, "gpu", "counter")}
            return readings if self.is_there else {"gpu:1": readings["gpu:1"]}

    source = Two()
    laps = Laps(metered(clock, source), clock)
    source.is_there, source.joules = False, 100.0
    devices = [laps.next(), laps.next()]
    assert [(each["gpu:0"].joules, each["gpu:0"].gap_seconds) for each in devices] == [(None, 10.0)] * 2
    assert [each["gpu:1"].joules for each in devices] == [100.0, 0.0]
    source.is_there, source.joules = True, 300.0
    back = laps.next()
    assert (back["gpu:0"].joules, back["gpu:0"].flags) == (300.0, ("catch_up",))
    assert (back["gpu:1"].joules, back["gpu:1"].flags) == (200.0, ())
    assert back["gpu:0"].low_joules <= 200.0 <= back["gpu:0"].high_joules
    laps.meter.close()


def test_a_device_that_is_new_in_the_last_snapshot_is_not_measured(clock):
    source = Told()
    first = metered(clock).read()
    clock.advance(10)
    device = energy_between(first, metered(clock, source).read())["gpu:0"]
    assert (device.joules, device.gap_seconds) == (None, 10.0)


def test_a_gap_over_the_whole_lap_is_nothing_measured_and_one_within_it_is_told(clock):
    meter = metered(clock, ScriptedSource(100.0, lost_seconds=[(10, 25)], clock=clock))
    before = lap(meter, clock)["scripted:0"]
    lost = lap(meter, clock)["scripted:0"]
    back = lap(meter, clock)["scripted:0"]
    assert (before.joules, before.gap_seconds) == (1000.0, 0.0)
    assert (lost.joules, lost.gap_seconds) == (None, 10.0)
    assert (back.joules, back.gap_seconds) == (2000.0, 0.0)


def test_a_lap_of_no_time_measures_no_energy_and_no_gap(clock):
    meter = metered(clock, ScriptedSource(100.0, clock=clock))
    device = lap(meter, clock, seconds=0.0)["scripted:0"]
    assert (device.joules, device.gap_seconds, device.mean_watts) == (0.0, 0.0, None)


def test_a_source_that_cannot_be_opened_is_left_out_with_its_remedy(clock, caplog, tmp_path):
    broken, good = PowercapSource(tmp_path / "nothing"), ScriptedSource(clock=clock)
    meter = metered(clock, broken, good)
    assert meter.open_sources == (good,)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert lap(meter, clock).keys() == {"scripted:0"}
    with pytest.raises(SourceUnavailableError):
        EnergyMeter([broken]).open(strict=True)
    meter.close()


def test_a_device_that_two_sources_read_counts_once(clock, caplog):
    meter = metered(clock, ScriptedSource(300.0, clock=clock), ScriptedSource(100.0, clock=clock))
    first = meter.read()
    for _ in range(3):
        assert lap(meter, clock)["scripted:0"].joules == 3000.0
    assert energy_between(first, meter.read())["scripted:0"].joules == 9000.0
    (said,) = caplog.records
    assert said.message.startswith("Two sources read scripted:0. Only the first counts.")
    meter.close()


def test_a_settled_reading_waits_where_a_source_can(clock):
    class Settling(Told):
        def read_settled(self):
            self.joules += 1.0
            return self.read()

    meter = metered(clock, Settling())
    assert meter.read().tallies["gpu:0"].reading.joules == 0.0
    assert meter.read(settled=True).tallies["gpu:0"].reading.joules == 1.0


def test_sources_of_which_no_device_counts_are_closed(clock):
    ours, theirs = Told("gpu:0"), Told("gpu:1")
    meter = metered(clock, ours, theirs)
    meter.read()
    assert meter.share({"gpu:0"}) is None
    assert (ours.closed, theirs.closed) == (0, 1)
    assert meter.open_sources == (ours,)
    meter.close()
    meter.close()
    assert (ours.closed, theirs.closed) == (1, 1)


def test_a_meter_that_is_opened_again_starts_afresh(clock):
    source = Told()
    meter = metered(clock, source)
    source.joules = 100.0
    assert lap(meter, clock)["gpu:0"].joules == 0.0
    meter.close()
    assert meter.read().tallies == {}
    meter.open()
    assert meter.read().tallies["gpu:0"].joules == 0.0
    meter.close()


def test_a_wrap_of_a_range_that_the_source_knows_is_not_a_reset(clock, tmp_path):
    tree = RaplTree(tmp_path)
    tree.add("intel-rapl:0", "package-0", microjoules=999_000_000, range_microjoules=1_000_000_000)
    meter = metered(clock, PowercapSource(tmp_path, clock=clock))
    first = meter.read()
    tree.counter("intel-rapl:0").write_text("4000000\n", encoding="ascii")
    (device,) = lap(meter, clock, first).values()
    assert device.joules == pytest.approx(5.0)
    assert "reset" not in device.flags
    meter.close()


LONG_SECONDS = 30.0


class Hanging(Told):
    """Hangs where it is told to, until it is let go."""

    def __init__(self, where, **fields):
        super().__init__(**fields)
        self.where, self.gate = where, threading.Event()

    def open(self):
        self._wait("open")
        super().open()

    def close(self):
        self._wait("close")
        super().close()

    def _wait(self, where):
        if where == self.where:
            self.gate.wait(LONG_SECONDS)


def test_a_source_that_does_not_open_in_time_is_left_out_and_closed_when_it_does(clock, caplog, monkeypatch):
    monkeypatch.setattr(opening, "OPEN_SECONDS", 0.05)
    hanging, good = Hanging("open"), Told("gpu:1")
    meter = metered(clock, hanging, good)
    assert meter.open_sources == (good,)
    (said,) = caplog.records
    assert said.message.startswith("Hanging did not open within 0 s. Its devices are not measured.")
    assert lap(meter, clock).keys() == {"gpu:1"}
    meter.close()
    hanging.gate.set()
    deadline = time.monotonic() + LONG_SECONDS
    while not hanging.closed:
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize("failure", [OSError("gone"), KeyError("odd"), SystemExit(3)], ids=repr)
def test_a_source_that_opens_with_any_error_is_left_out(clock, caplog, failure):
    class Failing(Told):
        def open(self):
            raise failure

    good = Told("gpu:1")
    meter = metered(clock, Failing(), good)
    assert meter.open_sources == (good,)
    assert "Failing cannot be opened" in caplog.text
    meter.close()


def test_a_source_that_does_not_let_go_is_said_and_left_to_itself(clock, caplog, monkeypatch):
    monkeypatch.setattr(closing, "CLOSE_SECONDS", 0.05)
    hanging = Hanging("close")
    meter = metered(clock, hanging)
    began = time.monotonic()
    meter.close()
    assert time.monotonic() - began < LONG_SECONDS / 2
    assert "Hanging did not close its sensor in time" in caplog.text
    hanging.gate.set()
    deadline = time.monotonic() + LONG_SECONDS
    while not hanging.closed:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_source_that_cannot_be_closed_keeps_no_other_open(clock, caplog):
    class Failing(Told):
        def close(self):
            raise OSError(5)

    other = Told("gpu:1")
    meter = metered(clock, Failing(), other)
    meter.close()
    assert other.closed == 1
    assert "Failing cannot be closed." in caplog.text


def test_what_a_source_cannot_describe_costs_nothing_else(clock, caplog):
    class Failing(Told):
        def describe(self):
            raise OSError(5)

    meter = metered(clock, Failing(), ScriptedSource(clock=clock))
    meter.infos()
    assert "cannot describe its devices" in caplog.text
    assert lap(meter, clock)["gpu:0"].joules == 0.0
    meter.close()


@pytest.mark.parametrize("junk", [float("nan"), "a lot", -float("inf")], ids=str)
def test_a_reading_that_cannot_be_is_a_gap_and_its_energy_comes_back_flagged(clock, junk):
    source = Told()
    laps = Laps(metered(clock, source), clock)
    source.joules = 100.0
    assert laps.next()["gpu:0"].joules == 100.0
    source.joules = junk
    assert laps.next()["gpu:0"].joules is None
    source.joules = 300.0
    back = laps.next()["gpu:0"]
    assert (back.joules, back.flags) == (200.0, ("catch_up",))
    assert back.low_joules <= 100.0 <= back.high_joules
    source.joules = 400.0
    assert laps.next()["gpu:0"].joules == 100.0
    laps.meter.close()


def test_strict_meters_raise_what_a_source_raised(clock):
    class Failing(Told):
        def read(self):
            raise OSError(5)

    meter = EnergyMeter([Failing()], clock)
    meter.open(strict=True)
    with pytest.raises(OSError, match="5"):
        meter.read()
    meter.close()


def test_a_meter_that_is_closed_while_it_is_read_is_as_if_it_had_been_afterwards(clock):
    class Closing(ScriptedSource):
        is_instant = True

        def read(self):
            meter.close()  # a signal handler on the thread that reads
            return super().read()

    meter = metered(clock, Closing(clock=clock))
    assert meter.read() is not None
    assert meter.open_sources == ()
