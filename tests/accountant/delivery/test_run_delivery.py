"""What happens beside training: all of it comes, in order and once, and nobody waits for what hangs."""

import logging
import threading
import time

import pytest
from support.runs import WATTS, ListSink, scripted, train
from support.scripted_run import finished, record, run_context

from green_callbacks import read_ledger
from green_callbacks.accountant.delivery import run_delivery as delivery_module
from green_callbacks.accountant.delivery import thread_watch as pulse_module
from green_callbacks.accountant.delivery.run_delivery import Delivery
from green_callbacks.accountant.notices import Notices
from green_callbacks.call_threads import Threads
from green_callbacks.records import History
from green_callbacks.worker import worker_threads as worker_module

LONG_SECONDS = 30.0


class Hanging(ListSink):
    """A sink that hangs at one of its methods until it is let go."""

    def __init__(self, where="write"):
        super().__init__()
        self.where, self.entered, self.gate = where, threading.Event(), threading.Event()

    def _wait(self, where):
        if where == self.where:
            self.entered.set()
            self.gate.wait(LONG_SECONDS)

    def open(self, context):
        self._wait("open")
        super().open(context)

    def write(self, record):
        self._wait("write")
        super().write(record)

    def finish(self, run):
        self._wait("finish")
        super().finish(run)

    def close(self):
        self._wait("close")
        super().close()


def delivered(*sinks, notices=None):
    delivery = Delivery(None, sinks, Threads(), notices)
    delivery.start(lambda: None, LONG_SECONDS)
    return delivery


def wait_until(condition):
    deadline = time.monotonic() + LONG_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_every_sink_is_given_everything_in_order_and_once(tmp_path):
    sinks = [ListSink(), ListSink()]
    delivery = delivered(*sinks)
    context = run_context(tmp_path)
    delivery.open(context)
    records = [record(epoch) for epoch in range(5)]
    for number, each in enumerate(records):
        delivery.show(number, each)
        delivery.show(number, each)
    run = finished(History(records))
    delivery.finish(run)
    delivery.finish(run)
    delivery.stop()
    for sink in sinks:
        assert (sink.contexts, sink.records, sink.runs, sink.closed) == ([context], records, [run], 1)


def test_a_sink_that_raises_at_every_step_costs_no_other(tmp_path, caplog):
    class Failing(ListSink):
        def open(self, context):
            raise OSError(1)

        def write(self, record):
            raise OSError(2)

        def finish(self, run):
            raise OSError(3)

    bad, good = Failing(), ListSink()
    delivery = delivered(bad, good)
    delivery.open(run_context(tmp_path))
    for number in range(3):
        delivery.show(number, record(number))
    delivery.finish(finished(History()))
    delivery.stop()
    assert (len(good.records), len(good.runs), good.closed) == (3, 1, 1)
    assert bad.closed == 1
    assert len(caplog.records) == 3


@pytest.mark.parametrize("where", ["open", "write", "finish", "close"])
def test_a_sink_that_hangs_is_named_once_and_the_others_are_given_all(tmp_path, caplog, monkeypatch, where):
    monkeypatch.setattr(worker_module, "HUNG_SECONDS", 0.05)
    monkeypatch.setattr(delivery_module, "DRAIN_SECONDS", 0.5)
    hanging, good, notices = Hanging(where), ListSink(), Notices()
    delivery = delivered(hanging, good, notices=notices)
    delivery.open(run_context(tmp_path))
    for number in range(3):
        delivery.show(number, record(number))
    delivery.finish(finished(History()))
    delivery.stop()
    assert (len(good.records), len(good.runs), good.closed) == (3, 1, 1)
    assert hanging.closed == 0
    said = [each.message for each in caplog.records]
    assert [message.split(" has ")[0] for message in said if "has not come back" in message] == ["The sink Hanging"]
    assert sum("did not come back within" in message for message in said) == 1
    assert notices.texts == (
        "The sink Hanging does not come back. The ledger holds the records that it misses. Training goes on.",
    )
    hanging.gate.set()
    wait_until(lambda: hanging.closed)
    assert (len(hanging.records), len(hanging.runs)) == (3, 1)


