"""Calls of other people's code on threads that nobody has to wait for."""

import gc
import logging
import threading
import weakref

import pytest

from green_callbacks.call_threads import CallThread, Threads, call_once, ring

LONG_SECONDS = 30.0


@pytest.fixture
def thread():
    thread = CallThread("green_callbacks test")
    thread.start(Threads())
    yield thread
    thread.stop()
    thread.join(LONG_SECONDS)


@pytest.fixture
def no_threads(monkeypatch):
    """A system that allows no more threads."""

    def refuse(thread):
        message = "can't start new thread"
        raise RuntimeError(message)

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_a_call_is_made_on_the_thread_and_can_be_waited_for(thread):
    made = []
    for _ in range(100):
        assert thread.ask(lambda: made.append(threading.current_thread().name)).acquire(timeout=LONG_SECONDS)
        while thread.is_busy:
            pass
    assert made == ["green_callbacks test"] * 100


def test_a_call_that_hangs_is_not_waited_for_and_keeps_the_thread_busy(thread):
    gate = threading.Event()
    done = thread.ask(gate.wait)
    assert not done.acquire(timeout=0.01)
    assert thread.is_busy
    gate.set()
    assert done.acquire(timeout=LONG_SECONDS)


def test_stopping_waits_for_nothing_and_the_thread_ends_after_its_call():
    gate, thread = threading.Event(), CallThread("green_callbacks test")
    thread.start(Threads())
    done = thread.ask(gate.wait)
    thread.stop()
    thread.join(0.01)
    assert not done.acquire(blocking=False)
    gate.set()
    thread.join(LONG_SECONDS)
    assert done.acquire(blocking=False)


def test_a_call_that_was_asked_before_the_stop_is_made(thread):
    made = threading.Event()
    thread.ask(made.set)
    thread.stop()
    thread.stop()
    assert made.wait(LONG_SECONDS)


def test_an_idle_thread_keeps_nothing_of_the_callers_alive(thread):
    class Owner:
        def call(self):
            return self

    owner = Owner()
    seen = weakref.ref(owner)
    assert thread.ask(owner.call).acquire(timeout=LONG_SECONDS)
    while thread.is_busy:
        pass
    del owner
    gc.collect()
    assert seen() is None


def test_where_no_thread_can_be_started_a_call_is_made_by_whoever_asks(no_threads):
    made, thread = [], CallThread("green_callbacks test")
    thread.start(Threads())
    done = thread.ask(lambda: made.append(threading.current_thread()))
    assert made == [threading.current_thread()]
    assert done.acquire(blocking=False)
    assert not thread.is_busy
    thread.stop()
    thread.join(LONG_SECONDS)


def test_a_limit_on_threads_is_said_once_with_its_remedy(no_threads, caplog):
    threads = Threads()
    assert [threads.start(lambda: None, "green_callbacks test") for _ in range(3)] == [None] * 3
    (said,) = caplog.records
    assert said.levelno == logging.WARNING
    assert "No thread can be started (can't start new thread)" in said.message
    assert "ulimit -u" in said.message


def test_a_thread_for_one_call_ends_with_it_also_if_nobody_waits():
    gate, made = threading.Event(), []
    assert call_once(
        lambda: made.append(threading.current_thread().name), "green_callbacks once", Threads(), LONG_SECONDS
    )
    assert made == ["green_callbacks once"]
    assert not call_once(lambda: gate.wait(LONG_SECONDS), "green_callbacks once", Threads(), 0.01)
    gate.set()


def test_one_call_is_made_here_where_no_thread_can_be_started(no_threads):
    made = []
    assert call_once(lambda: made.append(threading.current_thread()), "green_callbacks once", Threads(), 0.0)
    assert made == [threading.current_thread()]


def test_ringing_twice_is_ringing_once():
    bell = threading.Lock()
    bell.acquire()
    ring(bell)
    ring(bell)
    assert bell.acquire(blocking=False)
    assert not bell.acquire(blocking=False)


def test_at_the_end_of_the_process_a_thread_that_cannot_start_is_no_fault(monkeypatch, caplog):
    def refused(_):
        msg = "can't create new thread at interpreter shutdown"
        raise RuntimeError(msg)

    monkeypatch.setattr(threading.Thread, "start", refused)
    monkeypatch.setattr(threading, "main_thread", threading.Thread)  # a thread that is not alive
    assert Threads().start(print, "green_callbacks test") is None
    assert caplog.records == []
