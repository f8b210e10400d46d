"""Edges and what is open between them, also for those who come in the middle."""

import threading

import pytest

from green_callbacks.accountant.energy.timeline import SHARED_EDGE_SECONDS, Timeline
from green_callbacks.clock import ScriptedClock
from green_callbacks.meter import EnergyMeter
from green_callbacks.sources import ScriptedSource

LONG_SECONDS = 30.0
OWNED = frozenset({"scripted:0"})


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def timeline(clock):
    meter = EnergyMeter([ScriptedSource(100.0, clock=clock)], clock)
    meter.open()
    yield Timeline(meter, clock, meter.read(), OWNED)
    meter.close()


def joules(interval):
    return interval.lap(OWNED).devices["scripted:0"].joules


def end(timeline, *, goes_on=False):
    ended = []

    def rows(intervals):
        ended.extend(interval for interval, _ in intervals)
        return ["row"] * len(ended)

    timeline.end(rows, 7, goes_on=goes_on)
    return ended


def test_consecutive_intervals_share_their_edges(timeline, clock):
    clock.advance(3)
    timeline.begin_epoch(0)
    clock.advance(10)
    outside, epoch = end(timeline)
    assert (outside.epoch, epoch.epoch) == (None, 0)
    assert outside.last is epoch.first
    assert epoch.last is timeline.interval.first is timeline.opened.recorded_until
    assert (joules(outside), joules(epoch)) == (300.0, 1000.0)


def test_an_epoch_that_begins_where_another_ended_shares_its_edge_and_leaves_nothing_outside(timeline, clock):
    timeline.begin_epoch(0)
    clock.advance(10)
    end(timeline)
    clock.advance(SHARED_EDGE_SECONDS / 2)
    timeline.begin_epoch(1)
    assert timeline.interval.first is timeline.opened.recorded_until
    assert timeline.opened.outside.seconds == 0


def test_a_part_that_ends_is_followed_by_the_same_epoch_in_the_same_phase(timeline, clock):
    timeline.begin_epoch(4)
    clock.advance(1)
    timeline.mark("validation")
    clock.advance(1)
    *_, part = end(timeline, goes_on=True)
    assert (part.epoch, part.seconds) == (4, 2.0)
    assert (timeline.interval.epoch, timeline.interval.phase, timeline.opened.outside) == (4, "validation", None)


def test_rows_wait_with_their_position_until_they_are_kept(timeline, clock):
    timeline.begin_epoch(0)
    clock.advance(1)
    end(timeline)
    assert (timeline.opened.rows, timeline.opened.position) == (("row", "row"), 7)


@pytest.mark.parametrize("failing", ["record", "read"])
def test_an_edge_that_fails_leaves_all_as_it_was(timeline, clock, failing, monkeypatch):
    timeline.begin_epoch(0)
    clock.advance(1)
    before = timeline.opened

    def fail(*_):
        raise KeyboardInterrupt

    if failing == "read":
        monkeypatch.setattr(timeline._meter, "read", fail)
    with pytest.raises(KeyboardInterrupt):
        timeline.end(fail, 0, goes_on=False)
    assert timeline.opened is before
    with_lock = threading.Thread(target=timeline.mark)
    monkeypatch.undo()
    with_lock.start()
    with_lock.join(LONG_SECONDS)
    assert timeline.opened is not before, "another thread can make an edge"


def test_another_thread_makes_no_edge_while_one_is_made(timeline):
    entered, gate = threading.Event(), threading.Event()

    def edge():
        with timeline.edges:
            entered.set()
            gate.wait(LONG_SECONDS)

    training = threading.Thread(target=edge)
    training.start()
    assert entered.wait(LONG_SECONDS)
    before = timeline.opened
    assert not timeline.if_free(timeline.mark)
    assert timeline.opened is before
    gate.set()
    training.join(LONG_SECONDS)
    assert timeline.if_free(timeline.mark)
    assert timeline.opened is not before


def test_an_exception_between_the_end_of_an_edge_and_its_release_does_not_leave_it_open(timeline):
    timeline.edges.acquire()  # as an interrupt at that instruction leaves it
    timeline.free_edges()
    other = threading.Thread(target=timeline.mark)
    other.start()
    other.join(LONG_SECONDS)
    assert not other.is_alive()


@pytest.mark.parametrize(
    ("ours_seconds", "others_seconds", "has_outside"),
    [(0.0, 0.0, False), (0.05, 0.0, False), (0.05, 0.5, True), (30.0, 0.0, True), (0.05, 0.0005, False)],
)
def test_our_own_work_at_an_edge_is_no_time_outside_epochs(timeline, clock, ours_seconds, others_seconds, has_outside):
    timeline.begin_epoch(0)
    clock.advance(10.0)
    end(timeline)
    clock.advance(ours_seconds)
    timeline.done()
    clock.advance(others_seconds)
    timeline.begin_epoch(1, clock.monotonic())
    assert bool(timeline.opened.outside.seconds) == has_outside
