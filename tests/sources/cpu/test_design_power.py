from collections.abc import Callable
from pathlib import Path

import pytest

from green_callbacks.sources.cpu.design_power import core_design


@pytest.fixture
def cpuinfo(tmp_path: Path):
    def write(model: str, siblings: int = 8, cores: int = 4) -> Path:
        file = tmp_path / "cpuinfo"
        text = f"processor\t: 0\nmodel name\t: {model}\nsiblings\t: {siblings}\ncpu cores\t: {cores}\n"
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.mark.parametrize(
    ("model", "watts", "cores"),
    [
        ("AMD EPYC 7742 64-Core Processor", 225, 64),
        ("AMD EPYC 7713P 64-Core Processor", 225, 64),
        ("Intel(R) Xeon(R) Platinum 8480+", 350, 56),
        ("Intel(R) Xeon(R) Platinum 8558", 330, 48),
        ("INTEL(R) XEON(R) PLATINUM 8592+", 350, 64),
        ("Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", 150, 20),
        ("Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz", 205, 24),
        ("Intel(R) Xeon(R) CPU E5-2698 v4 @ 2.20GHz", 135, 20),
        ("Intel(R) Core(TM) i9-9900K CPU @ 3.60GHz", 95, 8),
    ],
)
def test_common_models_have_their_makers_design_power(
    cpuinfo: Callable[..., Path], model: str, watts: float, cores: int
):
    design = core_design(cpuinfo(model))
    assert (design.model, design.origin, design.watts_per_core) == (model, "specification", watts / cores)


@pytest.mark.parametrize(
    "model",
    ["Intel(R) Xeon(R) Gold 6230R CPU", "Intel(R) Xeon(R) Platinum 8358P CPU", "Intel(R) Xeon(R) Platinum 8592V"],
)
def test_a_model_that_only_looks_alike_gets_the_median(cpuinfo: Callable[..., Path], tmp_path: Path, model: str):
    design = core_design(cpuinfo(model))
    assert (design.model, design.origin) == (model, "median")
    assert design.watts_per_core == core_design(tmp_path / "missing").watts_per_core


def test_a_machine_that_tells_nothing_gets_the_median_of_common_models(tmp_path: Path):
    design = core_design(tmp_path / "missing")
    assert (design.model, design.origin, design.threads_per_core) == (None, "median", 1.0)
    assert 3 < design.watts_per_core < 13


@pytest.mark.parametrize(("siblings", "cores", "threads"), [(128, 64, 2), (8, 8, 1), (8, 0, 1)])
def test_threads_per_core(cpuinfo: Callable[..., Path], siblings: int, cores: int, threads: float):
    assert core_design(cpuinfo("x", siblings=siblings, cores=cores)).threads_per_core == threads
