"""Requests share the answers to long questions, and no more than a few are worked out at the same time."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("tensorboard")

from green_callbacks.tensorboard_plugin.shared_work import SharedWork

WAIT = 30.0


def test_one_question_of_many_requests_is_answered_once():
    work, gate, begun = SharedWork(2), threading.Event(), []

    def answer():
        begun.append(True)
        gate.wait(WAIT)
        return "answer"

    with ThreadPoolExecutor(8) as requests:
        asked = [requests.submit(work.result, "question", answer, WAIT) for _ in range(8)]
        until = time.monotonic() + WAIT
        while not begun or len(work._asked["question"]._condition._waiters) < 7:
            assert time.monotonic() < until
        gate.set()
        assert [each.result(WAIT) for each in asked] == ["answer"] * 8
    assert len(begun) == 1


def test_few_questions_are_answered_at_the_same_time():
    work, lock, now, most = SharedWork(2), threading.Lock(), [0], [0]

    def answer():
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.02)
        with lock:
            now[0] -= 1

    with ThreadPoolExecutor(8) as requests:
        for each in [requests.submit(work.result, number, answer, WAIT) for number in range(8)]:
            each.result(WAIT)
    assert most == [2]


def test_a_question_behind_long_work_is_refused_after_a_while():
    work, gate = SharedWork(1), threading.Event()
    with ThreadPoolExecutor(1) as requests:
        long = requests.submit(work.result, "long", lambda: gate.wait(WAIT), WAIT)
        while not work._asked:
            pass
        with pytest.raises(TimeoutError):
            work.result("other", lambda: None, 0.05)
        with pytest.raises(TimeoutError):
            work.result("long", lambda: None, 0.05)
        gate.set()
        long.result(WAIT)
    assert not work._asked


def test_a_fault_reaches_whoever_asks_and_is_not_kept():
    work = SharedWork(1)
    with pytest.raises(ZeroDivisionError):
        work.result("question", lambda: 1 / 0, WAIT)
    assert work.result("question", lambda: "answer", WAIT) == "answer"
