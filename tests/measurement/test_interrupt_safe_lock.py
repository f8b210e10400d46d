import threading

import pytest

from green_callbacks.measurement import interrupt_safe_lock as turn_module
from green_callbacks.measurement.interrupt_safe_lock import Turn, in_turn

LONG_SECONDS = 30.0


class Worker:
    def __init__(self):
        self.turn = Turn()
        self.entered, self.gate = threading.Event(), threading.Event()

    @in_turn
    def work(self):
        """Say what it does."""
        self.entered.set()
        return self.gate.wait(LONG_SECONDS)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(turn_module, "TURN_SECONDS", 0.02)


def on_a_thread(work):
    told = []
    thread = threading.Thread(target=lambda: told.append(work()))
    thread.start()
    return thread, told


def test_a_turn_is_waited_for_while_another_thread_has_it():
    worker = Worker()
    busy, _ = on_a_thread(worker.work)
    assert worker.entered.wait(LONG_SECONDS)
    assert worker.turn.take(0.01) is None
    assert worker.turn.take(0.0) is None
    worker.gate.set()
    busy.join(LONG_SECONDS)
    lock = worker.turn.take(0.0)
    assert lock is not None
    lock.release()


def test_whoever_has_a_turn_may_take_another_on_top_of_it():
    turn = Turn()
    outer, inner = turn.take(0.01), turn.take(0.01)
    assert outer is inner is not None
    inner.release()
    outer.release()


def test_a_lock_that_an_interrupt_has_left_held_is_replaced():
    turn = Turn()
    turn.take(0.01)  # and never released
    thread, told = on_a_thread(lambda: turn.take(0.01))
    thread.join(LONG_SECONDS)
    assert told[0] is not None


def test_what_must_be_done_is_done_without_a_turn_rather_than_never():
    worker = Worker()
    busy, _ = on_a_thread(worker.work)
    assert worker.entered.wait(LONG_SECONDS)
    second, told = on_a_thread(worker.work)
    worker.gate.set()
    for thread in (busy, second):
        thread.join(LONG_SECONDS)
    assert told == [True]
    assert Worker.work.__doc__ == "Say what it does."
