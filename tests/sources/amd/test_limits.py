"""What an AMD GPU cannot do is no energy, and what was not measured is said."""

import os
from collections.abc import Callable, Iterator

import pytest
from support.fake_amdsmi import FakeAmdSmi, FakeGpu, Installed

from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import AmdSmiSource

SERIAL = 0x95D34AD09D5B6FA6
NAME = f"gpu:GPU-{SERIAL:016x}"


class Machine:
    """One GPU, polled as the worker would."""

    def __init__(self, gpu: FakeGpu) -> None:
        self.clock, self.gpu = ScriptedClock(), gpu
        self.smi = FakeAmdSmi(self.clock, gpu)
        self.installed = Installed(self.smi)
        self.source = AmdSmiSource([f"GPU-{SERIAL:016x}"], clock=self.clock)
        self.source.open()

    def run(self, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 1e-9:
            self.clock.advance(min(self.source.poll_seconds, left))
            self.source.poll()

    def read(self):
        return self.source.read()[NAME]


@pytest.fixture
def machine() -> Iterator[Callable[[FakeGpu], Machine]]:
    machines = []

    def make(gpu: FakeGpu) -> Machine:
        machines.append(Machine(gpu))
        return machines[-1]

    yield make
    for each in machines:
        each.source.close()
        each.installed.remove()


def test_a_leap_that_no_gpu_could_draw_is_a_gap(machine: Callable[[FakeGpu], Machine]):
    gpu = FakeGpu(SERIAL)
    here = machine(gpu)
    here.run(10)
    before = here.read()
    gpu.counter = lambda joules: joules + 1e6
    here.clock.advance(1)
    after = here.read()
    assert after.joules == before.joules
    assert (after.gap_seconds - before.gap_seconds, after.flags) == (1.0, ("counter_implausible",))
    here.run(10)
    assert here.read().joules == pytest.approx(before.joules + 3000, rel=1e-3)


def test_a_counter_that_stands_still_is_a_gap_in_the_same_second(machine: Callable[[FakeGpu], Machine]):
    gpu = FakeGpu(SERIAL)
    here = machine(gpu)
    here.run(10)
    before = here.read()
    stuck = gpu.start_joules + here.smi.used(gpu)
    gpu.counter = lambda joules: stuck
    here.clock.advance(1)
    after = here.read()
    assert (after.joules, after.gap_seconds - before.gap_seconds) == (before.joules, 1.0)
    assert (after.reason, after.flags) == ("its energy counter stands still", ("counter_frozen",))


def test_a_counter_that_was_only_late_closes_its_gap(machine: Callable[[FakeGpu], Machine]):
    gpu = FakeGpu(SERIAL)
    here = machine(gpu)
    here.run(10)
    stuck = gpu.start_joules + here.smi.used(gpu)
    gpu.counter = lambda joules: stuck
    here.clock.advance(0.8)
    assert here.read().reason is not None
    gpu.counter = lambda joules: joules
    here.clock.advance(0.2)
    reading = here.read()
    assert (reading.reason, reading.gap_seconds, reading.flags) == (None, 0.0, ())
    assert reading.joules == pytest.approx(3300, rel=1e-3)


def test_without_a_power_a_dead_counter_stays_a_gap(machine: Callable[[FakeGpu], Machine]):
    gpu = FakeGpu(SERIAL, power=None)
    here = machine(gpu)
    here.run(10)
    stuck = gpu.start_joules + here.smi.used(gpu)
    gpu.counter = lambda joules: stuck
    here.run(30)
    reading = here.read()
    assert (reading.joules, reading.gap_seconds) == (pytest.approx(3000, rel=1e-3), pytest.approx(30))
    assert "no power" in reading.reason


def test_a_sampled_power_that_no_gpu_could_draw_is_a_gap(machine: Callable[[FakeGpu], Machine]):
    gpu = FakeGpu(SERIAL, counter=None)
    here = machine(gpu)
    here.run(10)
    before = here.read()
    gpu.shown_watts = 60_000
    here.run(10)
    after = here.read()
    assert after.joules == pytest.approx(before.joules, rel=1e-2)
    assert after.gap_seconds == pytest.approx(10, abs=0.1)
    assert "cannot draw" in after.reason


@pytest.mark.parametrize("count", [-1, float("nan"), float("inf"), 2**64, "N/A", None, True])
def test_what_is_no_count_is_no_energy(machine: Callable[[FakeGpu], Machine], count: object):
    gpu = FakeGpu(SERIAL)
    here = machine(gpu)
    here.run(10)
    whole = here.smi.amdsmi_get_energy_count
    here.smi.amdsmi_get_energy_count = lambda handle: whole(handle) | {"energy_accumulator": count}
    here.installed.remove()
    here.installed = Installed(here.smi)
    source = AmdSmiSource([f"GPU-{SERIAL:016x}"], clock=here.clock)
    source.open()
    assert source.read()[NAME].method == "sampled"
    source.close()


def test_who_uses_it_later_is_seen_too(machine: Callable[[FakeGpu], Machine]):
    gpu = FakeGpu(SERIAL, pids=[os.getpid()])
    here = machine(gpu)
    here.run(10)
    assert here.read().flags == ()
    gpu.pids.append(2**22 + 1)
    here.run(31)
    assert here.read().flags == ("shared",)
    assert here.smi.calls.count("amdsmi_get_gpu_process_list") == 2


def test_is_described_by_uuid_product_and_limit(machine: Callable[[FakeGpu], Machine]):
    here = machine(FakeGpu(SERIAL))
    info = here.source.describe()[NAME]
    assert info == (f"GPU-{SERIAL:016x}", "AMD Instinct MI300X", 750.0)
