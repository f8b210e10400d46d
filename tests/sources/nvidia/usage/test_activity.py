"""What GPUs do, by the stand-in for NVIDIA's driver."""

import threading
import time

import pytest
from support.nvml_rig import GPUS, Rig

from green_callbacks import EnergyAccountant
from green_callbacks.records import ActivityTotals
from green_callbacks.sources import NvmlSource
from green_callbacks.sources.nvidia.driver.calls import Driver
from green_callbacks.sources.nvidia.usage.activity import SAMPLE_SECONDS
from green_callbacks.sources.nvidia.usage.clock_reasons import ClockReasons

REASONS = "nvmlDeviceGetCurrentClocksEventReasons"
OLD_REASONS = "nvmlDeviceGetCurrentClocksThrottleReasons"
ALL = ["nvmlDeviceGetUtilizationRates", "nvmlDeviceGetClockInfo", "nvmlDeviceGetTemperature", REASONS, OLD_REASONS]
NOT_SUPPORTED, NO_PERMISSION, LOST, UNKNOWN = 3, 4, 15, 999


def seen(rig: Rig, seconds=60.0, name=GPUS[0]):
    first = rig.source.activity()
    rig.watch(seconds)
    last = rig.source.activity()
    return last[name].since(first[name], seconds) if name in last else None


def test_what_a_gpu_does_is_sampled_about_once_a_second(rig):
    activity = seen(rig.open("gpu\ndefault_limit 700\nlimit 500"))
    assert activity.observed_seconds == pytest.approx(60.0, abs=1.5)
    assert (activity.utilization, activity.sm_mhz, activity.temperature_celsius) == (0.9, 1500.0, 50.0)
    assert activity.limit_watts == 500.0
    assert activity[4:8] == (0.0, 0.0, 0.0, 0.0)
    assert rig.nvml.calls(REASONS) == pytest.approx(60 / SAMPLE_SECONDS, abs=3)


@pytest.mark.parametrize(
    ("bits", "told"),
    [
        (0x0, (False, False, False)),
        (0x1, (False, False, False)),  # idle
        (0x2, (False, False, False)),  # clocks that the user has set
        (0x4, (False, True, False)),
        (0x8, (False, False, True)),
        (0x20, (True, False, False)),
        (0x48, (True, False, False)),  # the hardware slows down because of heat
        (0x88, (False, False, True)),
        (0xC8, (True, False, True)),
        (0x24, (True, True, False)),
    ],
)
def test_reasons_of_low_clocks(bits, told):
    assert ClockReasons.of(bits) == told


def test_shares_of_the_time_with_lowered_clocks(rig):
    script = f"gpu\nwrong {REASONS} 4 10 40\nwrong {REASONS} 36 40 50"
    activity = seen(rig.open(script), 100.0)
    assert activity.power_cap_share == pytest.approx(0.4, abs=0.03)
    assert activity.thermal_share == pytest.approx(0.1, abs=0.03)
    assert activity.throttled_share == pytest.approx(0.4, abs=0.03)
    assert activity.hardware_share == 0.0


def test_a_mean_is_over_the_time(rig):
    activity = seen(rig.open("gpu\nwrong nvmlDeviceGetUtilizationRates 0 0 30"), 60.0)
    assert activity.utilization == pytest.approx(0.45, abs=0.03)


def test_a_driver_before_535_is_asked_by_the_older_name(rig):
    rig.open(f"gpu\nerror {REASONS} 13\nwrong {OLD_REASONS} 4")
    assert seen(rig).power_cap_share == 1.0
    assert rig.nvml.calls(REASONS) == 1


@pytest.mark.parametrize("code", [NOT_SUPPORTED, NO_PERMISSION])
@pytest.mark.parametrize("function", [*ALL[:3], "nvmlDeviceGetEnforcedPowerLimit"])
def test_what_the_driver_refuses_is_absent_and_not_asked_again(rig, function, code):
    field = {
        "nvmlDeviceGetUtilizationRates": "utilization",
        "nvmlDeviceGetClockInfo": "sm_mhz",
        "nvmlDeviceGetTemperature": "temperature_celsius",
        "nvmlDeviceGetEnforcedPowerLimit": "limit_watts",
    }[function]
    activity = seen(rig.open(f"gpu\nerror {function} {code}"))
    assert getattr(activity, field) is None
    assert activity.throttled_share == 0.0
    calls = rig.nvml.calls(function)
    rig.watch(10.0)
    assert rig.nvml.calls(function) == calls


def test_a_driver_that_tells_nothing_leaves_nothing(rig):
    refusals = "\n".join(f"error {function} {NOT_SUPPORTED}" for function in ALL)
    assert seen(rig.open(f"gpu\n{refusals}")) is None
    calls = rig.nvml.calls(REASONS)
    rig.watch(10.0)
    assert rig.nvml.calls(REASONS) == calls


