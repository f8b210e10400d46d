"""Whatever a source does, an edge ends in time, and the other sources are read at it."""

import gc
import logging
import threading
import time

import pytest

from green_callbacks.call_threads import Threads
from green_callbacks.clock import ScriptedClock
from green_callbacks.measurement import read_time_limit
from green_callbacks.measurement.read_time_limit import Readers
from green_callbacks.meter import EnergyMeter, energy_between
from green_callbacks.records import Reading
from green_callbacks.sources import EnergySource, ScriptedSource

LONG_SECONDS = 30.0
PATIENT_SECONDS = 1.0
"""How long an edge waits here in place of 40 ms, because a thread of a busy machine may come late."""
EDGE_SECONDS = 5.0
"""What an edge may take: a source that hangs does so for 30 s."""
WATTS = 100.0


class Told(EnergySource):
    """Answers with the true energy of 100 W, unless it hangs or has something else to answer."""

    def __init__(self, name, clock):
        self.name, self._clock = name, clock
        self.gate, self.entered = threading.Event(), threading.Event()
        self.gate.set()
        self.answer, self.reads, self.threads = None, 0, set()

    def hang(self):
        self.gate.clear()
        self.entered.clear()

    def read(self):
        self.threads.add(threading.current_thread())
        self.entered.set()
        self.gate.wait(LONG_SECONDS)
        self.reads += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        if self.answer is not None:
            return self.answer
        return {self.name: Reading(WATTS * self._clock.monotonic(), "gpu", "counter")}


class Other(Told):
    """Another kind, for messages."""


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    monkeypatch.setattr(Readers.read, "__defaults__", (PATIENT_SECONDS,))
    monkeypatch.setattr(read_time_limit, "_PATIENT_SECONDS", 0.0)  # what is added for a late thread is no longer needed


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def made():
    made = []
    yield made
    for source in made:
        source.gate.set()


@pytest.fixture
def told(made, clock):
    def new(name, kind=Told):
        made.append(kind(name, clock))
        return made[-1]

    return new


@pytest.fixture
def readers(clock):
    readers = Readers(clock, Threads())
    yield readers
    readers.close()


@pytest.fixture
def metered(clock):
    meters = []

    def new(*sources):
        meters.append(EnergyMeter(sources, clock))
        meters[-1].open()
        return meters[-1]

    yield new
    for meter in meters:
        meter.close()


def timed(work):
    began = time.monotonic()
    result = work()
    assert time.monotonic() - began < EDGE_SECONDS
    return result


def wait_until(condition):
    deadline = time.monotonic() + LONG_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_what_only_looks_at_memory_is_read_on_the_thread_that_asks(readers, clock):
    names = set()

    class Instant(EnergySource):
        is_instant = True

        def read(self):
            names.add(threading.current_thread())
            return {}

    readers.add([Instant()])
    readers.read()
    assert names == {threading.current_thread()}


def test_a_subclass_that_reads_in_its_own_way_is_not_read_on_the_training_thread(readers, clock):
    seen = {}

    class Own(ScriptedSource):
        def read(self):
            seen["class"] = threading.current_thread()
            return super().read()

    class SaysSo(ScriptedSource):
        is_instant = True

        def read(self):
            seen["says so"] = threading.current_thread()
            return super().read()

    patched = ScriptedSource(clock=clock)
    read = patched.read
    patched.read = lambda: (seen.update(object=threading.current_thread()), read())[1]
    readers.add([Own(clock=clock), SaysSo(clock=clock), patched, ScriptedSource(clock=clock)])
    readers.read()
    assert seen["says so"] is threading.current_thread()
    assert threading.current_thread() not in {seen["class"], seen["object"]}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_that_hangs_costs_little_and_the_others_are_read_at_the_same_edge(readers, clock, told, place, caplog):
    sources = [told(str(number)) for number in range(3)]
    hanging = sources[place]
    readers.add(sources)
    readers.read()
    hanging.hang()
    for _ in range(5):
        clock.advance(1)
        timed(readers.read)
        answered = [readers.answers[source].seconds for source in sources if source is not hanging]
        assert answered == [clock.monotonic()] * 2
        assert readers.answers[hanging].seconds == 0
    (said,) = caplog.records
    assert said.levelno == logging.WARNING
    assert said.message.startswith("Told did not answer in time.")


def test_each_one_that_hangs_is_named_once_and_the_last_is_read_all_the_same(readers, clock, told, caplog):
    sources = [told("0"), told("1", Other), told("2")]
    readers.add(sources)
    for source in sources[:2]:
        source.hang()
    for _ in range(4):
        clock.advance(1)
        timed(readers.read)
    assert readers.answers[sources[2]].seconds == clock.monotonic()
    assert [record.message.split()[0] for record in caplog.records] == ["Told", "Other"]


