"""The job's share of a GPU by SM utilization, through the real binding: the truth is known in closed form."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_nvml import GPUS, FakeNvml
from support.nvml_rig import Lap, Rig, ScriptedTime, lap

from green_callbacks.errors import ConfigurationError
from green_callbacks.meter import EnergyMeter, energy_between
from green_callbacks.records import Reading
from green_callbacks.sources import NvmlSource
from green_callbacks.sources.nvidia.usage.utilization_share import IdlePower, UsageInterval

OWN, OTHER, THIRD = os.getpid(), 1234567, 1234568
SLICE = "MIG-11111111-2222-5333-8444-555555555555"
UTILIZATION = "nvmlDeviceGetProcessUtilization"
IDLE_WATTS = 0.2 * 700
"""Of the stand-in's limit, where its power is never that low."""

parts = st.floats(0, 1)


@pytest.fixture
def shared(nvml: FakeNvml) -> Iterator[Rig]:
    rig = Rig(nvml, share="sm_utilization")
    yield rig
    rig.source.close()


def reading_of(rig: Rig) -> Reading:
    return rig.source.read()[GPUS[0]]


def measured(rig: Rig, seconds: float) -> Lap:
    """Measure a lap after the share is known."""
    rig.run(3.0)
    first = rig.edge()
    rig.run(seconds)
    return lap(first, rig.edge())


@given(joules=st.floats(0, 1e6), idle=st.floats(0, 500), own=parts, others=parts, held=parts)
def test_a_share_and_that_of_the_others_are_the_whole(
    joules: float, idle: float, own: float, others: float, held: float
):
    mine = UsageInterval(joules, 1.0, own, own + others, held).own_joules(idle)
    theirs = UsageInterval(joules, 1.0, others, own + others, 1 - held).own_joules(idle)
    assert -1e-9 <= mine <= joules + 1e-6
    assert mine + theirs == pytest.approx(joules)


def test_idle_power_is_the_lowest_seen_and_no_more_than_a_part_of_the_limit():
    idle = IdlePower(700)
    idle.observe(UsageInterval(300.0, 1.0, 40, 80, 0.5))
    assert idle.watts == pytest.approx(140)
    idle.observe(UsageInterval(160.0, 2.0, 0, 80, 0.5))
    assert idle.watts == 80
    idle.observe(UsageInterval(0.0, 1.0, 0, 0, 0.5))  # a counter that stands still
    idle.observe(UsageInterval(90.0, 1.0, 0, 0, 0.5))
    assert idle.watts == 80


def test_without_a_limit_idle_power_is_what_is_seen_when_nobody_computes():
    idle = IdlePower(None)
    idle.observe(UsageInterval(300.0, 1.0, 40, 80, 0.5))
    assert idle.watts == 0
    idle.observe(UsageInterval(90.0, 1.0, 0, 0, 0.5))
    assert idle.watts == 90
    idle.observe(UsageInterval(70.0, 1.0, 0, 50, 0.5))
    assert idle.watts == 70


@pytest.mark.parametrize("sensor", ["", "counter 0", "counter 0\nsamples 0.02 120"])
def test_active_power_is_divided_by_utilization_and_idle_power_by_heads(shared: Rig, sensor: str):
    shared.open(f"gpu\ntrace constant 300\n{sensor}\nprocess {OWN} 60\nprocess {OTHER} 15\nprocess {THIRD} 5")
    part = measured(shared, 20.0)
    truth = (IDLE_WATTS / 3 + (300 - IDLE_WATTS) * 60 / 80) * part.true_joules / 300
    assert part.joules == pytest.approx(truth, rel=0.02)
    reading = reading_of(shared)
    assert (reading.method, reading.tolerance, reading.flags) == ("modelled", 0.40, ("shared", "sm_share"))
    assert reading.reason is None


def test_each_stretch_of_energy_is_divided_by_who_worked_meanwhile(shared: Rig):
    # While we work 400 W flow, while the other works 200 W: a share of the mean would be off by a third.
    spans = "".join(f"process {OWN} 90 {t} {t + 10}\nprocess {OTHER} 90 {t + 10} {t + 20}\n" for t in (0, 20, 40))
    shared.open(f"gpu\ntrace steps 10 400 10 200\n{spans}")
    shared.run(20.0)
    first = shared.edge()
    shared.run(40.0)
    part = lap(first, shared.edge())
    truth = 20 * (IDLE_WATTS / 2 + 400 - IDLE_WATTS) + 20 * IDLE_WATTS / 2
    assert part.joules == pytest.approx(truth, rel=0.03)


