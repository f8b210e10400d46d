"""``make test-core`` tests the wheel that users install, not the checkout beside the tests."""

import os
import subprocess
import sys
from importlib.metadata import distribution
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
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description"].startswith("# green_callbacks")


@of_the_wheel
def test_its_program_runs_from_anywhere(tmp_path):
    program = Path(sys.prefix, "bin", "green-callbacks")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert green_callbacks.__version__ in said