@pytest.mark.parametrize(
    ("function", "value", "field"),
    [
        ("nvmlDeviceGetUtilizationRates", 101, "utilization"),
        ("nvmlDeviceGetClockInfo", 0, "sm_mhz"),
        ("nvmlDeviceGetClockInfo", 4294967295, "sm_mhz"),
        ("nvmlDeviceGetTemperature", 0, "temperature_celsius"),
        ("nvmlDeviceGetTemperature", 4294967295, "temperature_celsius"),
    ],
)
def test_an_impossible_value_is_no_answer(rig, function, value, field):
    activity = seen(rig.open(f"gpu\nwrong {function} {value}"))
    assert getattr(activity, field) is None
    assert activity.throttled_share == 0.0


def test_reasons_of_all_bits_are_no_answer(rig):
    activity = seen(rig.open(f"gpu\nwrong {REASONS} {2**32 - 1}"))
    assert (activity.throttled_share, activity.utilization) == (None, 0.9)


def test_a_lost_gpu_is_not_observed_until_it_comes_back(rig):
    activity = seen(rig.open("gpu\nlost 20 50"), 60.0)
    assert activity.observed_seconds == pytest.approx(30.0, abs=3.0)
    assert activity.utilization == 0.9


def test_a_short_record_without_a_sample_has_nothing(rig):
    rig.open("gpu")
    rig.watch(5.0)
    first = rig.source.activity()[GPUS[0]]
    rig.nvml.advance(0.3)
    assert rig.source.activity()[GPUS[0]].since(first, 0.3) is None


def test_a_sample_after_a_long_pause_stands_for_two_intervals(rig):
    rig.open("gpu")
    first = rig.source.activity()[GPUS[0]]
    rig.nvml.advance(100.0)
    rig.source.observe()
    assert rig.source.activity()[GPUS[0]].since(first, 100.0).observed_seconds == 2 * SAMPLE_SECONDS


def test_a_slice_has_no_utilization_and_no_limit_of_its_own(rig, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1")
    activity = seen(rig.open("gpu\nmig MIG-1 1 0 3"), name="gpu:MIG-1")
    assert (activity.utilization, activity.limit_watts) == (None, None)
    assert (activity.sm_mhz, activity.throttled_share) == (1500.0, 0.0)


def test_a_slow_driver_is_asked_less_often(rig):
    rig.open("gpu\nslow 0.02")
    rig.source.observe()
    assert rig.source.observe_seconds == pytest.approx(5 * 0.02 / 0.002)


def test_eight_gpus_are_told_apart(rig):
    script = "\n".join(f"gpu\nwrong nvmlDeviceGetUtilizationRates {10 * number}" for number in range(8))
    rig.open(script)
    rig.watch(10.0)
    told = [totals.since(ActivityTotals(totals.origin_seconds), 10.0) for totals in rig.source.activity().values()]
    assert [activity.utilization for activity in told] == pytest.approx([number / 10 for number in range(8)])


def test_a_closed_source_has_no_activity(rig):
    rig.open("gpu")
    rig.watch(5.0)
    rig.source.close()
    assert rig.source.activity() == {}
    assert rig.source.observe_seconds is None
    rig.source.observe()


def test_a_source_that_is_opened_again_begins_anew(rig):
    rig.open("gpu")
    rig.watch(5.0)
    first = rig.source.activity()[GPUS[0]]
    rig.source.close()
    rig.nvml.advance(1.0)
    rig.source.open()
    rig.watch(5.0)
    assert rig.source.activity()[GPUS[0]].since(first, 20.0) is None


@pytest.mark.parametrize("function", ALL[:4])
def test_a_driver_that_hangs_here_delays_no_reading_of_the_energy(nvml, function):
    nvml.script(f"gpu\nhang {function}")
    source = NvmlSource()
    source.open()
    asking = threading.Thread(target=source.observe, daemon=True)
    asking.start()
    deadline = time.monotonic() + 5.0
    while not nvml.calls(function) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert source.read()[GPUS[0]].reason is None
    source.poll()
    assert asking.is_alive()
    nvml.release()
    asking.join(5.0)
    source.close()
    assert not asking.is_alive()


def test_a_binding_without_the_functions_costs_nothing(rig, monkeypatch):
    import pynvml

    for function in ALL:
        monkeypatch.delattr(pynvml, function)
    assert seen(rig.open("gpu")) is None
    assert rig.source.read()[GPUS[0]].reason is None


def test_the_calls_are_timed_apart_from_the_calls_of_the_energy(rig):
    rig.open("gpu")
    session = rig.source._live
    assert isinstance(session._driver, Driver)
    before = session._driver.call_seconds
    session.watch._driver.call_seconds = 1.0
    assert session._driver.call_seconds == before


def test_a_run_records_what_its_gpu_did(nvml):
    """In real time, with the worker of a run."""
    nvml.script(f"gpu\nlimit 500\nwrong {REASONS} 4")
    run = EnergyAccountant(sources=[NvmlSource()], location="DE", ledger=False, sinks=[])
    run.start()
    run.begin_epoch(0)
    deadline = time.monotonic() + 20.0
    while nvml.calls("nvmlDeviceGetUtilizationRates") < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    record = run.end_epoch()
    totals = run.close()
    activity = record.activity[GPUS[0]]
    assert (activity.utilization, activity.power_cap_share, activity.limit_watts) == (0.9, 1.0, 500.0)
    assert 0.0 < activity.observed_seconds <= record.duration_seconds
    assert totals.activity[GPUS[0]].utilization == 0.9
