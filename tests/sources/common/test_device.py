import copy
import os
import pickle
import threading

from green_callbacks.sources.common.device import Account, ForkSafeLock


def test_a_lock_lets_one_thread_in_at_a_time():
    lock = ForkSafeLock()
    entered = threading.Event()

    def enter() -> None:
        with lock:
            entered.set()

    with lock:
        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.02)
    assert entered.wait(10)
    thread.join()


def test_a_forked_child_finds_the_lock_free():
    lock = ForkSafeLock()
    with lock:
        child = os.fork()
        if child == 0:
            with lock:
                os._exit(7)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7


def test_copies_of_a_held_lock_are_free():
    lock = ForkSafeLock()
    with lock:
        for twin in (copy.deepcopy(lock), pickle.loads(pickle.dumps(lock))):
            with twin:
                assert twin is not lock


def test_an_account_counts_energy_and_gaps():
    account = Account(answered_at=10.0)
    assert account.joules is None
    account = account.lose("silent")
    assert account.gap_seconds_at(15.0) == 5.0
    account = account.skip(20.0)
    assert (account.joules, account.gap_seconds_at(25.0), account.reason) == (0.0, 10.0, None)
    account = account.add(7.0, 30.0, "reset").add(5.0, 40.0, "reset")
    assert (account.joules, account.flags) == (12.0, ("reset",))
    assert account.lose("again").gap_seconds_at(41.0) == 11.0
