"""Tasks on other threads: in order within a lane, and none waits for long for a lane that hangs."""

import logging
import threading
import time

import pytest

from green_callbacks.worker import Worker
from green_callbacks.worker import worker_threads as worker_module

LONG_SECONDS = 30.0
SHORT_SECONDS = 0.05


@pytest.fixture
def worker():
    worker = Worker()
    worker.start()
    yield worker
    worker.stop(LONG_SECONDS)


@pytest.fixture
def gate():
    """What a task hangs on; released at the end of the test in any case."""
    gate = threading.Event()
    yield gate
    gate.set()


def hang(worker, gate, name="the sink Hanging"):
    """Let a lane hang, and return it once it does."""
    lane, begun = worker.lane(name), threading.Event()
    worker.submit(lambda: (begun.set(), gate.wait(LONG_SECONDS)), lane)
    assert begun.wait(LONG_SECONDS)
    return lane


def wait_until(condition):
    deadline = time.monotonic() + LONG_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_tasks_are_done_in_order_on_one_other_thread(worker):
    done = []
    for number in range(100):
        worker.submit(lambda number=number: done.append((number, threading.current_thread())))
    assert worker.drain(LONG_SECONDS) == ()
    assert [number for number, _ in done] == list(range(100))
    assert {thread.name for _, thread in done} == {"green_callbacks"}
    assert all(thread.daemon and thread is not threading.current_thread() for _, thread in done)


def test_submitting_never_waits_for_a_slow_task_and_draining_names_its_lane(worker, gate):
    lane = hang(worker, gate)
    worker.submit(lambda: None, lane)
    assert worker.drain(0.01) == (lane,)
    assert lane.name == "the sink Hanging"
    gate.set()
    assert worker.drain(LONG_SECONDS) == ()


def test_a_lane_that_hangs_is_left_behind_and_delays_no_other(monkeypatch, worker, gate):
    monkeypatch.setattr(worker_module, "HUNG_SECONDS", SHORT_SECONDS)
    hung = hang(worker, gate)
    done, other = threading.Event(), worker.lane("another sink")
    worker.submit(done.set, other)
    assert worker.drain(LONG_SECONDS / 10) == (hung,)
    assert done.is_set()


def test_a_lane_that_hangs_is_named_once(monkeypatch, worker, gate, caplog):
    monkeypatch.setattr(worker_module, "HUNG_SECONDS", SHORT_SECONDS)
    hang(worker, gate)
    time.sleep(2 * SHORT_SECONDS)
    for _ in range(5):
        worker.look()
    (said,) = caplog.records
    assert said.message.startswith("The sink Hanging has not come back for ")
    assert "Training, the ledger and everything else go on without it" in said.message


def test_the_tasks_of_a_lane_that_hung_are_done_in_order_when_it_comes_back(monkeypatch, worker, gate):
    monkeypatch.setattr(worker_module, "HUNG_SECONDS", SHORT_SECONDS)
    hung, done = hang(worker, gate), []
    for number in range(20):
        worker.submit(lambda number=number: done.append(number), hung)
    assert worker.drain(4 * SHORT_SECONDS) == (hung,)
    assert done == []
    gate.set()
    assert worker.drain(LONG_SECONDS) == ()
    worker.submit(lambda: done.append(20), hung)
    assert worker.drain(LONG_SECONDS) == ()
    assert done == list(range(21))


def test_two_lanes_that_hang_delay_no_third(monkeypatch, worker, gate):
    monkeypatch.setattr(worker_module, "HUNG_SECONDS", SHORT_SECONDS)
    first = hang(worker, gate)
    begun, done, second = threading.Event(), threading.Event(), worker.lane("the second")
    worker.submit(lambda: (begun.set(), gate.wait(LONG_SECONDS)), second)
    worker.drain(4 * SHORT_SECONDS)
    assert begun.wait(LONG_SECONDS)
    worker.submit(done.set)
    assert worker.drain(LONG_SECONDS / 10) == (first, second)
    assert done.is_set()


def test_a_job_that_hangs_delays_no_task_and_is_waited_for_by_nobody(monkeypatch, worker, gate):
    monkeypatch.setattr(worker_module, "HUNG_SECONDS", SHORT_SECONDS)
    begun, done = threading.Event(), threading.Event()
    worker.every(lambda: 1.0, lambda: (begun.set(), gate.wait(LONG_SECONDS)), worker.lane("the sensor"), at_once=True)
    assert begun.wait(LONG_SECONDS)
    worker.submit(done.set)
    assert worker.drain(LONG_SECONDS) == ()
    assert done.is_set()


def test_a_job_that_is_slow_delays_those_who_wait_once_and_is_not_said_to_hang(worker, caplog):
    worker.every(lambda: 0.0, lambda: time.sleep(0.5), worker.lane("the sensor"), at_once=True)
    lane, done = worker.lane("the sink"), []
    for number in range(20):
        worker.submit(lambda number=number: done.append(number), lane)
    began = time.monotonic()
    assert worker.drain(LONG_SECONDS) == ()
    assert time.monotonic() - began < 5, "ten seconds, if each waited for the sensor once"
    assert done == list(range(20))
    assert caplog.records == []


