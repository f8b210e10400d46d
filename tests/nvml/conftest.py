"""The stand-in for NVIDIA's driver: compiled once, scripted by each test, reached through the real ``pynvml``."""

import shutil
import sys
from collections.abc import Iterator

import pytest
from nvml.stand_in import FakeNvml, Rig, build


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> FakeNvml:
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("the stand-in for NVIDIA's driver needs Linux and a C compiler (cc)")
    return FakeNvml(build(compiler, tmp_path_factory.mktemp("nvml")))


@pytest.fixture
def nvml(nvml_library: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNvml]:
    """A driver with one GPU at 300 W, in real time, until a script says otherwise."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    nvml_library.script("gpu")
    yield nvml_library
    nvml_library.script("init 9")


@pytest.fixture
def rig(nvml: FakeNvml) -> Iterator[Rig]:
    """A source in scripted time, to be opened after its script."""
    rig = Rig(nvml)
    yield rig
    rig.source.close()
