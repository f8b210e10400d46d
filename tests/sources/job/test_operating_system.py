import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support.sensors import RaplTree

from green_callbacks.cli.doctor.job.processors import processors
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.sources import CpuModelSource, DramModelSource, PowercapSource, discover
from green_callbacks.sources.cpu.time_share import CpuShare
from green_callbacks.sources.job import operating_system as _system
from green_callbacks.sources.job.allotment import allotment
from green_callbacks.sources.job.process_family import ProcessFamily

FAILURES = {
    "no such process": psutil.NoSuchProcess(1),
    "access denied": psutil.AccessDenied(1),
    "zombie": psutil.ZombieProcess(1),
    "psutil's own": psutil.Error("odd"),
    "no /proc": FileNotFoundError(2, "/proc/stat"),
    "runtime": RuntimeError("odd"),
    "not implemented": NotImplementedError("odd"),
    "value": ValueError("odd"),
    "key": KeyError("MemTotal:"),
    "index": IndexError("list index out of range"),
}
ASKED = ("Process", "cpu_count", "cpu_times", "virtual_memory")


@pytest.fixture(params=list(FAILURES))
def failing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """An operating system that tells nothing."""

    def fail(*arguments: object, **options: object) -> None:
        raise FAILURES[request.param]

    for name in ASKED:
        monkeypatch.setattr(psutil, name, fail)
    return fail


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_system, "_warned", set())


def test_the_processors_are_those_that_python_knows(failing: Callable[..., None], caplog: pytest.LogCaptureFixture):
    part = allotment({})
    assert (part.host_cpus, part.host_cores, part.affinity) == (os.cpu_count(), os.cpu_count(), None)
    with caplog.at_level(logging.WARNING):
        allotment({})
    assert len({record.getMessage() for record in caplog.records}) == len(caplog.records) == 3


def test_the_counters_are_read_all_the_same(failing: Callable[..., None], tmp_path: Path):
    tree = RaplTree(tmp_path)
    tree.add("intel-rapl:0", "package-0")
    source = PowercapSource(tree.root)
    source.open()
    assert list(source.read()) == ["cpu:package-0"]
    with pytest.raises(SourceUnavailableError, match="Leave share= out"):
        PowercapSource(tree.root, share="cpu_time").open()


def test_the_models_are_refused_in_a_sentence(failing: Callable[..., None], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("green_callbacks.sources.job.allotment.quota", lambda: None)
    for source in (CpuModelSource(), DramModelSource()):
        with pytest.raises(SourceUnavailableError, match="operating system does not report"):
            source.open()


def test_what_is_not_measured_is_said(
    failing: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    monkeypatch.setattr("green_callbacks.sources.job.allotment.quota", lambda: None)
    monkeypatch.setattr("green_callbacks.sources.discovery.PowercapSource", lambda: PowercapSource(tmp_path))
    with caplog.at_level(logging.WARNING):
        sources = discover()
    assert not [source for source in sources if isinstance(source, CpuModelSource)]
    assert "The energy of the processors is missing" in caplog.text


def test_the_doctor_goes_on(failing: Callable[..., None], tmp_path: Path):
    assert processors(tmp_path, tmp_path / "cpuinfo", {}, [])


def test_nobody_is_of_the_family(failing: Callable[..., None]):
    assert ProcessFamily().among({os.getpid(), 1}) == {os.getpid()}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=list(FAILURES))
def test_a_model_that_is_open_has_a_gap(failure: Exception, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("green_callbacks.sources.job.allotment.quota", lambda: None)
    clock = ScriptedClock()
    source = CpuModelSource(clock=clock)
    source.open()

    def fail(**options: object) -> None:
        raise failure

    monkeypatch.setattr(psutil, "cpu_times", fail)
    clock.advance(5)
    (reading,) = source.read().values()
    assert (reading.gap_seconds, reading.reason is None) == (5.0, False)


@pytest.mark.parametrize("failure", FAILURES.values(), ids=list(FAILURES))
def test_a_share_stays_as_it_was(failure: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("green_callbacks.sources.cpu.time_share.job_usage", lambda: None)
    share = CpuShare.begin(allotment({}), 0.0)

    def fail() -> None:
        raise failure

    monkeypatch.setattr(psutil, "Process", fail)
    assert share.advanced(10.0) is share


def test_without_psutil_the_errors_are_pythons(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert ImportError in _system.system_errors()
    assert allotment({}).host_cpus == os.cpu_count()


def test_times_that_stand_still_while_this_process_works_are_a_gap(monkeypatch: pytest.MonkeyPatch):
    """As sandboxes show them whose /proc/stat is all zeros."""
    own = 0.0
    monkeypatch.setattr("green_callbacks.sources.cpu.model.process_time", lambda: own)
    monkeypatch.setattr("green_callbacks.sources.cpu.model._busy_seconds", lambda quota, affinity: 0.0)
    clock = ScriptedClock()
    source = CpuModelSource(clock=clock)
    source.open()
    clock.advance(10)
    (idle,) = source.read().values()
    assert (idle.reason, idle.gap_seconds) == (None, 0.0)
    own = 10.0
    clock.advance(10)
    (reading,) = source.read().values()
    assert (reading.joules, reading.gap_seconds) == (idle.joules, 10.0)
    assert "stand still" in reading.reason


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0])
def test_times_that_cannot_be_are_a_gap(monkeypatch: pytest.MonkeyPatch, seconds: float):
    clock = ScriptedClock()
    source = CpuModelSource(clock=clock)
    source.open()
    monkeypatch.setattr("green_callbacks.sources.cpu.model._system_seconds", lambda affinity: seconds)
    monkeypatch.setattr("green_callbacks.sources.job.cgroup.Quota.used_seconds", lambda quota: seconds)
    clock.advance(1)
    (reading,) = source.read().values()
    assert reading.reason is not None