def test_jobs_come_round_until_the_worker_stops(worker):
    rounds = threading.Semaphore(0)
    worker.every(lambda: 0.001, rounds.release)
    assert all(rounds.acquire(timeout=LONG_SECONDS) for _ in range(3))


def test_a_job_may_come_at_once(worker):
    done = threading.Event()
    worker.every(lambda: 3600.0, done.set, at_once=True)
    assert done.wait(LONG_SECONDS)


def test_jobs_that_are_not_due_leave_tasks_their_turn(worker):
    done = threading.Event()
    worker.every(lambda: 3600.0, lambda: pytest.fail("not due"))
    worker.submit(done.set)
    assert done.wait(LONG_SECONDS)


def test_a_task_that_raises_ends_nothing_and_is_logged_once(worker, caplog):
    def fail(number):
        raise OSError(number)

    with caplog.at_level(logging.ERROR):
        for number in range(5):
            worker.submit(lambda number=number: fail(number))
        done = threading.Event()
        worker.submit(done.set)
        assert done.wait(LONG_SECONDS)
        assert worker.drain(LONG_SECONDS) == ()
    assert [record.message for record in caplog.records] == ["A background task failed. Training goes on without it."]
    assert isinstance(worker.failure, OSError)


def test_a_task_that_exits_ends_nothing(worker, caplog):
    def leave():
        raise SystemExit(3)

    done = threading.Event()
    worker.submit(leave)
    worker.submit(done.set)
    assert done.wait(LONG_SECONDS)
    assert len(caplog.records) == 1


def test_failures_from_different_places_are_all_logged(worker, caplog):
    worker.submit(lambda: 1 / 0)
    worker.submit(lambda: int("one"))
    assert worker.drain(LONG_SECONDS) == ()
    assert len(caplog.records) == 2


def test_a_failure_is_raised_once_where_that_is_asked_for(worker):
    worker.raise_failure()
    worker.submit(lambda: 1 / 0)
    assert worker.drain(LONG_SECONDS) == ()
    with pytest.raises(ZeroDivisionError):
        worker.raise_failure()
    worker.raise_failure()
    assert worker.failure is None


def test_stopping_does_what_was_submitted(worker, gate):
    lane, done = hang(worker, gate), []
    worker.submit(lambda: done.append("same lane"), lane)
    worker.submit(lambda: done.append("another"))
    threading.Timer(0.01, gate.set).start()
    worker.stop(LONG_SECONDS)
    assert sorted(done) == ["another", "same lane"]


def test_stopping_does_not_wait_for_ever():
    worker, gate = Worker(), threading.Event()
    worker.start()
    lane = hang(worker, gate)
    worker.stop(0.01)
    assert worker.drain(0.0) == (lane,)
    gate.set()
    assert worker.drain(LONG_SECONDS) == ()


def test_a_task_may_drain_and_stop_its_own_worker(worker):
    done, ended = [], threading.Event()

    def last():
        worker.submit(lambda: done.append("submitted by a task"), worker.lane("another"))
        done.append(worker.drain(LONG_SECONDS))
        worker.stop(LONG_SECONDS)
        ended.set()

    worker.submit(last)
    assert ended.wait(LONG_SECONDS)
    assert done == ["submitted by a task", ()]


def test_a_worker_that_never_began_stops_at_once():
    worker = Worker()
    worker.stop(LONG_SECONDS)
    assert worker.drain(0.0) == ()
    assert not worker.has_threads


def test_where_no_thread_can_be_started_draining_does_the_tasks_here(monkeypatch, caplog):
    def refuse(thread):
        message = "can't start new thread"
        raise RuntimeError(message)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    worker, done = Worker(), []
    worker.start()
    worker.every(lambda: 0.0, lambda: pytest.fail("no thread for it"), at_once=True)
    for number in range(3):
        worker.submit(lambda number=number: done.append((number, threading.current_thread())))
    assert worker.drain(LONG_SECONDS) == ()
    assert done == [(number, threading.current_thread()) for number in range(3)]
    worker.stop(LONG_SECONDS)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_period_is_asked_anew_and_none_ends_the_job(worker):
    periods, rounds, ended = iter([0.001, 0.001, 0.001, None]), [], threading.Event()

    def period():
        seconds = next(periods)
        if seconds is None:
            ended.set()
        return seconds

    worker.every(period, lambda: rounds.append(1))
    assert ended.wait(LONG_SECONDS)
    # The thread goes on after the job has ended; every() asks for the first period, and each round for the next.
    done = threading.Event()
    worker.submit(done.set)
    assert done.wait(LONG_SECONDS)
    assert len(rounds) == 3


def test_a_job_that_is_always_due_lets_tasks_through(worker):
    worker.every(lambda: 0.0, lambda: None)
    done = threading.Event()
    worker.submit(done.set)
    assert done.wait(LONG_SECONDS)


def test_a_job_that_never_rests_holds_up_nobody_who_waits_for_the_tasks(worker):
    worker.every(lambda: 0.0, lambda: time.sleep(0.002))
    for _ in range(20):
        done = threading.Event()
        worker.submit(done.set)
        assert worker.drain(LONG_SECONDS) == ()
        assert done.is_set()
