import functools
import logging
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from sensors import RaplTree, as_nobody

from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Reading
from green_callbacks.sources import CpuModelSource, EnergySource, PowercapSource, ScriptedSource, discover, discovery


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch):
    """A power capping tree that stands where the machine's would."""
    with tempfile.TemporaryDirectory() as folder:
        tree = RaplTree(Path(folder))
        tree.root.chmod(0o755)
        monkeypatch.setattr(discovery, "PowercapSource", functools.partial(PowercapSource, tree.root))
        yield tree


def processors(sources: list[EnergySource]):
    return [source for source in sources if isinstance(source, PowercapSource | CpuModelSource)]


def test_counters_come_before_the_model(tree: RaplTree):
    tree.add("intel-rapl:0", "package-0")
    (source,) = processors(discover())
    assert list(source.read()) == ["cpu:package-0"]
    source.close()


def test_without_counters_the_processors_are_modelled_and_nobody_is_warned(
    tree: RaplTree, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO):
        (source,) = processors(discover(cpu_tdp_watts=65))
    assert source.read()["cpu:model"].method == "modelled"
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    assert "CpuModelSource measures cpu:model." in caplog.text
    assert "65 W, as given" in caplog.text


def test_counters_that_only_root_may_read_are_one_warning_with_the_remedy(
    tree: RaplTree, caplog: pytest.LogCaptureFixture
):
    tree.add("intel-rapl:0", "package-0")
    tree.counter("intel-rapl:0").chmod(0o400 if tree.counter("intel-rapl:0").stat().st_uid == 0 else 0)
    with caplog.at_level(logging.WARNING), as_nobody():
        (source,) = processors(discover())
    assert isinstance(source, CpuModelSource)
    (warning,) = caplog.records
    assert "sudo chmod -R a+r" in warning.getMessage()


def test_a_machine_that_tells_nothing_has_no_sources(tree: RaplTree, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert processors(discover()) == []


class Superchip(ScriptedSource):
    """A GPU whose counter is that of its module."""

    def read(self) -> Mapping[str, Reading]:
        return {name: reading._replace(flags=("module",)) for name, reading in super().read().items()}


def test_the_processor_of_a_superchip_does_not_count_twice(tree: RaplTree, monkeypatch: pytest.MonkeyPatch):
    tree.add("intel-rapl:0", "package-0")
    monkeypatch.setattr(discovery, "NvmlSource", lambda **options: Superchip())
    (source,) = discover()
    assert isinstance(source, Superchip)


def test_an_impossible_design_power_is_refused():
    with pytest.raises(ConfigurationError):
        discover(cpu_tdp_watts=-5)
