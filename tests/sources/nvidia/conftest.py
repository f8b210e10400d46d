"""The stand-in for NVIDIA's driver: compiled once, scripted by each test, reached through the real ``pynvml``."""

from collections.abc import Iterator

import pytest
from support.fake_nvml import FakeNvml, loaded
from support.nvml_rig import Rig


@pytest.fixture(scope="session")
def nvml_library() -> FakeNvml:
    return loaded()


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
