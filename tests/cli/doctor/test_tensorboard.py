"""The doctor says whether TensorBoard would show the tab Carbon, and what to do if it would not."""

import shutil
import sys
from pathlib import Path

import pytest

from green_callbacks.cli.doctor import tensorboard as examined
from green_callbacks.cli.doctor.software import software
from green_callbacks.cli.doctor.tensorboard import tensorboard

OURS = "green_callbacks.tensorboard_plugin:CarbonTab"


class Environment:
    """An environment of Python packages, which holds what a test puts there."""

    def __init__(self, folder, monkeypatch):
        self.folder, self._monkeypatch = folder, monkeypatch
        monkeypatch.setattr(sys, "path", [str(folder)])
        self.has_pkg_resources(has=False)
        self.command(None)

    def install(self, name, version, point=None):
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        if point:
            (info / "entry_points.txt").write_text(f"[tensorboard_plugins]\nplugin = {point}\n")

    def has_pkg_resources(self, *, has):
        def find_spec(name):
            assert name == "pkg_resources"
            return object() if has else None

        self._monkeypatch.setattr(examined, "find_spec", find_spec)

    def command(self, path):
        self._monkeypatch.setattr(shutil, "which", lambda _name: path)


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Return an empty environment, with the setuptools of today."""
    return Environment(tmp_path, monkeypatch)


def only(findings):
    [finding] = findings
    return finding


def test_without_tensorboard_there_is_the_extra(environment):
    finding = only(tensorboard())
    assert finding.state == "attention"
    assert finding.command == "pip install 'green-callbacks[tensorboard]'"


def test_a_tensorboard_with_the_tab_is_fine(environment):
    environment.install("tensorboard", "2.21.0")
    environment.install("green-callbacks", "0.1.0", OURS)
    finding = only(tensorboard())
    assert (finding.state, finding.text) == ("known", "Version 2.21.0 is installed. It shows the tab Carbon.")
    assert finding.details == {"version": "2.21.0", "shows_tab": True}


@pytest.mark.parametrize("version", ["2.21.0rc1", "2.22.0a20270101", "3.0.0"])
def test_newer_versions_are_fine(environment, version):
    environment.install("tensorboard", version)
    environment.install("green-callbacks", "0.1.0", OURS)
    assert only(tensorboard()).details["shows_tab"] is True


def test_an_old_tensorboard_does_not_start_with_the_setuptools_of_today(environment):
    environment.install("tensorboard", "2.20.0")
    environment.install("green-callbacks", "0.1.0", OURS)
    finding = only(tensorboard())
    assert "does not start" in finding.text
    assert finding.command == "pip install --upgrade 'tensorboard>=2.21'"
    environment.has_pkg_resources(has=True)
    finding = only(tensorboard())
    assert "does not start" not in finding.text
    assert "needs 2.21 or later" in finding.text


def test_a_tensorboard_without_our_entry_point_shows_no_tab(environment):
    environment.install("tensorboard", "2.21.0")
    environment.install("other", "1.0", "other.plugin:Tab")
    finding = only(tensorboard())
    assert finding.state == "attention"
    assert "does not show the tab Carbon" in finding.text


@pytest.mark.parametrize("where", ["old_plugin/loader.py", "old_plugin/__init__.py", "old_plugin/loader/__init__.py"])
def test_a_plugin_that_ends_tensorboard_is_named(environment, where):
    environment.install("tensorboard", "2.21.0")
    environment.install("green-callbacks", "0.1.0", OURS)
    environment.install("old-plugin", "1.8.1", "old_plugin.loader:Loader")
    file = environment.folder / where
    file.parent.mkdir(parents=True)
    file.write_text("import os\nimport pkg_resources\n")
    fatal = tensorboard()[1]
    assert fatal.command == "pip uninstall -y old-plugin"
    assert "ends TensorBoard at its start" in fatal.text
    environment.has_pkg_resources(has=True)
    assert len(tensorboard()) == 1


def test_plugins_are_read_and_not_run(environment):
    environment.install("tensorboard", "2.21.0")
    environment.install("green-callbacks", "0.1.0", OURS)
    environment.install("loud", "1.0", "loud:Loader")
    (environment.folder / "loud.py").write_text("raise SystemExit(3)\n")
    assert len(tensorboard()) == 1
    assert "loud" not in sys.modules


def test_a_command_of_another_environment_is_said(environment, tmp_path):
    environment.install("tensorboard", "2.21.0")
    environment.install("green-callbacks", "0.1.0", OURS)
    environment.command(str(tmp_path / "bin/tensorboard"))
    finding = only(tensorboard())
    assert finding.state == "attention"
    assert str(tmp_path / "bin/tensorboard") in finding.text
    assert finding.command.endswith("-m tensorboard.main --logdir .")
    environment.command(str(Path(sys.executable).parent / "tensorboard"))
    assert only(tensorboard()).state == "known"


def test_the_examination_of_this_machine_speaks_of_it():
    assert [finding for finding in software() if finding.topic == "TensorBoard"]
