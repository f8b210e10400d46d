import logging
import sys
from pathlib import Path

import pytest
from support.sensors import RaplTree

from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.meter import EnergyMeter
from green_callbacks.sources import DramModelSource, PowercapSource
from green_callbacks.sources.cpu import dram_model


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def tree(tmp_path: Path):
    tree = RaplTree(tmp_path / "powercap")
    tree.add("intel-rapl:0", "package-0")
    return tree


def opened(clock: ScriptedClock, tree: RaplTree, *gigabytes: float, **options: float):
    source = DramModelSource(*gigabytes, powercap=tree.root, clock=clock, **options)
    source.open()
    return source


def test_is_a_constant_per_gigabyte_in_a_row_of_its_own(clock: ScriptedClock, tree: RaplTree):
    source = opened(clock, tree, 64)
    clock.advance(100)
    ((name, reading),) = source.read().items()
    assert (name, reading.component, reading.method, reading.tolerance) == ("dram:model", "dram", "modelled", 0.5)
    assert reading.joules == pytest.approx(64 * 0.392 * 100)


def test_another_power_per_gigabyte(clock: ScriptedClock, tree: RaplTree):
    source = opened(clock, tree, 10, watts_per_gigabyte=0.2)
    clock.advance(1)
    assert source.read()["dram:model"].joules == pytest.approx(2)


def test_takes_what_the_job_has_and_says_how_much(
    clock: ScriptedClock, tree: RaplTree, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(dram_model, "job_gigabytes", lambda: 32.0)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with caplog.at_level(logging.INFO):
        source = opened(clock, tree)
    clock.advance(1)
    assert source.read()["dram:model"].joules == pytest.approx(32 * 0.392)
    assert "32 GB" in caplog.text


def test_this_machine_s_memory_is_found(clock: ScriptedClock, tree: RaplTree, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1024")  # where part of a machine is ours, only this tells how much
    source = opened(clock, tree)
    clock.advance(1)
    (reading,) = source.read().values()
    assert 0 < reading.joules <= 0.392


def test_where_others_have_memory_too_it_asks_how_much(
    clock: ScriptedClock, tree: RaplTree, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dram_model, "job_gigabytes", lambda: None)
    with pytest.raises(SourceUnavailableError, match="gigabytes="):
        opened(clock, tree)


def test_without_psutil_it_asks_too(clock: ScriptedClock, tree: RaplTree, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(SourceUnavailableError, match="gigabytes="):
        opened(clock, tree)


def test_memory_that_is_measured_is_not_modelled(
    clock: ScriptedClock, tree: RaplTree, caplog: pytest.LogCaptureFixture
):
    tree.add("intel-rapl:0:0", "dram")
    with pytest.raises(SourceUnavailableError, match="PowercapSource"):
        opened(clock, tree, 64)
    meter = EnergyMeter([PowercapSource(tree.root, clock=clock), DramModelSource(64, powercap=tree.root, clock=clock)])
    meter.open()
    assert set(meter.read().tallies) == {"cpu:package-0", "dram:package-0"}
    assert "PowercapSource" in caplog.text
    meter.close()


def test_a_counter_that_does_not_answer_measures_nothing(clock: ScriptedClock, tree: RaplTree):
    tree.add("intel-rapl:0:0", "dram")
    tree.counter("intel-rapl:0:0").write_text("", encoding="ascii")
    assert opened(clock, tree, 64).read()


@pytest.mark.parametrize("options", [{"gigabytes": -1}, {"gigabytes": 1, "watts_per_gigabyte": float("nan")}])
def test_what_cannot_be_is_refused(options: dict[str, float]):
    with pytest.raises(ConfigurationError):
        DramModelSource(**options)
