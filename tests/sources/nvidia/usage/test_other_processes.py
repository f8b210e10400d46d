"""Other processes on a GPU are noticed at the start and again while the run goes on; the job's own are no others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.fake_nvml import GPUS, FakeNvml
from support.nvml_rig import Rig

from green_callbacks.sources import NvmlSource
from green_callbacks.sources.nvidia.driver.calls import Driver
from green_callbacks.sources.nvidia.sensor import GpuSensor
from green_callbacks.sources.nvidia.usage.other_processes import OtherProcesses

OTHER = 1234567
LISTED = "nvmlDeviceGetComputeRunningProcesses_v3"


def flags(rig: Rig) -> tuple[str, ...]:
    return rig.source.read()[GPUS[0]].flags


def others(nvml: FakeNvml, script: str, environment: dict[str, str], proc: Path = Path("/proc")) -> bool:
    nvml.script(script)
    driver = Driver.open()
    [uuid] = [GPUS[0].removeprefix("gpu:")]
    sensor = GpuSensor(driver, uuid, "", driver.handle_by_index(0))
    try:
        return OtherProcesses(sensor, None, environment, proc).is_there()
    finally:
        driver.close()


@pytest.mark.parametrize(
    "sensor", ["", "counter 0", "counter 0\nsamples 0.02 120", "counter 0\npower 0.1\naverage 0.1 1"]
)
def test_who_comes_within_a_second_is_noticed_soon(rig: Rig, sensor: str):
    rig.open(f"gpu\n{sensor}\njoins {OTHER} 0.7")
    assert flags(rig) == ()
    rig.run(2.5)
    assert flags(rig) == ("shared",)


def test_who_comes_later_is_noticed_later_and_stays_flagged(rig: Rig):
    rig.open(f"gpu\njoins {OTHER} 10 40")
    rig.run(9.0)
    assert flags(rig) == ()
    rig.run(25.0)
    assert flags(rig) == ("shared",)
    rig.run(60.0)
    assert flags(rig) == ("shared",)


def test_the_list_of_processes_is_asked_for_rarely(rig: Rig):
    rig.open("gpu")
    before = rig.nvml.calls(LISTED)
    rig.run(300.0)
    assert 9 <= rig.nvml.calls(LISTED) - before <= 12


def test_this_process_and_its_children_are_no_company(rig: Rig):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        rig.open(f"gpu\njoins {os.getpid()} 0.5\njoins {child.pid} 0.5")
        rig.run(3.0)
        assert flags(rig) == ()
        child.communicate(b"\n")


def test_the_ranks_of_the_job_are_no_company(nvml: FakeNvml):
    script = f"gpu\nprocess {os.getppid()} 10"  # the launcher, or what it has started
    assert others(nvml, script, {})
    assert not others(nvml, script, {"LOCAL_RANK": "0"})
    assert others(nvml, f"{script}\nprocess {OTHER} 10", {"LOCAL_RANK": "0"})


@pytest.mark.parametrize(("uses_cuda", "noticed"), [(True, False), (False, True)])
def test_in_a_container_this_process_may_be_listed_by_the_id_of_the_host(
    nvml: FakeNvml, tmp_path: Path, *, uses_cuda: bool, noticed: bool
):
    (tmp_path / "self" / "fd").mkdir(parents=True)
    (tmp_path / "self" / "fd" / "7").symlink_to("/dev/nvidia-uvm" if uses_cuda else "/dev/null")
    assert others(nvml, f"gpu\nprocess {OTHER} 10", {}, tmp_path) is noticed
    assert others(nvml, f"gpu\nprocess {OTHER} 10\nprocess {OTHER + 1} 10", {}, tmp_path)
    (tmp_path / str(OTHER)).mkdir()
    assert others(nvml, f"gpu\nprocess {OTHER} 10", {}, tmp_path)


def test_a_gpu_is_described_by_uuid_product_and_the_makers_limit(nvml: FakeNvml):
    nvml.script(
        "gpu\nname NVIDIA A100-SXM4-40GB\nlimit 300\ndefault_limit 400\ngpu\nname \nwrong "
        "nvmlDeviceGetPowerManagementDefaultLimit 4294967295\ngpu\n"
        "error nvmlDeviceGetPowerManagementDefaultLimit 3"
    )
    source = NvmlSource()
    assert source.describe() == {}
    source.open()
    told = source.describe()
    before = nvml.calls()
    assert source.describe() == told
    assert nvml.calls() == before
    source.close()
    assert source.describe() == {}
    first, second, third = GPUS[:3]
    assert told[first] == (first.removeprefix("gpu:"), "NVIDIA A100-SXM4-40GB", 400.0)
    assert told[second] == (second.removeprefix("gpu:"), None, None)
    assert told[third] == (third.removeprefix("gpu:"), "NVIDIA Scripted GPU", None)


def test_a_slice_is_described_by_its_own_uuid(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch):
    name = "MIG-11111111-2222-5333-8444-555555555555"
    nvml.script(f"gpu\nmig {name} 1 0 2 20480")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", name)
    source = NvmlSource()
    source.open()
    assert source.describe() == {f"gpu:{name}": (name, "NVIDIA Scripted GPU", None)}
    source.close()