def test_a_sink_that_comes_back_is_no_longer_noted(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_module, "HUNG_SECONDS", 0.05)
    monkeypatch.setattr(pulse_module, "PULSE_SECONDS", 0.01)
    hanging, notices = Hanging("write"), Notices()
    delivery = delivered(hanging, notices=notices)
    delivery.open(run_context(tmp_path))
    delivery.show(0, record(0))
    wait_until(lambda: notices.texts)
    hanging.gate.set()
    delivery.finish(finished(History()))
    delivery.stop()
    assert not notices.texts


def test_what_is_polled_and_hangs_delays_no_sink_and_no_other(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(worker_module, "HUNG_SECONDS", 0.05)
    gate, rounds = threading.Event(), threading.Semaphore(0)

    class Polled:
        poll_seconds = 0.01

        def __init__(self, work):
            self.poll = work

    sink = ListSink()
    delivery = delivered(sink)
    monkeypatch.setattr(pulse_module, "PULSE_SECONDS", 0.01)
    delivery.poll(Polled(lambda: gate.wait(LONG_SECONDS)))
    delivery.poll(Polled(rounds.release))
    delivery.open(run_context(tmp_path))
    delivery.show(0, record(0))
    assert all(rounds.acquire(timeout=LONG_SECONDS) for _ in range(5))
    wait_until(lambda: sink.records)
    delivery.finish(finished(History()))
    delivery.stop()
    assert sink.closed == 1
    assert [each.message.split(" has ")[0] for each in caplog.records] == ["The sensor or provider Polled"]
    gate.set()


def test_the_beat_comes_round_and_one_that_fails_is_logged(tmp_path, caplog):
    beats = threading.Semaphore(0)

    def beat():
        beats.release()
        raise OSError(5)

    delivery = Delivery(None, [], Threads())
    delivery.start(beat, 0.001)
    assert all(beats.acquire(timeout=LONG_SECONDS) for _ in range(3))
    delivery.stop()
    assert {each.levelno for each in caplog.records} == {logging.ERROR}


def refuse(thread):
    message = "can't start new thread"
    raise RuntimeError(message)


def test_where_no_thread_can_be_started_training_goes_on_and_all_is_written(monkeypatch, caplog):
    monkeypatch.setattr(threading.Thread, "start", refuse)
    sink = ListSink()
    accountant, clock = scripted(ledger="run.jsonl", sinks=[sink])
    accountant.start()
    for epoch in range(3):
        train(accountant, clock, [epoch], between=1)
        assert read_ledger("run.jsonl").history.last_epoch == epoch
    run = accountant.close()
    assert (run.epochs, run.energy_joules) == (3, WATTS * 33)
    assert [each.message.split(" (")[0] for each in caplog.records] == ["No thread can be started"]
    contents = read_ledger("run.jsonl")
    assert list(contents.history) == list(accountant.history) == sink.records
    assert contents.is_closed
    assert (len(sink.runs), sink.closed) == (1, 1)


@pytest.mark.parametrize("allowed", range(1, 6))
def test_where_only_some_threads_can_be_started_all_is_written_too(monkeypatch, caplog, allowed):
    start, left = threading.Thread.start, [allowed]

    def some(thread):
        left[0] -= 1
        if left[0] < 0:
            refuse(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", some)
    sink = ListSink()
    accountant, clock = scripted(ledger="run.jsonl", sinks=[sink])
    with accountant:
        train(accountant, clock, range(3))
    assert list(read_ledger("run.jsonl").history) == list(accountant.history) == sink.records
    assert read_ledger("run.jsonl").is_closed
    assert sink.closed == 1
    assert len(caplog.records) <= 1
