import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from green_callbacks import __version__
from green_callbacks.cli import main


def spawn(*argv, **options):
    command = Path(sys.executable).with_name("green-callbacks")
    start = [command] if command.exists() else [sys.executable, "-m", "green_callbacks.cli"]
    return subprocess.run([*start, *argv], capture_output=True, text=True, check=False, **options)


def test_the_installed_command_says_its_version():
    done = spawn("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"green-callbacks {__version__}")


def test_the_module_runs_as_the_command_does(ledger):
    done = subprocess.run(
        [sys.executable, "-m", "green_callbacks.cli", "summary", ledger("one")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "12 epochs" in done.stdout


def test_its_exit_status_is_that_of_the_process(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["green-callbacks", "summary", "nowhere.jsonl"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("green_callbacks.cli", run_name="__main__")
    assert end.value.code == 2


def test_what_is_wrong_is_one_sentence_and_no_traceback(command):
    status, out, err = command("summary", "nowhere.jsonl")
    assert (status, out) == (2, "")
    assert err.startswith("green-callbacks: The ledger nowhere.jsonl cannot be read")
    assert err.count("\n") == 1


@pytest.mark.parametrize("argv", [[], ["summary"], ["replay"], ["no-such-command"], ["doctor", "--seconds", "-1"]])
def test_arguments_that_cannot_be_understood_are_refused(argv, capsys):
    with pytest.raises(SystemExit) as refusal:
        main(argv)
    assert refusal.value.code == 2
    assert "usage: green-callbacks" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["doctor", "summary", "replay"])
def test_every_sub_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    assert f"usage: green-callbacks {name}" in capsys.readouterr().out


def test_the_command_starts_without_what_it_does_not_need():
    script = "import sys; from green_callbacks.cli import main\ntry: main(['--version'])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    heavy = {"green_callbacks.accountant", "green_callbacks.sources", "json", "logging", "psutil", "pynvml"}
    assert heavy.isdisjoint(done.stdout.split())


def test_a_reader_that_has_seen_enough_is_no_error(ledger):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "green_callbacks.cli", "summary", ledger("one")],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_terminal_of_few_characters_is_no_error(ledger):
    path = ledger("one", metrics=lambda epoch: {"val_précision": 0.5 + epoch / 100})
    done = spawn("summary", path, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "val_pr?cision" in done.stdout
