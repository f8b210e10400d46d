"""A source's life: copies, threads, forks, and what it leaves behind. In real time."""

import copy
import os
import pickle
import threading
import time

import pytest
from support.fake_nvml import GPUS, FakeNvml

from green_callbacks.sources import NvmlSource


def joules(source: NvmlSource) -> float:
    value = source.read()[GPUS[0]].joules
    assert value is not None
    return value


def test_a_window_in_real_time(nvml: FakeNvml):
    nvml.script("gpu\ntrace square 80 400 3")
    source = NvmlSource()
    source.open()
    source.poll()
    first, before = source.read()[GPUS[0]], time.monotonic()
    time.sleep(0.6)
    last, after = source.read()[GPUS[0]], time.monotonic()
    source.close()
    true_joules = nvml.energy_joules(0, after) - nvml.energy_joules(0, before)
    assert first.joules is not None
    assert last.joules is not None
    assert last.joules - first.joules == pytest.approx(true_joules, abs=45.0)
    assert (last.component, last.method, last.tolerance) == ("gpu", "counter", 0.05)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda source: pickle.loads(pickle.dumps(source))])
def test_a_copy_of_an_open_source_is_closed_and_can_be_opened(nvml: FakeNvml, copied):
    source = NvmlSource([GPUS[0].removeprefix("gpu:")])
    source.open()
    twin = copied(source)
    assert twin.read() == twin.read_settled() == {}
    twin.open()
    assert list(twin.read()) == [GPUS[0]]
    twin.close()
    assert joules(source) > 0
    source.close()


def test_open_and_close_may_be_repeated_and_leave_the_driver_as_it_was(nvml: FakeNvml):
    source = NvmlSource()
    source.close()
    for _ in range(2):
        source.open()
        source.open()
        assert source.poll_seconds is not None
        source.close()
        source.close()
        assert source.read() == {}
        assert source.poll_seconds is None
    source.poll()
    assert nvml.calls("nvmlInitWithFlags") == nvml.calls("nvmlShutdown") == 2


def test_a_fork_neither_counts_nor_hangs(nvml: FakeNvml):
    source = NvmlSource()
    source.open()
    calls = nvml.calls()
    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        with source._live.lock:
            holding.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    child = os.fork()
    if child == 0:
        silent = source.read() == source.read_settled() == {}
        source.poll()
        source.close()
        os._exit(0 if silent and nvml.calls() == calls else 1)
    release.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert joules(source) > 0
    source.close()


def test_closing_ends_a_poll_that_waits(nvml: FakeNvml):
    source = NvmlSource()
    source.open()
    thread = threading.Thread(target=source.poll)
    thread.start()
    source.close()
    thread.join(5.0)
    assert not thread.is_alive()
    assert source.read() == {}


def test_reading_and_polling_at_once(nvml: FakeNvml):
    nvml.script("gpu\ngpu\ncounter 0\ngpu\ncounter 0\nsamples 0.02 120")
    source = NvmlSource()
    source.open()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            source.poll()

    thread = threading.Thread(target=work)
    thread.start()
    seen = [[reading.joules for reading in source.read().values()] for _ in range(2000)]
    source.read_settled()
    stop.set()
    thread.join()
    source.close()
    for device in zip(*seen, strict=True):
        assert list(device) == sorted(device)
