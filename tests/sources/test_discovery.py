import functools
import logging
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support import fake_amdsmi, fake_apple
from support.fake_amdsmi import FakeAmdSmi, FakeGpu
from support.fake_apple import FakeApple
from support.sensors import DrmTree, RaplTree, as_nobody

from green_callbacks.clock import SystemClock
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Reading
from green_callbacks.sources import (
    CpuModelSource,
    EnergySource,
    IntelGpuSource,
    NvmlSource,
    PowercapSource,
    ScriptedSource,
    discover,
    discovery,
)
from green_callbacks.sources.amd.source import has_amd_gpu
from green_callbacks.sources.common import opening
from green_callbacks.sources.discovery import survey


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch):
    """A power capping tree that stands where the machine's would."""
    with tempfile.TemporaryDirectory() as folder:
        tree = RaplTree(Path(folder))
        tree.root.chmod(0o755)
        monkeypatch.setattr(discovery, "PowercapSource", functools.partial(PowercapSource, tree.root))
        yield tree


def processors(sources: list[EnergySource]):
    return [source for source in sources if isinstance(source, PowercapSource | CpuModelSource)]


def test_counters_come_before_the_model(tree: RaplTree):
    tree.add("intel-rapl:0", "package-0")
    (source,) = processors(discover())
    assert list(source.read()) == ["cpu:package-0"]
    source.close()


def test_without_counters_the_processors_are_modelled_and_nobody_is_warned(
    tree: RaplTree, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO):
        (source,) = processors(discover(cpu_tdp_watts=65))
    (reading,) = source.read().values()
    assert reading.method == "modelled"
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    assert "CpuModelSource measures cpu:model" in caplog.text
    assert "65 W (as given)" in caplog.text


def test_counters_that_only_root_may_read_are_one_warning_with_the_remedy(
    tree: RaplTree, caplog: pytest.LogCaptureFixture
):
    tree.add("intel-rapl:0", "package-0")
    tree.counter("intel-rapl:0").chmod(0o400 if tree.counter("intel-rapl:0").stat().st_uid == 0 else 0)
    with caplog.at_level(logging.WARNING), as_nobody():
        (source,) = processors(discover())
    assert isinstance(source, CpuModelSource)
    (warning,) = caplog.records
    assert "sudo chmod -R a+r" in warning.getMessage()


