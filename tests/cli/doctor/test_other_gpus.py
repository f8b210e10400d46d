"""What the doctor says of GPUs that are not NVIDIA's, and of the chips of Macs."""

import sys
import tempfile
from pathlib import Path

import pytest
from support import fake_amdsmi, fake_apple
from support.fake_amdsmi import NOT_LOADED, FakeAmdSmi, FakeGpu, dies
from support.fake_apple import FakeApple
from support.sensors import DrmTree, as_nobody

from green_callbacks.cli.doctor import examination
from green_callbacks.cli.doctor.other_gpus import amd, apple, intel
from green_callbacks.clock import SystemClock


@pytest.fixture(autouse=True)
def all_visible(monkeypatch: pytest.MonkeyPatch):
    for variable in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)


class TestAmd:
    @pytest.fixture
    def loaded(self, tmp_path: Path):
        """What is there where the driver is loaded."""
        (tmp_path / "amdgpu").mkdir()
        return [tmp_path / "amdgpu"]

    @pytest.fixture
    def machine(self):
        installed = []

        def install(*gpus: FakeGpu, **options: bool) -> FakeAmdSmi:
            smi = FakeAmdSmi(SystemClock(), *gpus, **options)
            installed.append(fake_amdsmi.Installed(smi))
            return smi

        yield install
        while installed:
            installed.pop().remove()

    def test_nothing_is_said_where_no_driver_is_loaded(self, tmp_path: Path):
        assert amd([tmp_path / "kfd"]) == []

    def test_each_gpu_says_how_it_is_measured(self, machine, loaded):
        machine(FakeGpu(0xA1), FakeGpu(0xB2, counter=None), FakeGpu(0xC3, counter=None, power=None))
        first, second, third = amd(loaded)
        assert [finding.state for finding in (first, second, third)] == ["measured", "measured", "missing"]
        assert first.text == "GPU-00000000000000a1 is measured by its energy counter."
        assert "Its power is sampled" in second.text
        assert "does not answer (no power is reported)" in third.text
        assert second.details == {"name": "gpu:GPU-00000000000000b2", "method": "sampled", "flags": []}

    def test_what_a_reader_must_know_is_said(self, machine, loaded, monkeypatch):
        machine(*dies(0xA1), FakeGpu(0xC3, pids=[1]), old=True)
        monkeypatch.setenv("HIP_VISIBLE_DEVICES", "1,2")
        first, second = amd(loaded)
        assert "The whole counts" in first.text
        assert first.command == "export ROCR_VISIBLE_DEVICES=GPU-00000000000000a1"
        assert "Other processes use it too" in second.text

    def test_a_driver_without_the_library_gets_the_command_that_installs_it(self, loaded, monkeypatch):
        monkeypatch.setitem(sys.modules, "amdsmi", None)
        [finding] = amd(loaded)
        assert (finding.state, finding.command) == ("missing", 'pip install "green-callbacks[amd]"')

    def test_a_library_without_a_driver_gets_the_command_that_must_work(self, machine, loaded):
        machine(FakeGpu(0xA1)).init_error = NOT_LOADED
        [finding] = amd(loaded)
        assert (finding.state, finding.command) == ("missing", "amd-smi list")


class TestIntel:
    @pytest.fixture
    def bus(self, tmp_path: Path):
        def add(address: str) -> Path:
            device = tmp_path / "pci" / address
            device.mkdir(parents=True)
            (device / "vendor").write_text("0x8086\n", encoding="ascii")
            (device / "class").write_text("0x030000\n", encoding="ascii")
            return tmp_path / "pci"

        return add

    def test_each_card_says_how_it_is_measured(self, tmp_path: Path, bus):
        tree = DrmTree(tmp_path / "drm")
        tree.add("card0", "0000:03:00.0")
        [finding] = intel(tree.root, bus("0000:03:00.0"))
        assert (finding.state, finding.text) == ("measured", "0000:03:00.0 is measured by its energy counter.")

    def test_a_card_without_a_counter_says_what_it_takes(self, tmp_path: Path, bus):
        [finding] = intel(tmp_path / "drm", bus("0000:03:00.0"))
        assert finding.state == "missing"
        assert "Linux 6.2 or later" in finding.text

    def test_graphics_inside_the_processor_are_no_card(self, tmp_path: Path, bus):
        assert intel(tmp_path / "drm", bus("0000:00:02.0")) == []

    def test_a_refused_permission_gets_the_command_that_gives_it(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            tree = DrmTree(Path(folder) / "drm")
            tree.add("card0", "0000:03:00.0")
            counter = tree.counter("card0")
            counter.chmod(0o400 if counter.stat().st_uid == 0 else 0)
            with as_nobody():
                [finding] = intel(tree.root, Path(folder) / "pci")
        shown = tree.root / "card0" / "device" / counter.relative_to(tree.root / "devices" / "0000:03:00.0")
        assert (finding.state, finding.command) == ("missing", f"sudo chmod a+r {shown}")


class TestApple:
    def test_nothing_is_said_on_other_machines(self):
        assert apple() == []

    def test_each_part_of_the_chip_is_modelled_and_replaces_the_processors(self, no_nvml):
        mac = fake_apple.Installed(FakeApple(SystemClock()))
        report = examination.examine(0.01, [])
        mac.remove()
        parts = [finding for finding in report.findings if finding.topic == "Apple Silicon"]
        assert [finding.state for finding in parts] == ["modelled"] * 4
        assert parts[1].text == "gpu:apple is estimated by macOS."
        assert not [finding for finding in report.findings if finding.topic == "CPU and DRAM"]

    def test_a_mac_without_the_library_gets_the_command_that_installs_it(self, no_nvml):
        mac = fake_apple.Installed(FakeApple(SystemClock()), library=False)
        [finding] = apple()
        report = examination.examine(0.01, [])
        mac.remove()
        assert (finding.state, finding.command) == ("missing", 'pip install "green-callbacks[apple]"')
        assert [each for each in report.findings if each.topic.startswith("CPU")]
