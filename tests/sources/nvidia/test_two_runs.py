"""Two runs on one GPU of the stand-in driver, each with a source of its own."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.fake_nvml import FakeNvml

from green_callbacks import EnergyAccountant
from green_callbacks.sources import NvmlSource

LONG_SECONDS = 30.0
WATTS = 300.0


def accountant() -> EnergyAccountant:
    return EnergyAccountant(sources=[NvmlSource()], carbon_intensity=100.0, pue=1.0, sinks=[], ledger=False)


def test_the_gpu_is_measured_once_and_goes_on_when_the_run_that_found_it_ends(nvml: FakeNvml):
    first, second = accountant(), accountant()
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:

        def on(pool, work, *arguments):
            return pool.submit(work, *arguments).result(LONG_SECONDS)

        on(one, first.start)
        time.sleep(0.3)
        on(other, second.start)
        on(one, first.begin_epoch, 0)
        on(other, second.begin_epoch, 0)
        time.sleep(1.0)
        ours = on(one, first.end_epoch)
        theirs = on(other, second.end_epoch)
        on(one, first.close)
        on(other, second.begin_epoch, 1)
        time.sleep(1.0)
        alone = on(other, second.end_epoch)
        on(other, second.close)
    for record in (ours, theirs):
        (device,) = record.devices.values()
        assert device.joules == pytest.approx(WATTS / 2 * device.duration_seconds, rel=0.1)
        assert device.low_joules < 0.2 * device.joules
        assert device.high_joules == pytest.approx(WATTS * device.duration_seconds, rel=0.25)
        assert (device.method, "shared" in device.flags) == ("modelled", True)
    (device,) = alone.devices.values()
    assert device.joules == pytest.approx(WATTS * device.duration_seconds, rel=0.1)
    assert (device.method, device.flags, device.gap_seconds) == ("counter", (), 0.0)
