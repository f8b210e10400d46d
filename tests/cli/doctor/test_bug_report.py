"""What ``doctor --json`` holds for the report of a bug, and what it leaves out because the report is public."""

import json
import platform
from importlib.metadata import version
from pathlib import Path

import pytest

from green_callbacks import __version__


@pytest.fixture
def document(command, no_nvml):
    def document():
        _, out, _ = command("doctor", "--json", "--seconds", "0.01")
        return json.loads(out)

    return document


def test_it_names_the_versions_that_a_fault_depends_on(document):
    found = document()
    assert (found["version"], found["python"]) == (__version__, platform.python_version())
    assert platform.system() in found["platform"]
    assert found["packages"]["psutil"] == version("psutil")
    assert found["packages"]["nvidia-ml-py"] == version("nvidia-ml-py")


def test_it_holds_every_finding_with_its_state(document):
    findings = document()["findings"]
    assert {"CPU", "Location", "PUE", "Ledger"} <= {finding["topic"] for finding in findings}
    assert all(finding["state"] and finding["text"] for finding in findings)


def test_it_hides_the_name_of_the_user(document, monkeypatch):
    home = Path("home", "ada").absolute()
    work = home / "secret"
    work.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    found = document()
    assert "ada" not in json.dumps(found)
    [ledger] = [finding for finding in found["findings"] if finding["topic"] == "Ledger"]
    assert ledger["details"]["folder"] == "~/secret/green-callbacks"


def test_a_folder_that_only_begins_like_the_home_folder_stays(document, monkeypatch):
    home = Path("home", "an").absolute()
    other = home.with_name("anna")
    other.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(other)
    [ledger] = [finding for finding in document()["findings"] if finding["topic"] == "Ledger"]
    assert ledger["details"]["folder"] == str(other / "green-callbacks")


def test_it_says_no_value_of_an_unknown_variable(document, monkeypatch):
    monkeypatch.setenv("GREEN_CALLBACKS_TOKEN_OF_MINE", "hunter2")
    text = json.dumps(document())
    assert "GREEN_CALLBACKS_TOKEN_OF_MINE" in text
    assert "hunter2" not in text
