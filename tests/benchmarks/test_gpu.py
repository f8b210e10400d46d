"""The report of ``make gpu``, on the stand-in for NVIDIA's driver."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.fake_nvml import build

TREE = Path(__file__).resolve().parents[2]
REPORT = TREE / "tests" / "benchmarks" / "gpu" / "report.py"
SECTIONS = ["doctor", "counter", "edges", "epochs", "measure", "fit", "idle"]
LONG_SECONDS = 240


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("the stand-in for NVIDIA's driver needs Linux and a C compiler (cc)")
    return build(compiler, tmp_path_factory.mktemp("nvml"))


def run(folder, *arguments, **environment):
    """Run the report; return how it ended."""
    return subprocess.run(
        [sys.executable, REPORT, "--json", folder / "gpu-report.json", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(TREE)} | environment,
        capture_output=True,
        text=True,
        timeout=LONG_SECONDS,
        check=False,
    )


def test_the_report_says_what_is_measured_as_a_table_and_as_json(library, tmp_path):
    done = run(tmp_path, "--stand-in", library, "--gpus", "8")
    report = json.loads((tmp_path / "gpu-report.json").read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"when", "card", "driver", "torch", "python"} <= report.keys()
    assert (report["card"], report["driver"]) == ("NVIDIA Scripted GPU", "999.00")
    assert list(report["sections"]) == SECTIONS
    figures = {name: section.get("figures", {}) for name, section in report["sections"].items()}
    assert "measured by its" in figures["doctor"]["text"]
    assert figures["counter"]["steady: period, ms"] == pytest.approx(100, abs=5)
    assert figures["edges"]["pauses of 1.5 ms: begin + end, median us"] > 0
    assert figures["edges"]["pauses of 1.5 ms: calls of the driver an epoch, background included"] > 0
    for kind in ("steady", "stop-and-go"):
        assert abs(figures["epochs"][f"{kind}, all epochs: sum against the counter's rise, %"]) < 10
        assert f"{kind}, epochs of 0.6 s: bounds hold sampled power, %" in figures["epochs"]
        assert figures["measure"][f"{kind}, windows of 0.2 s: measured"] == "2 of 2"
    assert (figures["idle"]["GPUs counted"], figures["idle"]["GPUs measured"]) == (8, 8)
    for name in SECTIONS:
        for what in figures[name]:
            assert what in done.stdout


def test_without_lightning_the_fit_is_left_out_with_a_sentence(library, tmp_path):
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "lightning.py").write_text("raise ImportError\n", encoding="ascii")
    path = f"{tmp_path / 'hidden'}:{TREE}"
    done = run(tmp_path, "--stand-in", library, "--only", "fit", PYTHONPATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left out: Lightning is not installed for this Python: no fit." in done.stdout


def test_a_section_that_fails_says_why_and_the_others_go_on(library, tmp_path):
    only = ("--only", "counter", "--only", "epochs", "--only", "idle")
    done = run(tmp_path, "--stand-in", library, *only, "--line", "error nvmlDeviceGetTotalEnergyConsumption 3")
    report = json.loads((tmp_path / "gpu-report.json").read_text(encoding="utf-8"))
    assert done.returncode == 1
    assert list(report["sections"]) == ["counter", "epochs", "idle"]
    assert "failed: NVMLError_NotSupported: Not Supported" in done.stdout
    assert "Traceback" in done.stderr
    assert report["sections"]["epochs"]["figures"]["steady, epochs of 0.6 s: counter"] == "not told"
    assert report["sections"]["idle"]["figures"]["GPUs measured"] == 1


def test_without_a_gpu_it_skips_with_a_sentence(tmp_path):
    done = run(tmp_path, CUDA_VISIBLE_DEVICES="")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("make gpu is skipped: torch ")
    assert done.stdout.count("\n") == 1
    assert not (tmp_path / "gpu-report.json").exists()


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
def test_make_gpu_runs_from_the_tree_and_installs_nothing(tmp_path):
    command = ["make", "-C", str(TREE), "-s", "gpu", f"PYTHON={sys.executable}", f"OUT={tmp_path}"]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "MAKEFLAGS": ""}  # those of the make that runs this test
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONG_SECONDS, check=False)
    assert (done.returncode, done.stdout.startswith("make gpu is skipped: ")) == (0, True), done.stderr


def test_the_whole_takes_less_than_five_minutes_by_its_plan():
    script = "import plan; print(plan.FULL.seconds, plan.FULL.epochs, plan.QUICK.seconds)"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPORT.parent, capture_output=True, text=True, check=True)
    assert float(done.stdout.split()[0]) < 300
    assert "{1.0: 20, 2.0: 10, 10.0: 3}" in done.stdout
