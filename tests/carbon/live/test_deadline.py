"""Work on the network ends when its time is over, wherever it hangs."""

import socket
import threading

import pytest

from green_callbacks.carbon.live.deadline import Lifeline, within


def test_what_is_done_in_time_is_returned():
    assert within(10, lambda _: "done") == "done"


def test_who_waits_for_a_byte_is_woken():
    here, there = socket.socketpair()
    has_ended = threading.Event()

    def listen(lifeline: Lifeline) -> None:
        lifeline.hold(here)
        here.recv(1)  # for ever
        has_ended.set()

    with here, there:
        with pytest.raises(TimeoutError, match=r"0\.1 s"):
            within(0.1, listen)
        assert has_ended.wait(10)


def test_a_connection_that_is_made_too_late_is_cut_at_once():
    here, there = socket.socketpair()
    may_connect, has_ended = threading.Event(), threading.Event()

    def look_up_a_name(lifeline: Lifeline) -> None:
        may_connect.wait(10)
        lifeline.hold(here)
        here.recv(1)
        has_ended.set()

    with here, there:
        with pytest.raises(TimeoutError):
            within(0.0, look_up_a_name)
        may_connect.set()
        assert has_ended.wait(10)


def test_a_connection_that_is_gone_is_no_trouble():
    here, there = socket.socketpair()
    there.close()
    here.close()
    lifeline = Lifeline()
    lifeline.hold(here)
    lifeline.cut()
    assert here.fileno() == -1