def test_a_lap_is_modelled_and_its_bounds_are_those_of_the_model(shared: Rig):
    shared.open(f"gpu\ntrace constant 300\nprocess {OWN} 60\nprocess {OTHER} 20")
    meter = EnergyMeter([shared.source], ScriptedTime(shared.nvml))
    meter.open()
    shared.run(3.0)
    first = meter.read()
    shared.run(10.0)
    device = energy_between(first, meter.read())[GPUS[0]]
    truth = 10 * (IDLE_WATTS / 2 + 160 * 60 / 80)
    assert (device.method, device.tolerance, device.flags) == ("modelled", 0.40, ("shared", "sm_share"))
    assert device.joules == pytest.approx(truth, rel=0.03)
    assert device.low_joules == pytest.approx(0.6 * truth, rel=0.05)
    assert device.high_joules == pytest.approx(1.4 * truth, rel=0.05)


def test_where_nobody_works_the_energy_is_divided_by_heads(shared: Rig):
    shared.open(f"gpu\ntrace steps 10 300 20 60\nprocess {OWN} 50 0 10\nprocess {OTHER} 50 0 10")
    shared.run(13.0)
    first = shared.edge()
    shared.run(15.0)
    assert lap(first, shared.edge()).joules == pytest.approx(60 / 2 * 15, rel=0.03)


def test_who_has_not_computed_for_a_minute_holds_nothing_but_we_do(shared: Rig):
    shared.open(f"gpu\ntrace constant 60\nprocess {OWN} 50 0 5\nprocess {OTHER} 50 0 5")
    shared.run(70.0)
    assert measured(shared, 10.0).joules == pytest.approx(600, rel=0.03)


def test_alone_all_of_it_is_ours(shared: Rig):
    shared.open(f"gpu\ntrace square 80 400 1\nprocess {OWN} 40")
    part = measured(shared, 10.0)
    assert part.joules == pytest.approx(part.true_joules, rel=0.02)
    assert part.low_joules <= part.true_joules <= part.high_joules
    assert reading_of(shared).flags == ("sm_share",)


def test_those_who_come_later_are_flagged_too(shared: Rig, nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch):
    import pynvml

    monkeypatch.delattr(pynvml, "nvmlDeviceGetComputeRunningProcesses")
    shared.open(f"gpu\nprocess {OWN} 40\nprocess {OTHER} 40 5")
    shared.run(4.0)
    assert "shared" not in reading_of(shared).flags
    shared.run(4.0)
    assert "shared" in reading_of(shared).flags


def test_a_child_is_ours_and_stays_so_when_its_parent_has_ended(shared: Rig):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        shared.open(f"gpu\ntrace constant 300\nprocess {child.pid} 60\nprocess {OTHER} 20")
        shared.run(3.0)
        assert reading_of(shared).flags == ("shared", "sm_share")
        child.communicate(b"\n")
    part = measured(shared, 10.0)
    assert part.joules == pytest.approx(10 * (IDLE_WATTS / 2 + 160 * 60 / 80), rel=0.03)


def test_a_reading_is_final_and_never_falls(shared: Rig):
    shared.open(f"gpu\ntrace square 100 400 0.3\nprocess {OWN} 90 0 6.3\nprocess {OTHER} 90 3 9\nprocess {OWN} 30 9")
    told = [0.0]
    for _ in range(400):
        shared.run(0.037)
        reading = reading_of(shared)
        assert reading.joules is not None
        assert reading.joules >= told[-1]
        assert 0 <= reading.below_joules <= reading.joules
        assert reading.above_joules >= 0
        told.append(reading.joules)


def test_an_edge_asks_for_nothing_more_than_without_a_share(shared: Rig, nvml: FakeNvml):
    shared.open(f"gpu\nprocess {OWN} 60\nprocess {OTHER} 20")
    shared.run(3.0)
    before = nvml.calls()
    shared.source.read()
    assert nvml.calls() - before == 2


