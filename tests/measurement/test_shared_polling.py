import threading

import pytest

from green_callbacks.measurement import shared_polling as polls
from green_callbacks.measurement.shared_polling import Observation, Poll, Rota
from green_callbacks.sources import ScriptedSource

LONG_SECONDS = 30.0


class Source(ScriptedSource):
    poll_seconds = 10.0

    def __init__(self):
        super().__init__()
        self.polled = 0
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def poll(self):
        self.polled += 1
        self.entered.set()
        self.gate.wait(LONG_SECONDS)


@pytest.fixture
def now(monkeypatch):
    class Time:
        seconds = 100.0

        def monotonic(self):
            return self.seconds

    monkeypatch.setattr(polls, "time", time := Time())
    return time


def test_one_run_polls_and_the_others_stand_by_until_it_does_not(now):
    source, rota = Source(), Rota()
    first, second = Poll(source, rota), Poll(source, rota)
    for _ in range(5):
        first.poll()
        now.seconds += 3
        second.poll()
        now.seconds += 7
    assert source.polled == 5
    second.poll()
    assert source.polled == 6
    now.seconds += 3
    first.poll()
    assert source.polled == 6


def test_a_run_alone_polls_as_often_as_it_is_asked(now):
    source = Source()
    alone = Poll(source, Rota())
    alone.poll()
    alone.poll()
    assert source.polled == 2
    assert alone.poll_seconds == 10.0


def test_nobody_polls_while_a_poll_hangs(now):
    source, rota = Source(), Rota()
    source.gate.clear()
    hanging = threading.Thread(target=Poll(source, rota).poll)
    hanging.start()
    assert source.entered.wait(LONG_SECONDS)
    now.seconds += 1000
    other = Poll(source, rota)
    other.poll()
    assert source.polled == 1
    source.gate.set()
    hanging.join(LONG_SECONDS)
    other.poll()
    assert source.polled == 2


def test_a_poll_that_raises_leaves_the_next_one_free(now):
    class Failing(Source):
        def poll(self):
            raise OSError(5)

    poll = Poll(Failing(), Rota())
    for _ in range(2):
        with pytest.raises(OSError, match="5"):
            poll.poll()


def test_a_question_that_hangs_says_that_the_energy_is_not_concerned():
    source = ScriptedSource(100.0)
    assert Poll(source, Rota()).name == "ScriptedSource"
    assert Observation(source, Rota()).name == "ScriptedSource, asked what its devices do besides using energy,"
