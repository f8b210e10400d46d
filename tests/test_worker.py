import logging
import threading
import time

import pytest

from green_callbacks.worker import Worker

LONG_SECONDS = 30.0


@pytest.fixture
def worker():
    worker = Worker()
    worker.start()
    yield worker
    worker.stop(LONG_SECONDS)


def test_tasks_are_done_in_order_on_one_other_thread(worker):
    done = []
    for number in range(100):
        worker.submit(lambda number=number: done.append((number, threading.current_thread())))
    assert worker.drain(LONG_SECONDS)
    assert [number for number, _ in done] == list(range(100))
    assert {thread.name for _, thread in done} == {"green_callbacks"}
    assert all(thread.daemon and thread is not threading.current_thread() for _, thread in done)


def test_a_task_may_go_before_those_that_wait(worker):
    gate, done = threading.Event(), []
    worker.submit(gate.wait)
    worker.submit(lambda: done.append("later"))
    worker.submit(lambda: done.append("first"), first=True)
    worker.submit(lambda: done.append("second"), first=True)
    gate.set()
    assert worker.drain(LONG_SECONDS)
    assert done == ["first", "second", "later"]


def test_submitting_never_waits_for_a_slow_task(worker):
    gate = threading.Event()
    worker.submit(gate.wait)
    worker.submit(lambda: None)
    assert not worker.drain(0.01)
    gate.set()
    assert worker.drain(LONG_SECONDS)


def test_jobs_come_round_until_the_worker_stops(worker):
    rounds = threading.Semaphore(0)
    worker.every(lambda: 0.001, rounds.release)
    assert all(rounds.acquire(timeout=LONG_SECONDS) for _ in range(3))


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
        assert worker.drain(LONG_SECONDS)
    assert [record.message for record in caplog.records] == ["A background task failed; training goes on without it."]
    assert isinstance(worker.failure, OSError)


def test_failures_from_different_places_are_all_logged(worker, caplog):
    worker.submit(lambda: 1 / 0)
    worker.submit(lambda: int("one"))
    assert worker.drain(LONG_SECONDS)
    assert len(caplog.records) == 2


def test_a_failure_is_raised_once_where_that_is_asked_for(worker):
    worker.raise_failure()
    worker.submit(lambda: 1 / 0)
    assert worker.drain(LONG_SECONDS)
    with pytest.raises(ZeroDivisionError):
        worker.raise_failure()
    worker.raise_failure()
    assert worker.failure is None


def test_stopping_waits_for_the_task_at_hand_and_those_that_go_first_and_drops_the_rest(worker):
    begun, gate, done = threading.Event(), threading.Event(), []

    def at_hand():
        begun.set()
        gate.wait()
        done.append("at hand")

    worker.submit(at_hand)
    assert begun.wait(LONG_SECONDS)
    worker.submit(lambda: done.append("waiting"))
    worker.submit(lambda: done.append("first"), first=True)
    threading.Timer(0.01, gate.set).start()
    worker.stop(LONG_SECONDS)
    assert done == ["at hand", "first"]


def test_stopping_does_not_wait_for_ever():
    worker, gate, begun = Worker(), threading.Event(), threading.Event()
    worker.start()
    worker.submit(lambda: (begun.set(), gate.wait()))
    assert begun.wait(LONG_SECONDS)
    worker.stop(0.01)
    assert not worker.drain(0.0), "the task at hand still waits"
    gate.set()
    assert worker.drain(LONG_SECONDS)


def test_a_task_may_drain_and_stop_its_own_worker(worker):
    done, ended = [], threading.Event()

    def last():
        worker.submit(lambda: done.append("submitted by a task"))
        done.append(worker.drain(LONG_SECONDS))
        worker.stop(LONG_SECONDS)
        ended.set()

    worker.submit(last)
    assert ended.wait(LONG_SECONDS)
    assert done == ["submitted by a task", True]


def test_a_worker_that_never_began_stops_at_once():
    worker = Worker()
    worker.submit(lambda: pytest.fail("never begun"))
    worker.stop(LONG_SECONDS)
    assert worker.drain(0.0)


def test_a_period_is_asked_anew_and_none_ends_the_job(worker):
    periods = iter([0.001, 0.001, 0.001, None])
    rounds = []
    done = threading.Event()

    def task():
        rounds.append(1)
        if len(rounds) == 3:
            done.set()

    worker.every(lambda: next(periods), task)

    assert done.wait(10)
    worker.drain(10)
    assert len(rounds) == 3
    assert next(periods, "used up") == "used up"


def test_a_job_that_is_always_due_lets_tasks_through(worker):
    worker.every(lambda: 0.0, lambda: None)
    done = threading.Event()
    worker.submit(done.set)

    assert done.wait(10)


def test_a_job_that_never_rests_holds_up_nobody_who_waits_for_the_tasks(worker):
    worker.every(lambda: 0.0, lambda: time.sleep(0.002))
    for _ in range(20):
        done = threading.Event()
        worker.submit(done.set)
        assert worker.drain(LONG_SECONDS)
        assert done.is_set()
