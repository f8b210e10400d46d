"""Which accelerators a process computes on: asked of frameworks that are loaded, without initializing any."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from green_callbacks.records import Reading
from green_callbacks.sources import AppleSiliconSource, CallableSource, NvmlSource
from green_callbacks.sources.accelerators.in_use import Accelerator, in_use, told, unmeasured
from green_callbacks.sources.accelerators.unmeasured import why_unmeasured

UUID = "8932f937-d72c-4106-c12f-20bd9faed9f6"
OTHER = "11111111-d72c-4106-c12f-20bd9faed9f6"


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch: pytest.MonkeyPatch):
    for name in ("torch", "tensorflow", "jax", "tensorflow.python.eager.context", "jax._src.xla_bridge"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch):
    """Load a stand-in for a module."""

    def load(name: str, **attributes: Any) -> None:
        module = ModuleType(name)
        module.__dict__.update(attributes)
        monkeypatch.setitem(sys.modules, name, module)

    return load


def device_module(*, initialized: bool) -> SimpleNamespace:
    return SimpleNamespace(is_initialized=lambda: initialized)


def kinds() -> list[str]:
    return [each.kind for each in in_use()]


def reading(component: str = "gpu", method: str = "counter", joules: float | None = 1.0) -> Reading:
    return Reading(joules, component, method)  # type: ignore[arg-type]


class TestFrameworks:
    def test_nothing_is_imported_to_find_out(self):
        assert in_use() == ()
        assert not {"torch", "tensorflow", "jax"} & sys.modules.keys()

    @pytest.mark.parametrize("kind", ["cuda", "xpu", "hpu", "npu"])
    def test_torch_holds_what_it_has_initialized(self, loaded: Any, kind: str):
        loaded("torch", **{kind: device_module(initialized=False)})
        assert kinds() == []
        loaded("torch", **{kind: device_module(initialized=True)})
        assert kinds() == [kind]

    def test_torch_for_rocm_calls_its_devices_cuda(self, loaded: Any):
        loaded("torch", cuda=device_module(initialized=True), version=SimpleNamespace(hip="6.2"))
        assert kinds() == ["rocm"]
        assert told((f"GPU-{UUID}",), "cuda:0")[0].kind == "rocm"

    def test_torch_on_a_mac_holds_it_once_a_tensor_lies_there(self, loaded: Any, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(sys, "platform", "darwin")
        mps = SimpleNamespace(current_allocated_memory=lambda: allocated)
        backends = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: True))
        loaded("torch", mps=mps, backends=backends)
        allocated = 0
        assert kinds() == []
        allocated = 4096
        assert kinds() == ["mps"]

    def test_tensorflow_is_not_asked_for_its_devices_before_its_context_is_initialized(self, loaded: Any):
        def devices(kind: str) -> list[str]:
            return ["/device:GPU:0"] if kind == "GPU" else []

        def refuse(kind: str) -> list[str]:
            pytest.fail("that would have initialized it")

        for context in (None, SimpleNamespace(_initialized=False)):
            loaded("tensorflow", config=SimpleNamespace(list_logical_devices=refuse))
            loaded("tensorflow.python.eager.context", _context=context)
            assert kinds() == []
        loaded("tensorflow.python.eager.context", _context=SimpleNamespace(_initialized=True))
        for build, kind in (({}, "cuda"), ({"is_rocm_build": True}, "rocm")):
            sysconfig = SimpleNamespace(get_build_info=lambda build=build: build)
            loaded("tensorflow", config=SimpleNamespace(list_logical_devices=devices), sysconfig=sysconfig)
            assert kinds() == [kind]

    def test_jax_holds_the_backends_that_it_has_made(self, loaded: Any):
        loaded("jax")
        loaded("jax._src.xla_bridge", _backends={})
        assert kinds() == []
        loaded("jax._src.xla_bridge", _backends={"cpu": object(), "cuda": object(), "tpu": object()})
        assert kinds() == ["cuda", "tpu"]

    def test_a_framework_that_cannot_be_asked_is_passed_over(self, loaded: Any):
        def broken() -> bool:
            raise RuntimeError

        loaded("torch", cuda=SimpleNamespace(is_initialized=broken))
        loaded("tensorflow")
        loaded("jax")
        assert kinds() == []


class TestWhatIsMeasured:
    def test_the_names_of_an_adapter_are_one_gpu(self):
        assert told((f"GPU-{UUID}", f"MIG-{UUID}"), "cuda:0") == (Accelerator("cuda", UUID),)
        assert told((), "mps:0") == (Accelerator("mps"),)
        assert told((), "") == told((), None) == ()

    @pytest.mark.parametrize(
        ("kind", "readings"),
        [
            ("cuda", {f"gpu:GPU-{UUID}": reading()}),
            ("cuda", {"gpu:0": reading()}),  # a name of the user's own
            ("rocm", {"gpu:GPU-00000000000000a1": reading()}),
            ("xpu", {"gpu:0000:03:00.0": reading()}),
            ("mps", {"gpu:apple": reading(method="modelled")}),
            ("gpu", {"gpu:apple": reading()}),
            ("cuda", {"my own": reading(method="modelled")}),  # a model that the user declares
            ("cuda", {"wall": reading("platform", "sampled")}),
            ("tpu", {"tpu": reading("tpu", "sampled")}),
            ("cuda", {"scripted": reading("scripted")}),
        ],
    )
    def test_a_sensor_of_its_own_or_a_meter_of_more_measures_it(self, kind: str, readings: dict[str, Reading]):
        assert unmeasured([Accelerator(kind)], readings) == []

    @pytest.mark.parametrize(
        ("kind", "readings"),
        [
            ("cuda", {}),
            ("cuda", {"cpu:model": reading("cpu", "modelled"), "dram:0": reading("dram")}),
            ("cuda", {f"gpu:GPU-{UUID}": reading(joules=None)}),
            ("cuda", {"gpu:0000:03:00.0": reading()}),  # the graphics card of another maker
            ("xpu", {f"gpu:GPU-{UUID}": reading()}),
            ("cuda", {"platform": reading("platform", "modelled")}),  # a constant for the rest of the machine
            ("tpu", {f"gpu:GPU-{UUID}": reading()}),
        ],
    )
    def test_nothing_else_does(self, kind: str, readings: dict[str, Reading]):
        assert unmeasured([Accelerator(kind)], readings) == [Accelerator(kind)]

    def test_of_several_gpus_the_one_without_a_reading_is_missing(self):
        both = [Accelerator("cuda", UUID), Accelerator("cuda", OTHER)]
        assert unmeasured(both, {f"gpu:GPU-{UUID}": reading()}) == [both[1]]
        assert unmeasured(both, {f"gpu:MIG-{UUID}": reading(), f"gpu:GPU-{OTHER}": reading()}) == []


class TestWords:
    def test_the_reason_of_the_sensor_comes_with_what_is_left(self):
        said = why_unmeasured(
            Accelerator("cuda"),
            {"cpu:model": reading("cpu", "modelled")},
            {NvmlSource(): "Reboot.", AppleSiliconSource(): "This is no Mac."},
        )
        assert "a GPU (cuda) whose energy is not measured. Reboot. " in said
        assert said.endswith("prices count the CPU only.")

    def test_sources_without_one_come_with_the_one_to_add(self):
        assert "Add NvmlSource()" in why_unmeasured(Accelerator("cuda"), {}, {})
        assert "Add IntelGpuSource()" in why_unmeasured(Accelerator("xpu"), {}, {})

    def test_a_meter_of_the_users_own_that_does_not_open_is_a_reason(self):
        refusals = {CallableSource(lambda: None): "The meter 'platform' gives no watts."}
        assert "gives no watts" in why_unmeasured(Accelerator("tpu"), {}, refusals)

    def test_what_no_source_reads_takes_a_meter_of_the_users(self):
        said = why_unmeasured(Accelerator("xla"), {}, {})
        assert "a TPU (xla)" in said
        assert "CallableSource(read_watts, component='tpu')" in said
        assert said.endswith("count nothing.")

    def test_one_that_tells_nothing_is_named(self):
        said = why_unmeasured(Accelerator("cuda"), {"gpu:0": reading(joules=None)._replace(reason="GPU is lost")}, {})
        assert "gpu:0 reports no energy (GPU is lost)." in said