def test_the_driver_is_asked_about_once_a_second_and_never_for_its_list_of_processes(shared: Rig, nvml: FakeNvml):
    shared.open(f"gpu\nprocess {OWN} 60\nprocess {OTHER} 20")
    before, listed = nvml.calls(UTILIZATION), nvml.calls("nvmlDeviceGetComputeRunningProcesses_v3")
    shared.run(60.0)
    assert 40 <= (nvml.calls(UTILIZATION) - before) / 2 <= 67
    assert nvml.calls("nvmlDeviceGetComputeRunningProcesses_v3") == listed


def test_until_we_are_seen_the_whole_counts(shared: Rig, caplog: pytest.LogCaptureFixture):
    shared.open(f"gpu\ntrace constant 300\nprocess {OTHER} 80\nprocess {OWN} 80 20")
    part = measured(shared, 10.0)
    assert part.joules == pytest.approx(part.true_joules, rel=0.02)
    reading = reading_of(shared)
    assert (reading.method, reading.flags) == ("counter", ("shared", "share_unknown"))
    shared.run(10.0)
    assert measured(shared, 10.0).joules == pytest.approx(1500, rel=0.03)
    assert reading_of(shared).flags == ("shared", "sm_share")
    assert caplog.records == []


def test_ids_of_another_namespace_are_one_warning_with_the_remedy_and_the_whole(
    shared: Rig, caplog: pytest.LogCaptureFixture
):
    shared.open(f"gpu\ntrace constant 300\nprocess {OTHER} 60\nprocess {THIRD} 20")
    part = measured(shared, 100.0)
    assert part.joules == pytest.approx(part.true_joules, rel=0.02)
    assert reading_of(shared).flags == ("shared", "share_unknown")
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "--pid=host" in record.getMessage()


@pytest.mark.parametrize("code", [3, 4, 13])
def test_a_driver_that_does_not_tell_is_one_warning_and_the_whole(
    shared: Rig, nvml: FakeNvml, caplog: pytest.LogCaptureFixture, code: int
):
    refused = f"error {UTILIZATION} {code}\nerror nvmlDeviceGetProcessesUtilizationInfo {code}"
    shared.open(f"gpu\nprocess {OWN} 60\nprocess {OTHER} 20\n{refused}")
    asked = nvml.calls(UTILIZATION)
    part = measured(shared, 20.0)
    assert part.joules == pytest.approx(part.true_joules, rel=0.02)
    assert reading_of(shared).flags == ("shared", "share_unknown")
    assert nvml.calls(UTILIZATION) == asked
    [record] = caplog.records
    assert "Leave share= out" in record.getMessage()


def test_a_gpu_cut_into_slices_counts_whole(shared: Rig, caplog: pytest.LogCaptureFixture):
    shared.open(f"gpu\nprocess {OWN} 60\nmig {SLICE} 1 0 2 20480")
    assert reading_of(shared).flags == ("share_unknown",)
    assert "MIG" in caplog.text


def test_a_slice_stays_the_part_that_it_is(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch):
    nvml.script(f"gpu\nprocess {OWN} 60\nmig {SLICE} 1 0 2 20480")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", SLICE)
    source = NvmlSource(share="sm_utilization")
    source.open()
    assert source.read()[f"gpu:{SLICE}"].flags[0] == "mig_2_of_7"
    source.close()
    assert nvml.calls(UTILIZATION) == 0


def test_a_newer_driver_is_asked_by_the_newer_call(shared: Rig):
    shared.open(f"gpu\ntrace constant 300\nprocess {OWN} 60\nprocess {OTHER} 20\nerror {UTILIZATION} 3")
    assert measured(shared, 10.0).joules == pytest.approx(10 * (IDLE_WATTS / 2 + 160 * 60 / 80), rel=0.03)


def test_a_binding_that_calls_nothing_a_success_is_understood(shared: Rig, monkeypatch: pytest.MonkeyPatch):
    import pynvml

    def nothing(*_: object):
        raise pynvml.NVMLError(0)

    shared.open(f"gpu\ntrace constant 60\nprocess {OWN} 60\nprocess {OTHER} 20")
    shared.run(3.0)
    monkeypatch.setattr(pynvml, UTILIZATION, nothing)
    shared.run(3.0)
    assert measured(shared, 10.0).joules == pytest.approx(300, rel=0.03)


