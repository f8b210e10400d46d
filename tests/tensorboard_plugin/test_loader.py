"""TensorBoard imports the tab whether anybody wants it or not, so the import cannot fail and costs next to nothing."""

import logging
import sys

import pytest
from support.carbon_tab import run_python
from tensorboard.plugins.base_plugin import TBContext

from green_callbacks.tensorboard_plugin import CarbonTab

LOAD = """
import sys
from tensorboard.plugins.base_plugin import TBContext
{before}
from green_callbacks.tensorboard_plugin import CarbonTab
plugin = CarbonTab().load(TBContext(logdir="."))
print("plugin", plugin and plugin.plugin_name)
"""

WARNING = "TensorBoard starts without the tab Carbon"


def loaded(before=""):
    done = run_python(LOAD.format(before=before))
    assert done.returncode == 0, done.stderr
    return done


def test_the_import_loads_nothing_but_the_base_of_plugins():
    script = "import green_callbacks.tensorboard_plugin, sys; print(*sys.modules)"
    modules = set(run_python(script).stdout.split())
    ours = {name for name in modules if name.startswith("green_callbacks")}
    assert ours == {"green_callbacks", "green_callbacks._version", "green_callbacks.tensorboard_plugin"}
    heavy = {"numpy", "werkzeug", "tensorflow", "markdown", "psutil", "pynvml", "torch", "google.protobuf", "grpc"}
    assert modules.isdisjoint(heavy)
    assert {name for name in modules if name.startswith("tensorboard.")} <= {
        "tensorboard.lazy",
        "tensorboard.plugins",
        "tensorboard.plugins.base_plugin",
        "tensorboard.version",
    }


def test_the_tab_loads_without_a_driver_a_framework_or_numbers():
    script = LOAD.format(before="") + "\nprint(*sys.modules)"
    modules = set(run_python(script).stdout.split())
    assert "green_callbacks" in modules
    assert modules.isdisjoint({"tensorflow", "torch", "keras", "jax", "pynvml", "amdsmi"})


@pytest.mark.parametrize("missing", ["psutil", "pynvml"])
def test_a_missing_dependency_hides_the_tab_at_most(missing):
    done = loaded(f"sys.modules[{missing!r}] = None")
    assert "plugin green_callbacks" in done.stdout or WARNING in done.stderr


@pytest.mark.parametrize(
    "broken",
    ["ledger", "page", "page.assets", "page.collection", "records", "text", "tensorboard_plugin.plugin", "errors"],
)
def test_a_broken_module_of_ours_hides_the_tab_with_one_warning(broken):
    done = loaded(f"sys.modules['green_callbacks.{broken}'] = None")
    assert "plugin None" in done.stdout
    assert done.stderr.count(WARNING) == 1
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "fault", ["SystemExit(3)", "RuntimeError('a\\nb' * 2000)", "SyntaxError('bad')", "MemoryError()"]
)
def test_any_fault_of_the_import_is_one_line(fault):
    before = f"""
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "green_callbacks.page.collection":
            raise {fault}
sys.meta_path.insert(0, Finder())
"""
    done = loaded(before)
    assert "plugin None" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith(WARNING)
    assert len(line) < 2000


def test_a_fault_of_the_constructor_is_one_warning(caplog):
    with caplog.at_level(logging.WARNING):
        assert CarbonTab().load(None) is None
    assert len(caplog.records) == 1


def test_ctrl_c_is_not_held_back(monkeypatch):
    class Interrupting:
        def find_spec(self, name, path=None, target=None):
            if name == "green_callbacks.tensorboard_plugin.plugin":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "green_callbacks.tensorboard_plugin.plugin", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(KeyboardInterrupt):
        CarbonTab().load(TBContext(logdir="."))


@pytest.mark.parametrize(
    "context",
    [{}, {"logdir": None}, {"logdir": ""}, {"logdir": "s3://bucket/logs"}, {"logdir": "a,b"}, {"logdir": "\0"}],
)
def test_any_context_gives_a_tab_that_answers(context, open_tab):
    tab = open_tab(**context)
    assert tab.plugin.is_active() is False
    answer = tab.get("/runs")
    assert answer.status_code in {200, 404}
    assert answer.json.get("error") or answer.json["said"]
