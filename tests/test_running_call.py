import gc
import threading
import weakref

import pytest

from green_callbacks._frameworks.common.running_call import RunningCall

PACKAGE = __name__.split(".", maxsplit=1)[0]


class Large:
    """Something that a call holds."""


def train(seen):
    held = Large()
    seen.append(weakref.ref(held))
    call = RunningCall.innermost(PACKAGE, {"train"})
    assert call.is_running()
    seen.append(call)
    return call


def test_a_call_that_has_returned_is_not_running():
    assert not train([]).is_running()


def test_a_call_that_has_raised_is_not_running_while_its_traceback_lives():
    def train():
        calls.append(RunningCall.innermost(PACKAGE, {"train"}))
        raise ValueError(calls)

    calls = []
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        train()

    assert caught.tb.tb_next is not None
    assert not calls[0].is_running()


def test_nothing_of_the_call_is_kept_alive():
    seen = []
    train(seen)
    gc.collect()

    held, _call = seen
    assert held() is None


def test_another_thread_may_ask():
    begun, done, calls = threading.Event(), threading.Event(), []

    def train():
        calls.append(RunningCall.innermost(PACKAGE, {"train"}))
        begun.set()
        done.wait()

    thread = threading.Thread(target=train)
    thread.start()
    begun.wait()
    assert calls[0].is_running()
    done.set()
    thread.join()
    assert not calls[0].is_running()


def test_another_call_of_the_same_function_is_another_call():
    before = train([])

    def train_again():
        return train([]), before.is_running()

    assert train_again()[1] is False


def test_what_is_not_on_the_stack_is_not_found():
    assert RunningCall.innermost("no_such_package", {"train"}) is None
    assert RunningCall.innermost(PACKAGE, {"no_such_function"}) is None


def test_the_variables_of_a_call_are_known_while_it_runs():
    def train(data):
        calls.append(RunningCall.innermost(PACKAGE, {"train"}))
        return calls[0].variables()["data"]

    calls = []
    assert train(7) == 7
    assert calls[0].variables() == {}


def test_a_later_call_in_the_place_of_the_first_is_another_call():
    """Python gives the memory of a frame, and with it the id, to the next one of the same function."""

    def train():
        made = Large()
        calls.append(RunningCall.innermost(PACKAGE, {"train"}, made="made"))
        assert calls[-1].is_running()
        return made is not None, calls[0].is_running()

    calls = []
    assert train() == (True, True)
    assert [train() for _ in range(5)] == [(True, False)] * 5
