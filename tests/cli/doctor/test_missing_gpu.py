"""A GPU that cannot be measured, as the doctor tells it: with the remedy that fits, and once more at the end."""

import json
import sys
import threading
from pathlib import Path

import pytest

from green_callbacks.cli.doctor import examination
from green_callbacks.cli.doctor.examination import examine
from green_callbacks.cli.doctor.gpus import gpus
from green_callbacks.sources import ScriptedSource
from green_callbacks.sources.common import opening
from green_callbacks.sources.nvidia.driver import remedy as _nvml_remedy

MISSING = "The energy of a GPU cannot be measured here"


def on_bus(folder: Path) -> Path:
    """A PCI bus with a GPU of NVIDIA's."""
    (folder / "0").mkdir(parents=True)
    (folder / "0" / "vendor").write_text("0x10de\n")
    (folder / "0" / "class").write_text("0x030200\n")
    return folder


@pytest.mark.parametrize(
    ("code", "command", "advice"),
    [(18, "sudo reboot", "reload the module"), (9, "sudo modprobe nvidia", "is not loaded"), (4, "nvidia-smi", "Join")],
)
def test_the_command_fits_the_cause(nvml, tmp_path, monkeypatch, code, command, advice):
    monkeypatch.setattr(_nvml_remedy, "place_of", lambda: "machine")
    nvml.script(f"init {code}")
    (finding,) = gpus({}, on_bus(tmp_path))
    assert (finding.state, finding.command) == ("missing", command)
    assert advice in finding.text


def test_a_container_is_not_told_to_reboot(nvml, tmp_path, monkeypatch):
    monkeypatch.setattr(_nvml_remedy, "place_of", lambda: "container")
    nvml.script("init 18")
    assert gpus({}, on_bus(tmp_path))[0].command == "nvidia-smi"


def test_a_driver_that_fails_has_a_gpu_wherever_it_is(nvml, tmp_path):
    nvml.script("init 18")
    (finding,) = gpus({}, tmp_path, tmp_path)
    assert finding.text.startswith("There is one. ")


@pytest.mark.parametrize(
    ("mark", "content"),
    [("etc/nv_tegra_release", ""), ("dev/nvidiactl", ""), ("proc/driver/nvidia", None)],
)
def test_a_gpu_that_is_on_no_bus_is_not_said_to_be_none(nvml, tmp_path, mark, content):
    nvml.script("init 12")
    place = tmp_path / "root" / mark
    place.parent.mkdir(parents=True)
    place.mkdir() if content is None else place.write_text(content)
    (finding,) = gpus({}, tmp_path / "bus", tmp_path / "root")
    assert finding.details["is_there"] is True
    assert "None" not in finding.text


def test_windows_passes_its_gpu_on_by_another_device(nvml, tmp_path):
    nvml.script("init 12")
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/osrelease").write_text("5.15.153.1-microsoft-standard-WSL2\n")
    assert gpus({}, tmp_path / "bus", tmp_path)[0].details["is_there"] is False
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/dxg").touch()
    assert gpus({}, tmp_path / "bus", tmp_path)[0].details["is_there"] is True


def test_the_verdict_says_so_beside_a_processor_that_is_measured(nvml):
    nvml.script("init 18")
    report = examine(0.01, [ScriptedSource(component="cpu", name="cpu:package-0")])
    assert report.misses_gpu
    assert report.as_text().splitlines()[-1].startswith(MISSING)
    assert "The energy of the other devices is measured." in report.as_text()


def test_the_verdict_says_so_where_all_else_is_modelled(nvml, command):
    nvml.script("init 18")
    _, out, _ = command("doctor", "--json", "--seconds", "0.05")
    assert json.loads(out)["misses_gpu"] is True
    assert (
        "The energy of the other devices is modelled." in examine(0.01, [ScriptedSource(method="modelled")]).as_text()
    )


def test_a_machine_without_a_gpu_misses_none(no_nvml):
    assert not examine(0.01, [ScriptedSource()]).misses_gpu
    assert MISSING not in examine(0.01, [ScriptedSource()]).as_text()


def test_a_missing_binding_misses_a_gpu_only_where_there_is_one(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpus({}, tmp_path / "none", tmp_path)[0].details["is_there"] is False
    assert gpus({}, on_bus(tmp_path / "bus"), tmp_path)[0].details["is_there"] is True


def test_a_driver_that_hangs_is_said_to_be_so(no_nvml, monkeypatch):
    gate = threading.Event()
    monkeypatch.setattr(opening, "OPEN_SECONDS", 0.05)
    monkeypatch.setattr(examination, "gpus", lambda: gate.wait(30) and [])
    report = examine(0.01, [ScriptedSource()])
    gate.set()
    assert report.misses_gpu
    assert "has not answered" in report.as_text()