def test_a_machine_that_tells_nothing_has_no_sources(tree: RaplTree, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert processors(discover()) == []


class Superchip(ScriptedSource):
    """A GPU whose counter is that of its module."""

    def read(self) -> Mapping[str, Reading]:
        return {name: reading._replace(flags=("module",)) for name, reading in super().read().items()}


def test_the_processor_of_a_superchip_does_not_count_twice(tree: RaplTree, monkeypatch: pytest.MonkeyPatch):
    tree.add("intel-rapl:0", "package-0")
    monkeypatch.setattr(discovery, "NvmlSource", lambda **options: Superchip())
    (source,) = discover()
    assert isinstance(source, Superchip)


def test_an_impossible_design_power_is_refused():
    with pytest.raises(ConfigurationError):
        discover(cpu_tdp_watts=-5)


class TestOtherMakers:
    """GPUs that are not NVIDIA's, and the chips of Macs."""

    @pytest.fixture(autouse=True)
    def elsewhere(self, tree: RaplTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """A machine with processors that are metered, and nothing else yet."""
        tree.add("intel-rapl:0", "package-0")
        monkeypatch.setattr(discovery, "has_amd_gpu", lambda: False)
        monkeypatch.setattr(discovery, "IntelGpuSource", functools.partial(IntelGpuSource, root=tmp_path / "drm"))
        for variable in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"):
            monkeypatch.delenv(variable, raising=False)

    @pytest.fixture
    def amd(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(discovery, "has_amd_gpu", lambda: True)
        smi = FakeAmdSmi(SystemClock(), FakeGpu(0xA1), FakeGpu(0xB2))
        installed = fake_amdsmi.Installed(smi)
        yield smi
        installed.remove()

    @pytest.fixture
    def names(self):
        """What is discovered, by name."""

        def discovered(**options: list[str]) -> list[str]:
            sources = discover(**options)
            found = [name for source in sources for name in source.read()]
            for source in sources:
                source.close()
            return found

        return discovered

    def test_gpus_of_all_makers_may_stand_side_by_side(self, amd: FakeAmdSmi, names: Callable, tmp_path: Path):
        DrmTree(tmp_path / "drm").add("card0", "0000:03:00.0")
        found = names()
        assert [name for name in found if not name.startswith("gpu:GPU-8")] == [
            "gpu:GPU-00000000000000a1",
            "gpu:GPU-00000000000000b2",
            "gpu:0000:03:00.0",
            "cpu:package-0",
        ]

    def test_only_the_gpus_of_the_framework_count_if_it_says_which(
        self, amd: FakeAmdSmi, names: Callable, tmp_path: Path
    ):
        DrmTree(tmp_path / "drm").add("card0", "0000:03:00.0")
        assert names(gpu_uuids=["GPU-00000000000000b2"]) == ["gpu:GPU-00000000000000b2", "cpu:package-0"]
        amd.calls.clear()
        assert names(gpu_uuids=[]) == ["cpu:package-0"]
        assert amd.calls == []

    def test_where_no_such_driver_is_loaded_its_library_is_not_touched(
        self, names: Callable, monkeypatch: pytest.MonkeyPatch
    ):
        loaded = []
        monkeypatch.setattr(discovery.AmdSmiSource, "open", loaded.append)
        names()
        assert loaded == []

    def test_a_driver_without_its_library_is_silent(
        self, names: Callable, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        monkeypatch.setattr(discovery, "has_amd_gpu", lambda: True)
        monkeypatch.setitem(sys.modules, "amdsmi", None)
        assert names() == ["cpu:package-0"]
        assert not [record for record in caplog.records if record.levelno > logging.INFO]

    def test_the_processor_beside_an_mi300a_does_not_count_twice(self, amd: FakeAmdSmi, names: Callable):
        amd.gpus[0].name = "AMD Instinct MI300A"
        assert names() == ["gpu:GPU-00000000000000a1", "gpu:GPU-00000000000000b2"]

    def test_the_chip_of_a_mac_comes_in_the_place_of_the_processors(self, names: Callable):
        mac = fake_apple.Installed(FakeApple(SystemClock()))
        assert names() == ["cpu:apple", "gpu:apple", "dram:apple", "ane:apple"]
        mac.remove()

    def test_a_mac_without_the_library_models_its_processors(self, tree: RaplTree, names: Callable):
        mac = fake_apple.Installed(FakeApple(SystemClock()), library=False)
        tree.counter("intel-rapl:0").unlink()
        assert [name.partition("@")[0] for name in names()] == ["cpu:model"]
        mac.remove()


def test_the_driver_of_amd_is_told_by_what_it_leaves_in_the_system(tmp_path: Path):
    assert not has_amd_gpu([tmp_path / "kfd", tmp_path / "amdgpu"])
    (tmp_path / "amdgpu").mkdir()
    assert has_amd_gpu([tmp_path / "kfd", tmp_path / "amdgpu"])


def test_a_driver_that_hangs_is_left_behind(tree: RaplTree, monkeypatch: pytest.MonkeyPatch):
    tree.add("intel-rapl:0", "package-0")
    gate = threading.Event()

    class Hanging(NvmlSource):
        def open(self) -> None:
            gate.wait(30)

    monkeypatch.setattr(opening, "OPEN_SECONDS", 0.05)
    monkeypatch.setattr(discovery, "NvmlSource", Hanging)
    found = survey()
    assert [type(source) for source in found.sources] == [PowercapSource]
    (reason,) = [reason for source, reason in found.refusals.items() if isinstance(source, Hanging)]
    assert "did not open within" in reason
    assert "reboot" in reason
    gate.set()


def test_a_driver_that_hangs_once_it_is_open_is_left_behind_too(tree: RaplTree, monkeypatch: pytest.MonkeyPatch):
    tree.add("intel-rapl:0", "package-0")
    gate = threading.Event()

    class Hanging(ScriptedSource):
        def read(self) -> Mapping[str, Reading]:
            gate.wait(30)
            return {}

    monkeypatch.setattr(opening, "OPEN_SECONDS", 0.05)
    monkeypatch.setattr(discovery, "NvmlSource", lambda **options: Hanging())
    assert [type(source) for source in discover()] == [PowercapSource]
    gate.set()
