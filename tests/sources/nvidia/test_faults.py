"""Everything that a driver can do wrong, through the real binding: no exception, no zero, no invented joule."""

import logging
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest
from support.fake_nvml import GPUS, FakeNvml
from support.nvml_rig import Rig, lap

from green_callbacks.errors import SourceUnavailableError
from green_callbacks.sources import NvmlSource
from green_callbacks.sources.job.machine_kind import Place
from green_callbacks.sources.nvidia.driver import remedy as _nvml_remedy


def percent_off(rig: Rig, seconds: float = 10.0) -> tuple[float, float]:
    first = rig.edge()
    rig.run(seconds)
    measured = lap(first, rig.edge())
    return 100 * abs(measured.error_joules) / measured.true_joules, measured.gap_seconds


@pytest.mark.parametrize(
    ("code", "place", "advice"),
    [
        (18, "machine", "Reboot, or reload the module"),
        (9, "machine", "modprobe nvidia"),
        (9, "container", "--gpus all"),
        (4, "machine", "/dev/nvidiactl"),
        (17, "container", "/dev/nvidiactl"),
        (12, "machine", "libnvidia-ml"),
        (12, "container", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"),
        (12, "jetson", "tegrastats"),
        (12, "wsl", "driver of Windows"),
        (13, "machine", "too old"),
        (15, "machine", "Xid"),
        (16, "machine", "--gpu-reset"),
        (999, "container", "Restart the container"),
        (999, "machine", "'nvidia-smi' must work"),
    ],
)
def test_a_driver_that_does_not_start_comes_with_the_remedy_that_fits(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, code: int, place: Place, advice: str
):
    monkeypatch.setattr(_nvml_remedy, "place_of", lambda: place)
    nvml.script(f"init {code}")
    with pytest.raises(SourceUnavailableError) as refusal:
        NvmlSource().open()
    assert advice in str(refusal.value)


@pytest.mark.parametrize(("place", "advice"), [("jetson", "tegrastats"), ("wsl", "WSL"), ("machine", "GeForce")])
def test_gpus_that_tell_neither_energy_nor_power_come_with_the_remedy_that_fits(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, place: Place, advice: str
):
    monkeypatch.setattr(_nvml_remedy, "place_of", lambda: place)
    refused = ("TotalEnergyConsumption", "PowerUsage", "FieldValues")
    nvml.script("gpu\n" + "\n".join(f"error nvmlDeviceGet{call} 3" for call in refused))
    with pytest.raises(SourceUnavailableError, match=advice):
        NvmlSource().open()


def test_a_slice_of_mig_whose_gpu_tells_nothing_says_why(nvml: FakeNvml):
    refused = ("TotalEnergyConsumption", "PowerUsage", "FieldValues")
    part = "MIG-cccccccc-0000-4000-8000-000000000003"
    script = f"gpu\nmig {part} 1 0 2 20480\n" + "\n".join(f"error nvmlDeviceGet{call} 4" for call in refused)
    nvml.script(script)
    with pytest.raises(SourceUnavailableError, match="whole GPU's energy"):
        NvmlSource(uuids=[part]).open()


def test_a_gpu_that_a_framework_names_both_ways_is_one(nvml: FakeNvml, caplog: pytest.LogCaptureFixture):
    uuid = GPUS[0].removeprefix("gpu:GPU-")
    source = NvmlSource(uuids=[f"GPU-{uuid}", f"MIG-{uuid}"])
    source.open()
    assert list(source.read()) == GPUS[:1]
    source.close()
    assert caplog.text == ""


@pytest.mark.parametrize("visible", [None, "", "7"])
def test_a_process_that_uses_none_of_the_gpus_is_told_how_to_name_them(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, visible: str | None
):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    uuids = ["GPU-ffffffff-0000-4000-8000-000000000009"] if visible is None else None
    with pytest.raises(SourceUnavailableError) as refusal:
        NvmlSource(uuids=uuids).open()
    assert ("uuids=['GPU-ffffffff" if uuids else f"CUDA_VISIBLE_DEVICES={visible!r}") in str(refusal.value)
    assert "NvmlSource(uuids=[...])" in str(refusal.value)


def test_a_module_of_another_package_that_cannot_even_be_imported_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "pynvml.py").write_text("print 'of Python 2'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    with pytest.raises(SourceUnavailableError, match="pip uninstall -y pynvml"):
        NvmlSource().open()


def test_names_that_an_old_binding_tells_as_bytes_are_read(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch):
    import pynvml

    told = pynvml.nvmlDeviceGetUUID
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUUID", lambda handle: told(handle).encode())
    source = NvmlSource(uuids=[GPUS[0].removeprefix("gpu:")])
    source.open()
    assert list(source.read()) == GPUS[:1]
    source.close()


@pytest.mark.parametrize("module", [None, ModuleType("pynvml")])
def test_a_binding_that_is_missing_or_not_nvidias_is_told(monkeypatch: pytest.MonkeyPatch, module: ModuleType | None):
    monkeypatch.setitem(sys.modules, "pynvml", module)
    with pytest.raises(SourceUnavailableError, match=r"pynvml|nvidia-ml-py"):
        NvmlSource().open()


def test_gpus_that_cannot_be_counted_are_no_source(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch):
    import pynvml

    monkeypatch.delattr(pynvml, "nvmlDeviceGetCount")
    with pytest.raises(SourceUnavailableError, match="nvmlDeviceGetCount"):
        NvmlSource().open()
    assert nvml.calls("nvmlShutdown") == 1


def test_closing_after_the_library_was_shut_down_is_no_error(rig: Rig):
    import pynvml

    rig.open("gpu")
    pynvml.nvmlShutdown()
    rig.source.close()
    assert rig.source.read() == {}


def test_a_driver_without_gpus_is_no_source_and_is_let_go(nvml: FakeNvml):
    nvml.script("clock real")
    with pytest.raises(SourceUnavailableError, match="nvidia-smi -L"):
        NvmlSource().open()
    assert nvml.calls("nvmlInitWithFlags") == nvml.calls("nvmlShutdown") == 1


def test_a_gpu_that_tells_neither_energy_nor_power_is_no_source(nvml: FakeNvml):
    nvml.script("gpu\ncounter 0\npower 0 1")
    with pytest.raises(SourceUnavailableError, match="virtual GPU"):
        NvmlSource().open()
    assert nvml.calls("nvmlShutdown") == 1


@pytest.mark.parametrize("code", [3, 4, 13, 999])
def test_a_counter_that_is_refused_is_replaced_by_sampling(rig: Rig, code: int):
    rig.open(f"gpu\ntrace square 80 400 1\nerror nvmlDeviceGetTotalEnergyConsumption {code}")
    reading = rig.source.read()[GPUS[0]]
    assert (reading.method, reading.reason) == ("sampled", None)
    assert percent_off(rig) == (pytest.approx(0.0, abs=2.0), 0.0)


@pytest.mark.parametrize(
    "function", ["nvmlDeviceGetPowerUsage", "field:186", "nvmlDeviceGetEnforcedPowerLimit", "nvmlDeviceGetName"]
)
def test_a_counter_does_not_need_anything_else(rig: Rig, function: str):
    rig.open(f"gpu\nerror {function} 3")
    assert rig.source.read()[GPUS[0]].method == "counter"
    assert percent_off(rig) == (pytest.approx(0.0, abs=2.0), 0.0)


def test_a_counter_without_any_power_reading_still_counts(rig: Rig):
    rig.open("gpu\npower 0 1")
    assert percent_off(rig)[0] < 2.0


def test_a_reset_of_the_counter_loses_nothing(rig: Rig):
    rig.open("gpu\nreset 6.3")
    off, gap = percent_off(rig)
    assert off < 2.0
    assert gap == 0.0
    assert "reset" in rig.source.read()[GPUS[0]].flags


def test_a_reset_while_the_gpu_was_away_is_a_gap(rig: Rig):
    rig.open("gpu\nlost 4 12\nreset 11")
    rig.run(1.0)
    first = rig.edge()
    rig.run(15.0)
    measured = lap(first, rig.edge())
    missing_seconds = -measured.error_joules / 300
    assert measured.gap_seconds == pytest.approx(missing_seconds, abs=0.3)
    assert 5.0 < missing_seconds < 9.0


def test_a_frozen_counter_is_replaced_and_the_time_in_between_is_a_gap(rig: Rig, caplog: pytest.LogCaptureFixture):
    rig.open("gpu\nfrozen 5")
    with caplog.at_level(logging.WARNING):
        rig.run(1.0)
        first = rig.edge()
        rig.run(15.0)
        measured = lap(first, rig.edge())
    reading = rig.source.read()[GPUS[0]]
    assert measured.gap_seconds == pytest.approx(-measured.error_joules / 300, abs=0.2)
    assert 0.5 < measured.gap_seconds < 3.5
    assert reading.method == "sampled"
    assert "counter_frozen" in reading.flags
    assert "stood still" in caplog.text


@pytest.mark.parametrize("gain", [3.0, 0.5])
def test_a_counter_that_contradicts_the_power_is_replaced(rig: Rig, gain: float):
    rig.open(f"gpu\nlimit 700\ngain {gain}\ntrace square 200 400 0.7")
    rig.run(60.0)
    assert "counter_implausible" in rig.source.read()[GPUS[0]].flags
    assert percent_off(rig)[0] < 2.0


@pytest.mark.no_cover
@pytest.mark.parametrize("hertz", [0.2, 0.5, 1, 1.25, 2, 5, 7, 10])
@pytest.mark.parametrize("sensor", ["power 0.02 0.01", "power 0.1 0.1 0.05", "power 0.1 0.025 0.05\naverage 0.1 1"])
def test_a_true_counter_is_never_doubted(rig: Rig, hertz: float, sensor: str):
    rig.open(f"gpu\ntrace square 60 600 {hertz} 0.3\n{sensor}")
    rig.run(600.0)
    assert rig.source.read()[GPUS[0]].method == "counter"


def test_a_lost_gpu_keeps_what_it_had_and_says_for_how_long(rig: Rig):
    rig.open("gpu\nlost 8")
    first = rig.edge()
    rig.run(20.0)
    last = rig.edge()
    reading = last.readings[GPUS[0]]
    measured = lap(first, last)
    assert reading.reason is not None
    assert "lost" in reading.reason.lower()
    assert measured.gap_seconds == pytest.approx(-measured.error_joules / 300, abs=0.2)
    assert measured.gap_seconds == pytest.approx(last.seconds - 8.0, abs=2.5)


def test_a_gpu_that_comes_back_with_its_counter_has_lost_nothing(rig: Rig):
    rig.open("gpu\nlost 5 9")
    first = rig.edge()
    rig.run(7.0)
    assert lap(first, rig.edge()).gap_seconds > 0.5
    rig.run(8.0)
    measured = lap(first, rig.edge())
    assert measured.gap_seconds == 0.0
    assert abs(measured.error_joules) < 5.0
    assert rig.source.read()[GPUS[0]].reason is None


def test_a_sampled_gpu_that_comes_back_has_a_gap_as_long_as_it_was_away(rig: Rig):
    rig.open("gpu\ncounter 0\nlost 5 9")
    first = rig.edge()
    rig.run(15.0)
    measured = lap(first, rig.edge())
    assert measured.gap_seconds == pytest.approx(4.0, abs=0.2)
    assert measured.gap_seconds == pytest.approx(-measured.error_joules / 300, abs=0.2)


def test_a_gpu_lost_before_the_start_is_counted_from_when_it_comes(rig: Rig):
    rig.open(
        "gpu\nerror nvmlDeviceGetTotalEnergyConsumption 15 0 4\nerror nvmlDeviceGetPowerUsage 15 0 4\n"
        "error nvmlDeviceGetFieldValues 15 0 4\ngpu"
    )
    before = rig.source.read()[GPUS[0]]
    assert before.joules is None
    assert before.reason is not None
    rig.run(10.0)
    after = rig.source.read()[GPUS[0]]
    assert after.joules is not None
    assert after.reason is None
    assert after.gap_seconds == pytest.approx(4.0, abs=1.0)


@pytest.mark.parametrize("sensor", ["counter 0.1", "counter 0", "counter 0\nsamples 0.02 120"])
def test_a_driver_that_fails_every_third_call_costs_nothing(rig: Rig, sensor: str):
    for _ in range(20):  # opening may fail too, and is tried again
        try:
            rig.open(f"gpu\n{sensor}\nflaky 0.3")
        except SourceUnavailableError:
            continue
        break
    first = rig.edge()
    while first.readings[GPUS[0]].reason is not None:
        first = rig.edge()
    rig.run(10.0)
    last = rig.edge()
    while last.readings[GPUS[0]].reason is not None:
        last = rig.edge()
    measured = lap(first, last)
    assert measured.error_joules == pytest.approx(-300.0 * measured.gap_seconds, abs=60.0)
    assert measured.gap_seconds < 5.0


def test_a_slow_driver_is_no_less_exact(rig: Rig):
    rig.open("gpu\nslow 0.004")
    assert percent_off(rig)[0] < 0.5


def test_a_library_shut_down_by_somebody_else_is_opened_again(rig: Rig):
    import pynvml

    rig.open("gpu")
    first = rig.edge()
    with suppress(pynvml.NVMLError_Uninitialized):
        while True:  # whoever else in this process has it open
            pynvml.nvmlShutdown()
    assert rig.source.read()[GPUS[0]].reason is not None
    rig.run(3.0)
    assert rig.source.read()[GPUS[0]].reason is None
    assert abs(lap(first, rig.edge()).error_joules) < 5.0


def test_two_gpus_are_told_apart_when_one_is_lost(rig: Rig):
    rig.open("gpu\nlost 2\ngpu\ntrace constant 100")
    first = rig.edge()
    rig.run(10.0)
    last = rig.edge()
    assert last.readings[GPUS[0]].reason is not None
    assert last.readings[GPUS[1]].reason is None
    assert abs(lap(first, last, GPUS[1]).error_joules) < 2.0


def test_a_counter_that_fails_when_it_froze_leaves_the_gpu_lost_until_its_power_answers(rig: Rig):
    rig.open("gpu\nfrozen 4\nerror nvmlDeviceGetPowerUsage 3 3 9\nerror nvmlDeviceGetFieldValues 3 3 9")
    rig.run(20.0)
    reading = rig.source.read()[GPUS[0]]
    assert reading.reason is None
    assert reading.method == "sampled"
    assert reading.gap_seconds > 3.0


def test_a_gpu_of_which_not_even_the_name_is_told_is_measured(rig: Rig):
    rig.open("gpu\nname \nerror nvmlDeviceGetName 3\nerror nvmlDeviceGetArchitecture 3")
    assert percent_off(rig)[0] < 2.0


def test_of_several_gpus_asked_for_the_missing_one_is_named(nvml: FakeNvml, caplog: pytest.LogCaptureFixture):
    source = NvmlSource([GPUS[0].removeprefix("gpu:"), "GPU-nowhere"])
    source.open()
    assert list(source.read()) == [GPUS[0]]
    assert "GPU-nowhere" in caplog.text
    source.close()


@pytest.mark.parametrize("period", [0.02, 0.1])
def test_the_first_window_is_whole_whenever_it_begins(rig: Rig, period: float):
    rig.open(f"gpu\ntrace constant 300\ncounter {period} {0.6 * period}")
    first = rig.edge()
    rig.run(0.1)
    assert lap(first, rig.edge()).covers


@pytest.mark.parametrize("counter", ["", "counter 0"])
def test_a_failure_that_passes_costs_nothing_afterwards(rig: Rig, counter: str):
    rig.open(f"gpu\ntrace constant 300\n{counter}\nlost 4 4.6")
    rig.run(8.0)
    assert rig.source._live.gpus[0].reason is None
    before = rig.nvml.calls("nvmlDeviceGetHandleByUUID")
    rig.run(10.0)
    assert rig.nvml.calls("nvmlDeviceGetHandleByUUID") == before


@pytest.mark.parametrize("counter", ["counter 0.1", "counter 0.1 0 0.1", "counter 0"])
def test_a_gpu_that_stays_lost_is_warned_of_once(rig: Rig, caplog: pytest.LogCaptureFixture, counter: str):
    rig.open(f"gpu\ntrace square 80 400 1\n{counter}\nlost 90 2000")
    rig.run(600.0)
    assert rig.source._live.gpus[0].reason is not None
    assert len(caplog.records) == 1


def test_what_was_bridged_over_a_reset_is_in_the_bounds(rig: Rig):
    rig.open("gpu\ntrace steps 6 100 6 400\ncounter 0.1 0.03\nreset 6.9")
    rig.run(5.0)
    first = rig.edge()
    rig.run(3.0)
    assert lap(first, rig.edge()).covers
