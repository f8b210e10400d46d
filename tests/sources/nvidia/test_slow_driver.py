"""A driver that is slow or hangs: few calls, no bursts, and a close that does not wait for it."""

import logging
import threading
import time

import pytest
from support.fake_nvml import GPUS, FakeNvml
from support.nvml_rig import Rig, lap

from green_callbacks.sources import NvmlSource

DEADLINE_SECONDS = 5.0
"""Wide: how long a thread may take to come to what it must do at once."""


def test_opening_on_a_slow_driver_takes_few_calls(rig: Rig):
    rig.open("gpu\nslow 0.2")
    assert rig.nvml.seconds() <= 2.6
    rig.source.close()
    rig.open("gpu\nslow 0.2\n" * 4)
    assert rig.nvml.seconds() <= 10.4


@pytest.mark.parametrize(
    "sensor", ["", "counter 0", "counter 0\nsamples 0.02 120", "counter 0\npower 0.1\naverage 0.1 1"]
)
def test_a_slow_driver_is_not_called_in_bursts_and_its_bounds_hold_the_truth(rig: Rig, sensor: str):
    rig.open(f"gpu\ntrace constant 300\n{sensor}\nslow 0.2")
    rig.run(2.0)
    first, calls = rig.edge(), rig.nvml.calls()
    rig.run(60.0)
    assert (rig.nvml.calls() - calls) * 0.2 <= 0.3 * 60
    last = rig.edge()
    if last.readings[GPUS[0]].gap_seconds == 0:
        assert abs(lap(first, last).error_joules) < 0.02 * 300 * 60


def hanging(nvml: FakeNvml, function: str, sensor: str) -> tuple[NvmlSource, threading.Thread]:
    """Return a source of which a thread hangs in a call of the driver."""
    nvml.script(f"gpu\n{sensor}")
    source = NvmlSource()
    source.open()
    nvml.script(f"gpu\n{sensor}\nhang {function}")
    calls = nvml.calls(function)
    thread = threading.Thread(target=source.read, daemon=True)
    thread.start()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while nvml.calls(function) == calls and time.monotonic() < deadline:
        time.sleep(0.001)
    assert nvml.calls(function) > calls
    return source, thread


@pytest.mark.parametrize(
    ("function", "sensor"),
    [("nvmlDeviceGetTotalEnergyConsumption", ""), ("nvmlDeviceGetPowerUsage", "counter 0")],
)
def test_a_driver_that_hangs_is_left_behind_and_said_once(
    nvml: FakeNvml, caplog: pytest.LogCaptureFixture, function: str, sensor: str
):
    source, thread = hanging(nvml, function, sensor)
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING):
        source.close()
        source.close()
    assert time.monotonic() - begun < DEADLINE_SECONDS
    assert [record.getMessage() for record in caplog.records if "not shut down" in record.getMessage()] != []
    assert len(caplog.records) == 1
    assert source.read() == {}
    assert nvml.calls("nvmlShutdown") == 0
    nvml.release()
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()


def test_a_source_that_was_left_behind_can_be_opened_again(nvml: FakeNvml):
    source, thread = hanging(nvml, "nvmlDeviceGetTotalEnergyConsumption", "")
    source.close()
    nvml.release()
    thread.join(DEADLINE_SECONDS)
    source.open()
    assert source.read()[GPUS[0]].joules is not None
    source.close()


@pytest.mark.parametrize("sensor", ["counter 0", "counter 0\narch 9\npower 0.1 0.025\naverage 0.1 1"])
def test_no_poll_of_a_sampled_gpu_waits_for_more_than_a_moment(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, sensor):
    nvml.script(f"gpu\n{sensor}")
    source = NvmlSource()
    source.open()
    waits = [0.0]
    monkeypatch.setattr(
        source._live, "_wait_until", lambda wake: waits.append(wake - time.monotonic()) or time.sleep(0.001)
    )
    for _ in range(20):
        source.poll()
        assert max(waits) <= 0.05
        time.sleep(max(0.0, source.poll_seconds or 0.0))
    source.close()
