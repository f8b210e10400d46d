"""``green-callbacks project`` with the URL of a database."""

import pytest
from support.registry_contract import told

from green_callbacks.cli import main
from green_callbacks.registry import open_registry


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/budgets.db"


@pytest.fixture
def command(capsys):
    """Run the command; returns its exit status, its lines and its errors."""

    def run(*argv):
        status = main(["project", *argv])
        captured = capsys.readouterr()
        return status, [" ".join(line.split()) for line in captured.out.splitlines()], captured.err

    return run


def claim(url, project, quantity="emissions_kg"):
    open_registry(url, project, quantity).claim(told("first", 2.0, 0.5))


def test_the_only_project_is_shown(command, url):
    claim(url, "digits")
    status, said, err = command(url)
    assert (status, err) == (0, "")
    assert " ".join(" ".join(said).split()).startswith(f"Project digits in {url} ")  # a long path is wrapped
    assert "Left 7.50 kg CO2e" in said


def test_one_of_several_projects_must_be_named(command, url):
    claim(url, "digits")
    claim(url, "resnet", "facility_kwh")
    status, said, err = command(url)
    assert (status, said) == (2, [])
    assert "holds 2 projects (digits, resnet). Name one with --project." in err
    status, said, _ = command(url, "--project", "resnet")
    assert status == 0
    assert "Left 7.50 kWh" in said


def test_an_unknown_project_is_said_and_not_made(command, url):
    claim(url, "digits")
    status, _, err = command(url, "--project", "digit")
    assert status == 2
    assert "does not know digit. It holds 1 project (digits)." in err
    assert command(url)[0] == 0


def test_a_database_without_budgets_is_said(command, url, tmp_path):
    status, _, err = command(url)
    assert status == 2
    assert "There is no file" in err
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "budgets.db").touch()
    status, _, err = command(url)
    assert status == 2
    assert "holds no project yet" in err


def test_the_budget_is_set_in_the_database(command, url):
    claim(url, "digits")
    status, said, _ = command(url, "--set-budget", "3 kg")
    assert status == 0
    assert "Left 500 g CO2e" in said
    assert open_registry(url, "digits", "emissions_kg").set_limit_now() == 3.0


def test_a_server_that_is_away_is_said_without_its_password(command):
    status, said, err = command("postgresql://ada:secret@127.0.0.1:1/budgets")
    assert (status, said) == (2, [])
    assert err.startswith("green-callbacks: ")
    assert "secret" not in err
    assert "bug" not in err
