import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Never

import psutil
import pytest

from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.sources import CpuModelSource
from green_callbacks.sources.job import allotment as _allotment
from green_callbacks.sources.job.cgroup import Quota


class Machine:
    """Four processors whose times move when told."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.busy = [0.0] * 4
        self.affinity = [0, 1, 2, 3]
        patch.setattr(psutil, "cpu_count", lambda logical=True: 4)
        patch.setattr(psutil, "cpu_times", self.times)
        patch.setattr(psutil, "Process", lambda: SimpleNamespace(cpu_affinity=lambda: self.affinity))
        patch.setattr(_allotment, "quota", lambda: None)

    def times(self, *, percpu: bool = False):
        if percpu:
            return [SimpleNamespace(user=busy, idle=1e6) for busy in self.busy]
        return SimpleNamespace(user=sum(self.busy) / 2, system=sum(self.busy) / 2, idle=1e6, iowait=1e6)


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    return Machine(monkeypatch)


def opened(clock: ScriptedClock, **options: float):
    source = CpuModelSource(clock=clock, **options)
    source.open()
    return source


def test_idle_busy_and_between(machine: Machine, clock: ScriptedClock):
    source = opened(clock, tdp_watts=100, idle_share=0.2)
    clock.advance(10)
    assert source.read()["cpu:model"].joules == pytest.approx(20 * 10)
    clock.advance(10)
    machine.busy = [10.0] * 4
    assert source.read()["cpu:model"].joules == pytest.approx(20 * 10 + 100 * 10)
    clock.advance(10)
    machine.busy = [15.0] * 4
    assert source.read()["cpu:model"].joules == pytest.approx(20 * 10 + 100 * 10 + 60 * 10)


def test_says_that_it_is_a_model_and_how_far_off_it_may_be(machine: Machine, clock: ScriptedClock):
    reading = opened(clock).read()["cpu:model"]
    assert (reading.component, reading.method, reading.tolerance) == ("cpu", "modelled", 0.40)


def test_needs_no_polls(machine: Machine, clock: ScriptedClock):
    source = opened(clock, tdp_watts=100, idle_share=0)
    for quarter in range(1, 5):
        clock.advance(900)
        machine.busy = [quarter * 225.0] * 4
    assert source.poll_seconds is None
    assert source.read()["cpu:model"].joules == pytest.approx(25 * 3600)


def test_bound_to_some_processors_it_counts_only_those(machine: Machine, clock: ScriptedClock):
    machine.affinity = [1, 3]
    source = opened(clock, tdp_watts=100, idle_share=0.2)
    clock.advance(10)
    machine.busy = [10.0, 10.0, 10.0, 0.0]
    assert source.read()["cpu:model@1,3"].joules == pytest.approx(50 * 10 * (0.2 + 0.8 * 0.5))


def test_a_container_counts_its_quota_and_its_own_use(
    machine: Machine, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    usage = tmp_path / "cpu.stat"
    usage.write_text("usage_usec 5000000\nuser_usec 1\n", encoding="ascii")
    monkeypatch.setattr(_allotment, "quota", lambda: Quota(1.0, usage))
    source = opened(clock, tdp_watts=100, idle_share=0.2)
    clock.advance(10)
    usage.write_text("usage_usec 10000000\nuser_usec 1\n", encoding="ascii")
    name = f"cpu:model@group-{tmp_path.stat().st_ino}"
    assert source.read()[name].joules == pytest.approx(25 * 10 * (0.2 + 0.8 * 0.5))
    assert list(source.describe()) == [name]


def test_a_quota_of_version_1_counts_too(
    machine: Machine, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    usage = tmp_path / "cpuacct.usage"
    usage.write_text("5000000000\n", encoding="ascii")
    monkeypatch.setattr(_allotment, "quota", lambda: Quota(2.0, usage))
    source = opened(clock, tdp_watts=100, idle_share=0)
    clock.advance(10)
    usage.write_text("15000000000\n", encoding="ascii")
    (reading,) = source.read().values()
    assert reading.joules == pytest.approx(50 * 10 * 0.5)


def test_a_quota_above_the_affinity_does_not_count(
    machine: Machine, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(_allotment, "quota", lambda: Quota(16.0, tmp_path / "missing"))
    source = opened(clock, tdp_watts=100, idle_share=0)
    clock.advance(1)
    machine.busy = [1.0] * 4
    assert source.read()["cpu:model"].joules == pytest.approx(100)


def test_never_above_the_design_power_nor_below_idle(machine: Machine, clock: ScriptedClock):
    source = opened(clock, tdp_watts=100, idle_share=0.2)
    clock.advance(1)
    machine.busy = [5.0] * 4
    assert source.read()["cpu:model"].joules == pytest.approx(100)
    clock.advance(1)
    machine.busy = [0.0] * 4
    assert source.read()["cpu:model"].joules == pytest.approx(120)


def test_coarse_times_read_often_lose_nothing(machine: Machine, clock: ScriptedClock):
    source = opened(clock, tdp_watts=100, idle_share=0)
    for millisecond in range(1, 101):
        clock.advance(0.001)
        machine.busy = [millisecond // 10 / 100] * 4
        source.read()
    clock.advance(0.009)
    assert source.read()["cpu:model"].joules == pytest.approx(10.0)


def test_times_that_cannot_be_read_are_a_gap_that_closes(
    machine: Machine, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch
):
    def fail() -> Never:
        raise FileNotFoundError(2, "no /proc")

    source = opened(clock, tdp_watts=100, idle_share=0)
    with monkeypatch.context() as broken:
        broken.setattr(psutil, "cpu_times", fail)
        clock.advance(5)
        lost = source.read()["cpu:model"]
    assert (lost.joules, lost.gap_seconds) == (0.0, 5.0)
    assert "no /proc" in lost.reason
    clock.advance(5)
    machine.busy = [10.0] * 4
    back = source.read()["cpu:model"]
    assert (back.joules, back.gap_seconds, back.reason) == (pytest.approx(1000), 0.0, None)


def test_without_a_known_affinity_all_processors_count(
    machine: Machine, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch
):
    def refuse() -> Never:
        raise psutil.AccessDenied

    for process in (SimpleNamespace(), SimpleNamespace(cpu_affinity=refuse)):
        monkeypatch.setattr(psutil, "Process", lambda process=process: process)
        source = opened(clock, tdp_watts=100, idle_share=1)
        clock.advance(1)
        assert source.read()["cpu:model"].joules == pytest.approx(100)


def test_says_what_it_assumes_open_or_not(machine: Machine, clock: ScriptedClock, tmp_path: Path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name\t: AMD EPYC 7742 64-Core Processor\nsiblings\t: 4\ncpu cores\t: 2\n")
    machine.affinity = [1, 3]
    source = CpuModelSource(cpuinfo=cpuinfo, clock=clock)
    assumptions = source.assumptions()
    source.open()
    assert source.assumptions() == assumptions
    assert assumptions.model == "AMD EPYC 7742 64-Core Processor"
    assert assumptions.tdp_watts == pytest.approx(2 * 225 / 64)
    assert (assumptions.tdp_origin, assumptions.cpus, assumptions.host_cpus) == ("specification", 2, 4)
    assert str(assumptions) == (
        "AMD EPYC 7742 64-Core Processor, 4 logical processors, of which this process may use 2, design power of the "
        "machine 7 W (from its maker's specification), 20 % of it when idle, ±40 %"
    )


@pytest.mark.parametrize(("tdp_watts", "origin"), [(95, "argument"), (None, "median")])
def test_a_design_power_says_where_it_comes_from(
    machine: Machine, tmp_path: Path, tdp_watts: float | None, origin: str
):
    assumptions = CpuModelSource(tdp_watts=tdp_watts, cpuinfo=tmp_path / "missing").assumptions()
    assert assumptions.tdp_origin == origin
    assert "without a known name" in str(assumptions)


def test_without_psutil_there_is_no_model(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(SourceUnavailableError, match="psutil"):
        CpuModelSource().open()


@pytest.mark.parametrize("options", [{"tdp_watts": -1}, {"tdp_watts": float("nan")}, {"idle_share": 1.1}])
def test_what_cannot_be_is_refused(options: dict[str, float]):
    with pytest.raises(ConfigurationError):
        CpuModelSource(**options)


def test_a_table_s_power_on_this_machine_is_plausible():
    clock = ScriptedClock()
    source = CpuModelSource(idle_share=1, clock=clock)
    source.open()
    clock.advance(1)
    (reading,) = source.read().values()
    watts_per_cpu = reading.joules / psutil.cpu_count()
    assert 0.01 < watts_per_cpu < 30