def test_figures_that_cannot_be_are_left_out(shared: Rig):
    shared.open(f"gpu\ntrace constant 300\nprocess {OWN} 60\nprocess {OTHER} 20\nprocess 0 4000000")
    assert measured(shared, 10.0).joules == pytest.approx(10 * (IDLE_WATTS / 2 + 160 * 60 / 80), rel=0.03)


def test_a_driver_that_falls_silent_for_a_moment_changes_nothing(shared: Rig, caplog: pytest.LogCaptureFixture):
    shared.open(f"gpu\ntrace constant 300\nprocess {OWN} 60\nprocess {OTHER} 20\nerror {UTILIZATION} 999 5 12")
    part = measured(shared, 17.0)
    assert part.joules == pytest.approx(17 * (IDLE_WATTS / 2 + 160 * 60 / 80), rel=0.03)
    assert reading_of(shared).flags == ("shared", "sm_share")
    assert caplog.records == []


def test_a_driver_that_does_not_tell_at_first_is_asked_again(shared: Rig):
    shared.open(f"gpu\ntrace constant 300\nprocess {OWN} 60\nprocess {OTHER} 20\nerror {UTILIZATION} 999 -1 0.5")
    assert measured(shared, 10.0).joules == pytest.approx(10 * (IDLE_WATTS / 2 + 160 * 60 / 80), rel=0.03)


def test_after_a_longer_silence_the_whole_counts_until_it_tells_again(shared: Rig, caplog: pytest.LogCaptureFixture):
    shared.open(f"gpu\ntrace constant 300\nprocess {OWN} 60\nprocess {OTHER} 20\nerror {UTILIZATION} 999 10 40")
    shared.run(25.0)
    first = shared.edge()
    shared.run(10.0)
    whole = lap(first, shared.edge())
    assert whole.joules == pytest.approx(whole.true_joules, rel=0.02)
    assert reading_of(shared).flags == ("shared", "share_unknown")
    shared.run(10.0)
    assert measured(shared, 10.0).joules == pytest.approx(10 * (IDLE_WATTS / 2 + 160 * 60 / 80), rel=0.03)
    assert reading_of(shared).flags == ("shared", "sm_share")
    assert len(caplog.records) == 1


@pytest.mark.parametrize("lost", ["lost", "error nvmlDeviceGetTotalEnergyConsumption 15"])
def test_a_gpu_that_is_lost_keeps_its_share_and_goes_on_with_it(shared: Rig, lost: str):
    shared.open(f"gpu\ntrace constant 300\nprocess {OWN} 60\nprocess {OTHER} 20\n{lost} 10 40\nreset 30")
    shared.run(20.0)
    before = reading_of(shared)
    assert before.reason is not None
    shared.run(15.0)
    assert reading_of(shared).joules == before.joules
    shared.run(10.0)
    after = reading_of(shared)
    assert after.reason is None
    part = measured(shared, 10.0)
    assert part.joules == pytest.approx(10 * (IDLE_WATTS / 2 + 160 * 60 / 80), rel=0.03)


def test_there_is_one_way_to_share():
    with pytest.raises(ConfigurationError, match="sm_utilization"):
        NvmlSource(share="cpu_time")  # type: ignore[arg-type]


def test_without_psutil_it_is_this_process_alone(shared: Rig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    shared.open(f"gpu\ntrace constant 300\nprocess {OWN} 60\nprocess {OTHER} 20")
    assert measured(shared, 10.0).joules == pytest.approx(10 * (IDLE_WATTS / 2 + 160 * 60 / 80), rel=0.03)


@pytest.mark.parametrize("step", [-3600.0, -5.0, 3600.0])
def test_a_time_of_day_that_is_set_changes_no_share(shared: Rig, step: float):
    script = f"day_step 6 {step}\ngpu\ntrace constant 300\nprocess {OWN} 60\nprocess {OTHER} 20"
    shared.open(script)
    shared.run(3.0)
    part = measured(shared, 20.0)
    assert part.joules == pytest.approx(20 * (IDLE_WATTS / 2 + 160 * 60 / 80), rel=0.03)
    assert reading_of(shared).flags == ("shared", "sm_share")