def test_one_that_answers_again_is_waited_for_again(readers, clock, told):
    source = told("0")
    readers.add([source])
    source.hang()
    timed(readers.read)
    source.gate.set()
    wait_until(lambda: source in readers.answers)
    clock.advance(1)
    wait_until(lambda: (readers.read(), readers.answers[source].seconds == clock.monotonic())[1])
    for _ in range(5):
        clock.advance(1)
        readers.read()
        assert readers.answers[source].seconds == clock.monotonic()


def test_one_that_is_slow_is_asked_between_two_edges_too(readers, clock, told):
    source = told("0")
    readers.add([source])
    source.hang()
    timed(readers.read)
    source.gate.set()
    wait_until(lambda: source in readers.answers)
    clock.advance(1)
    wait_until(lambda: (readers.refresh_slow(), readers.answers[source].seconds == 1)[1])
    assert source.reads >= 2


@pytest.mark.parametrize(
    "answer", [OSError("gone"), RuntimeError("junk"), SystemExit(3), 5, "text", [1], {"0": None}], ids=str
)
def test_one_that_raises_or_returns_junk_is_said_once_and_costs_no_other(readers, clock, told, answer, caplog):
    bad, good = told("0"), told("1")
    readers.add([bad, good])
    readers.read()
    bad.answer = answer
    for _ in range(3):
        clock.advance(1)
        readers.read()
    assert readers.answers[good].seconds == 3
    assert readers.answers[bad].seconds == 0
    assert [record.message for record in caplog.records] == ["Told cannot be read. Its energy is missing until it can."]
    bad.answer = None
    readers.read()
    assert readers.answers[bad].seconds == 3


def test_what_it_raised_can_be_raised_once(readers, told):
    bad = told("0")
    bad.answer = OSError("gone")
    readers.add([bad])
    readers.read()
    with pytest.raises(OSError, match="gone"):
        readers.raise_failure()
    readers.raise_failure()


def test_a_source_that_is_dropped_is_read_no_more(readers, told):
    kept, dropped = told("0"), told("1")
    readers.add([kept, dropped])
    readers.read()
    readers.drop(dropped)
    readers.read()
    assert (kept.reads, dropped.reads) == (2, 1)
    assert dropped not in readers.answers


def test_closing_does_not_wait_for_one_that_hangs(clock, told):
    readers, source = Readers(clock, Threads()), told("0")
    readers.add([source])
    source.hang()
    timed(readers.read)
    timed(readers.close)
    source.gate.set()


def test_readers_that_are_dropped_leave_no_thread(clock, told):
    readers = Readers(clock, Threads())
    readers.add([told("0")])
    readers.read()
    del readers
    gc.collect()


def test_where_no_thread_can_be_started_sources_are_read_by_whoever_asks(monkeypatch, clock, told, caplog):
    def refuse(thread):
        message = "can't start new thread"
        raise RuntimeError(message)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    readers = Readers(clock, Threads())
    sources = [told("0"), told("1")]
    readers.add(sources)
    for _ in range(3):
        clock.advance(1)
        readers.read()
    assert [readers.answers[source].seconds for source in sources] == [3, 3]
    assert sources[0].threads == {threading.current_thread()}
    assert len(caplog.records) == 1
    readers.close()


def test_a_settled_reading_of_memory_is_waited_for_elsewhere(readers, clock):
    seen = []

    class Settling(ScriptedSource):
        is_instant = True

        def read(self):
            return super().read()

        def read_settled(self):
            seen.append(threading.current_thread())
            return self.read()

    source = Settling(clock=clock)
    source.open()
    readers.add([source])
    readers.read(settled=True)
    assert threading.current_thread() not in seen
    assert source in readers.answers


def test_the_energy_of_one_that_hung_comes_back_and_the_bounds_hold_the_truth(metered, clock, told):
    hanging, good = told("gpu:0"), told("gpu:1")
    meter = metered(hanging, good)
    edges = [meter.read()]

    def edge():
        clock.advance(10)
        edges.append(timed(meter.read))
        return energy_between(edges[-2], edges[-1])

    assert edge()["gpu:0"].joules == 1000.0
    hanging.hang()
    for _ in range(2):
        silent = edge()
        assert (silent["gpu:0"].joules, silent["gpu:0"].gap_seconds) == (None, 10.0)
        assert silent["gpu:1"].joules == 1000.0
    clock.advance(5)
    reads = hanging.reads
    hanging.gate.set()
    wait_until(lambda: hanging.reads > reads)
    back = []
    while not back or back[-1].flags:  # it is waited for again once it has answered in time
        device = edge()["gpu:0"]
        if device.joules is not None:  # a busy machine may need an edge more until an answer is there
            back.append(device)
        assert len(edges) < LONG_SECONDS
    assert any("catch_up" in device.flags for device in back)
    for device in back:
        truth = WATTS * device.duration_seconds
        assert device.low_joules <= truth <= device.high_joules
    assert edge()["gpu:0"].flags == ()
    whole = energy_between(edges[0], edges[-1])["gpu:0"]
    assert whole.joules == WATTS * clock.monotonic()
    assert whole.low_joules <= WATTS * clock.monotonic() <= whole.high_joules
