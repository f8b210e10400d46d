"""``make test-core`` tests the wheel that users install, not the checkout beside the tests."""

import os
import pkgutil
import subprocess
import sys
import tarfile
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

import pytest

import green_callbacks

CHECKOUT = Path(__file__).parents[1]

of_the_wheel = pytest.mark.skipif("TESTS_OF_WHEEL" not in os.environ, reason="only make test-core installs the wheel")


@of_the_wheel
def test_the_suite_runs_against_the_installed_wheel():
    place = Path(green_callbacks.__file__)
    assert place.parts[-3:-1] == ("site-packages", "green_callbacks")
    assert place.parents[1].is_relative_to(sys.prefix)


@of_the_wheel
def test_processes_that_tests_start_run_it_too():
    code = "import green_callbacks; print(green_callbacks.__file__)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == green_callbacks.__file__


@of_the_wheel
def test_the_wheel_holds_every_file_of_the_package_and_no_other():
    package = CHECKOUT / "green_callbacks"
    kept = {
        path.relative_to(CHECKOUT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and path.name != ".DS_Store"
    }
    installed = {str(path) for path in distribution("green-callbacks").files if path.suffix != ".pyc"}
    assert {path for path in installed if path.startswith("green_callbacks/")} == kept
    others = {path for path in installed if not path.startswith(("green_callbacks/", "green_callbacks-"))}
    assert all(path.endswith("bin/green-callbacks") for path in others)


@of_the_wheel
def test_the_wheel_says_what_it_is():
    metadata = distribution("green-callbacks").metadata
    assert metadata["Version"] == green_callbacks.__version__
    assert metadata["License-Expression"] == "Apache-2.0 AND MIT"
    assert set(metadata.get_all("License-File")) == {"LICENSE", "green_callbacks/page/static/vendor/uPlot.LICENSE"}
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description"].startswith("# green_callbacks")


@of_the_wheel
def test_its_program_runs_from_anywhere(tmp_path):
    program = Path(sys.prefix, "bin", "green-callbacks")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert green_callbacks.__version__ in said


@of_the_wheel
def test_its_licenses_go_with_it():
    files = [path for path in distribution("green-callbacks").files if ".dist-info/licenses/" in str(path)]
    texts = [Path(path.locate()).read_text(encoding="utf-8") for path in files]
    assert sorted(path.name for path in files) == ["LICENSE", "uPlot.LICENSE"]
    assert any("Apache License" in text for text in texts)
    assert any("Permission is hereby granted" in text for text in texts)


@of_the_wheel
def test_tensorboard_finds_the_tab():
    (tab,) = distribution("green-callbacks").entry_points.select(group="tensorboard_plugins")
    assert (tab.name, tab.value) == ("carbon", "green_callbacks.tensorboard_plugin:CarbonTab")


@of_the_wheel
@pytest.mark.parametrize("root", ["lightning.pytorch", "pytorch_lightning"])
def test_lightning_finds_the_monitor_that_a_variable_switches_on(root):
    (found,) = distribution("green-callbacks").entry_points.select(group=f"{root}.callbacks_factory")
    assert found.load()() == []


@of_the_wheel
def test_the_page_needs_no_tensorboard():
    assert find_spec("tensorboard") is None, "the core suite runs without it"
    page = find_spec("green_callbacks.page").submodule_search_locations
    names = [f"green_callbacks.page.{module.name}" for module in pkgutil.iter_modules(page)]
    reads = "from green_callbacks.page.assets import ASSETS\n[asset.read() for asset in ASSETS.values()]"
    subprocess.run([sys.executable, "-W", "error", "-c", f"import {', '.join(names)}\n{reads}"], check=True)


@of_the_wheel
def test_the_source_distribution_holds_the_page_and_its_licenses(tmp_path):
    builder = CHECKOUT / ".venv" / "build" / "bin" / "python"
    command = [builder, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    static = CHECKOUT / "green_callbacks" / "page" / "static"
    assert names >= {path.relative_to(CHECKOUT).as_posix() for path in static.rglob("*") if path.is_file()}
    assert not [name for name in names if name.endswith(".whl")]
