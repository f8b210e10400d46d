"""The GPUs that a command used, with NVIDIA's driver as a stand-in."""

import os
import threading

import pytest
from support.waiting import until

from green_callbacks.cli.run.gpu_use import GpuUse
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.sources.nvidia.driver.calls import DriverError

NAMES = ["gpu:GPU-a", "gpu:GPU-b"]


class StandIn:
    """A driver of two GPUs with processes."""

    def __init__(self, **pids):
        self.pids, self.looks, self.is_closed = pids, 0, False

    def device_count(self):
        return 2

    def handle_by_index(self, index):
        return "ab"[index]

    def uuid(self, handle):
        return f"GPU-{handle}"

    def process_ids(self, handle):
        self.looks += 1
        if handle not in self.pids:
            raise DriverError
        return self.pids[handle]

    def close(self):
        self.is_closed = True


def watched(driver):
    use = GpuUse(lambda: driver, first_seconds=0.0)
    use.start()
    assert until(lambda: driver.looks >= 2)
    use.stop()
    assert until(lambda: driver.is_closed)
    return use.remark([*NAMES, "cpu:model"])


def test_a_gpu_without_a_process_of_the_command_is_said():
    assert watched(StandIn(a=[os.getpid()], b=[1])) == (
        "No process of the command was seen on gpu:GPU-b, and this energy counts too. Name the GPUs that it may use in "
        "CUDA_VISIBLE_DEVICES."
    )


@pytest.mark.parametrize("pids", [{"a": [os.getpid()], "b": [os.getpid(), 1]}, {"a": [1], "b": []}, {}])
def test_where_all_are_used_or_nothing_is_known_nothing_is_said(pids):
    assert watched(StandIn(**pids)) is None


def test_without_a_driver_nothing_is_said():
    def none():
        raise SourceUnavailableError

    use = GpuUse(none, first_seconds=0.0)
    use.start()
    use.stop()
    assert use.remark(NAMES) is None


def test_where_no_thread_can_be_started_nothing_is_said(monkeypatch):
    def none_left(_):
        raise RuntimeError

    monkeypatch.setattr(threading.Thread, "start", none_left)
    use = GpuUse(StandIn)
    use.start()
    use.stop()
    assert use.remark(NAMES) is None


def test_a_short_command_is_not_watched():
    driver = StandIn(a=[os.getpid()])
    use = GpuUse(lambda: driver)
    use.start()
    use.stop()
    assert (driver.looks, use.remark(NAMES)) == (0, None)
    GpuUse(lambda: driver).stop()
