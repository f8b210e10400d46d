"""The command in this process, ledgers of real runs, and NVIDIA's driver as a stand-in behind the real ``pynvml``."""

import importlib.util
import shutil
import subprocess
import sys

import pytest
from support.nvml_rig import SOURCE, FakeNvml
from support.runs import scripted, train

from green_callbacks.cli import main

# Of another name than the driver's library: other tests load a stand-in of that name.
_LIBRARY = "libnvml-for-cli.so"


@pytest.fixture
def command(capsys):
    """Run the command; returns its exit status, standard output and standard error."""

    def run(*argv):
        status = main([str(argument) for argument in argv])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def ledger(tmp_path):
    """Write the ledger of a run at 300 W and 1000 gCO2e/kWh unless said otherwise: 12 epochs of a minute each."""

    def write(name, epochs=12, *, metrics=lambda epoch: {"val_acc": 0.9 - 0.5 * 0.5**epoch}, **options):
        path = tmp_path / "runs" / f"{name}.jsonl"
        accountant, clock = scripted(ledger=path, **options)
        accountant.start()
        train(accountant, clock, range(epochs), seconds=60.0, metrics=metrics)
        clock.advance(60.0)
        accountant.close()
        return path

    return write


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("the stand-in for NVIDIA's driver needs Linux and a C compiler (cc)")
    path = tmp_path_factory.mktemp("nvml") / _LIBRARY
    flags = ["-std=gnu11", "-shared", "-fPIC", "-fvisibility=hidden", f"-Wl,-soname,{_LIBRARY}"]
    subprocess.run([compiler, *flags, "-o", path, SOURCE, "-lm", "-lpthread"], check=True)
    return FakeNvml(path)


@pytest.fixture
def nvml(nvml_library, monkeypatch):
    """A driver with one GPU, until a script says otherwise."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    binding = importlib.util.module_from_spec(importlib.util.find_spec("pynvml"))
    monkeypatch.setitem(sys.modules, "pynvml", binding)
    binding.__spec__.loader.exec_module(binding)
    binding.nvmlLib = nvml_library._library
    nvml_library.script("gpu")
    return nvml_library


@pytest.fixture
def no_nvml(nvml):
    """No driver."""
    nvml.script("init 9")
