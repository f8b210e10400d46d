"""Which GPUs are measured: what the framework says, or CUDA_VISIBLE_DEVICES as the driver reads it."""

import pytest
from support.fake_nvml import GPUS, FakeNvml

from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.sources import NvmlSource

A, B, C = "GPU-aaaa1111-0000-4000-8000-000000000001", "GPU-aaaa2222-0000-4000-8000-000000000002", "GPU-bbbb3333-0-0-0-3"
SLICE, OTHER = "MIG-11111111-2222-5333-8444-555555555555", "MIG-99999999-2222-5333-8444-555555555555"
THREE = f"gpu\nuuid {A}\ngpu\nuuid {B}\ngpu\nuuid {C}"
CUT = f"gpu\nuuid {A}\nmig {SLICE} 1 0 2 20480\nmig {OTHER} 5 0 3 40960\ngpu\nuuid {B}"


def measured(uuids: list[str] | None = None) -> list[str]:
    source = NvmlSource(uuids)
    source.open()
    names = [name.removeprefix("gpu:") for name in source.read()]
    source.close()
    return names


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("2,0", [C, A]),
        ("1", [B]),
        (" 1 , 2", [B, C]),
        ("0,-1,1", [A]),
        ("0,7,1", [A]),
        ("0,x,1", [A]),
        ("1x,2", [B, C]),
        ("GPU-aaaa2", [B]),
        (f"{C},{A}", [C, A]),
        ("GPU-b,0", [C, A]),
        ("0,GPU-aaaa", [A]),
    ],
)
def test_visible_devices_are_read_as_the_driver_reads_them(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, visible: str, expected: list[str]
):
    nvml.script(THREE)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert measured() == expected


@pytest.mark.parametrize("visible", ["", "-1", "0,0", "1,GPU-aaaa2", "GPU-aaaa", "nonsense", "9"])
def test_a_list_that_names_nothing_leaves_nothing(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, visible: str):
    nvml.script(THREE)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(SourceUnavailableError, match="CUDA_VISIBLE_DEVICES"):
        measured()


def test_all_gpus_are_measured_when_nothing_is_said(nvml: FakeNvml):
    nvml.script(THREE)
    assert measured() == [A, B, C]


@pytest.mark.parametrize("uuids", [[B], [B.removeprefix("GPU-")], ["GPU-aaaa2"], [B, B]])
def test_the_framework_knows_better_than_the_environment(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, uuids: list[str]
):
    nvml.script(THREE)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert measured(uuids) == [B]


def test_a_uuid_that_is_not_there_is_named(nvml: FakeNvml):
    with pytest.raises(SourceUnavailableError, match="GPU-nowhere"):
        measured(["GPU-nowhere"])


@pytest.mark.parametrize("uuids", ["GPU-1", [""], [3]])
def test_uuids_that_are_no_names_are_refused_at_once(uuids: object):
    with pytest.raises(ConfigurationError, match="GPU-8932f937"):
        NvmlSource(uuids)  # type: ignore[arg-type]


def test_an_index_among_unlike_gpus_is_in_doubt(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch):
    nvml.script("gpu\nname NVIDIA T4\ngpu\nname NVIDIA A100")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    source = NvmlSource()
    source.open()
    assert source.read()[GPUS[1]].flags == ("index_in_doubt",)
    source.close()
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    source.open()
    assert source.read()[GPUS[1]].flags == ()
    source.close()


@pytest.mark.parametrize("visible", [SLICE, "MIG-1111", f"MIG-{A}/1/0", f"{SLICE},{OTHER}", f"{SLICE},1"])
def test_a_mig_slice_has_its_share_of_the_whole(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, visible: str):
    nvml.script(CUT)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    source = NvmlSource()
    source.open()
    first = source.read()
    second = source.read_settled()
    source.close()
    assert list(second) == [f"gpu:{SLICE}"]
    reading = second[f"gpu:{SLICE}"]
    assert (reading.method, reading.tolerance) == ("modelled", 0.4)
    assert reading.flags == ("mig_2_of_7", f"parent:{A}")
    assert reading.joules is not None
    assert first[f"gpu:{SLICE}"].joules is not None
    assert 0 < reading.joules < 300 * 0.6 * 2 / 7


def test_other_processes_on_a_gpu_are_noticed_once(nvml: FakeNvml):
    nvml.script("gpu\nprocess 1234567 40")
    source = NvmlSource()
    source.open()
    assert source.read()[GPUS[0]].flags == ("shared",)
    source.poll()
    source.close()
    assert nvml.calls("nvmlDeviceGetComputeRunningProcesses_v3") == 2  # the binding asks for the size first


def test_the_counter_of_a_superchip_is_flagged_as_that_of_the_whole_module(nvml: FakeNvml):
    nvml.script("gpu\nname NVIDIA GH200 480GB\naverage 0.1 1")
    source = NvmlSource()
    source.open()
    assert source.read()[GPUS[0]].flags == ("module",)
    source.close()


def test_without_permission_to_list_processes_nothing_is_claimed(nvml: FakeNvml):
    nvml.script("gpu\nprocess 1234567\nerror nvmlDeviceGetComputeRunningProcesses_v3 4")
    assert measured() == [GPUS[0].removeprefix("gpu:")]
