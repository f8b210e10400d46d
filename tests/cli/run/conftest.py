"""The command ``green-callbacks run`` as a process of its own, in an empty working folder."""

import os
import subprocess
import sys

import pytest

from green_callbacks.ledger import read_ledger

START = (sys.executable, "-m", "green_callbacks.cli", "run", "--intensity", "400", "--pue", "1.2")


@pytest.fixture
def environ():
    return {name: value for name, value in os.environ.items() if not name.startswith("GREEN_")}


@pytest.fixture
def spawn(tmp_path, environ):
    """Start the command; its process."""
    started = []

    def start(*argv, variables=(), **options):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        command = [*START, *map(str, argv)]
        options = {"env": {**environ, **dict(variables)}, "cwd": tmp_path, "text": True, **pipes, **options}
        started.append(subprocess.Popen(command, **options))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def run(spawn):
    """Run the command to its end; exit status, standard output and standard error."""

    def done(*argv, given=None, **options):
        process = spawn(*argv, **options)
        out, err = process.communicate(given, timeout=60)
        return process.returncode, out, err

    return done


@pytest.fixture
def ledgers(tmp_path):
    """Read the ledgers of the working folder, by the names of their runs."""

    def read():
        found = map(read_ledger, sorted((tmp_path / "green-callbacks").glob("*.jsonl")))
        return {contents.run_id: contents for contents in found}

    return read
