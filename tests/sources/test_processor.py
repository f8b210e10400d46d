from collections.abc import Callable
from pathlib import Path

import pytest

from green_callbacks.sources._processor import Quota, quota, threads_per_core, watts_per_core


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
        ("Intel(R) Xeon(R) Platinum 8480C", 350, 56),
        ("Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", 150, 20),
        ("Intel(R) Xeon(R) CPU E5-2698 v4 @ 2.20GHz", 135, 20),
        ("Intel(R) Core(TM) i9-9900K CPU @ 3.60GHz", 95, 8),
    ],
)
def test_common_models_are_in_the_table(cpuinfo: Callable[..., Path], model: str, watts: float, cores: int):
    assert watts_per_core(cpuinfo(model)) == watts / cores


@pytest.mark.parametrize("model", ["Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz", "AMD EPYC", ""])
def test_a_model_that_only_looks_alike_gets_the_median(cpuinfo: Callable[..., Path], tmp_path: Path, model: str):
    assert watts_per_core(cpuinfo(model)) == watts_per_core(tmp_path / "missing")
    assert 3 < watts_per_core(tmp_path / "missing") < 13


def test_threads_per_core(cpuinfo: Callable[..., Path], tmp_path: Path):
    assert threads_per_core(cpuinfo("x", siblings=128, cores=64)) == 2
    assert threads_per_core(cpuinfo("x", siblings=8, cores=8)) == 1
    assert threads_per_core(cpuinfo("x", siblings=8, cores=0)) == 1
    assert threads_per_core(tmp_path / "missing") == 1


@pytest.fixture
def groups(tmp_path: Path):
    own = tmp_path / "own"
    own.write_text("3:cpu:/elsewhere\n0::/kubepods/pod/container\n", encoding="ascii")
    leaf = tmp_path / "cgroup" / "kubepods" / "pod" / "container"
    leaf.mkdir(parents=True)
    return own, tmp_path / "cgroup", leaf


def test_the_tightest_group_on_the_way_up_counts(groups: tuple[Path, Path, Path]):
    own, root, leaf = groups
    (leaf / "cpu.max").write_text("max 100000\n", encoding="ascii")
    (leaf.parent / "cpu.max").write_text("250000 100000\n", encoding="ascii")
    (leaf.parent.parent / "cpu.max").write_text("800000 100000\n", encoding="ascii")
    assert quota(own, root) == Quota(2.5, leaf.parent / "cpu.stat")


def test_no_limit_no_quota(groups: tuple[Path, Path, Path], tmp_path: Path):
    own, root, leaf = groups
    (leaf / "cpu.max").write_text("max 100000\n", encoding="ascii")
    assert quota(own, root) is None
    assert quota(tmp_path / "missing", root) is None


def test_a_group_counts_the_time_it_used(tmp_path: Path):
    usage = tmp_path / "cpu.stat"
    usage.write_text("usage_usec 1500000\nuser_usec 1\n", encoding="ascii")
    assert Quota(1.0, usage).used_seconds() == 1.5
    usage.write_text("nr_periods 0\n", encoding="ascii")
    with pytest.raises(ValueError, match="usage_usec"):
        Quota(1.0, usage).used_seconds()
