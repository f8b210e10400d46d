"""A script that measures itself inside a measured command counts once."""

import sys
from itertools import permutations

import pytest
from support.waiting import until

PYTHON = sys.executable
TRAIN = """
import os, sys
from green_callbacks import EnergyAccountant
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource
clock = ScriptedClock()
options = {"carbon_intensity": 1000.0, "pue": 1.0, "sinks": [], "clock": clock, "ledger": (sys.argv[1:] or [None])[0]}
with EnergyAccountant(sources=[ScriptedSource(1e-6, clock=clock)], **options) as accountant:
    for epoch in accountant.epochs(len(accountant.history) + 2):
        clock.advance(0.001)
print(accountant.run_id, os.environ.get("GREEN_CALLBACKS_PARENT", "").count(","))
"""


def test_a_script_inside_names_the_run_around_it_and_counts_once(run, ledgers, command, tmp_path):
    status, out, _ = run("-q", PYTHON, "-c", TRAIN)
    assert (status, out.split()[1]) == (0, "0")
    inner = out.split()[0]
    found = ledgers()
    (outer,) = found.keys() - {inner}
    assert (found[inner].head.parent, found[inner].head.ancestors, found[inner].head.earlier) == (outer, (), ())

    text = command("summary", tmp_path / "green-callbacks")[1]
    assert f"{inner} is inside run {outer}, so the sum counts it there." in text
    assert next(line.split()[:3] for line in text.splitlines() if line.startswith("1 run ")) == ["1", "run", "2"]
    _, shown, err = command("export", tmp_path / "green-callbacks", "--format", "methods")
    assert f"The energy of the run {inner} is also in the run {outer}, so a sum of both counts it twice." in err
    assert (shown.count("The run took "), shown.count(" for 2 epochs and used ")) == (1, 1)
    assert (
        f"Run {inner}, inside run {outer}\n" in command("summary", tmp_path / "green-callbacks" / f"{inner}.jsonl")[1]
    )


def test_a_measured_command_inside_another_names_both(run, ledgers, environ, tmp_path):
    inside = [PYTHON, "-m", "green_callbacks.cli", "run", "-q", "--intensity", "1", "--", PYTHON, "-c", TRAIN]
    status, out, _ = run("-q", *inside)
    assert (status, out.split()[1]) == (0, "1")
    found = ledgers()
    training = found.pop(out.split()[0])
    middle = next(each for each in found.values() if each.head.parent)
    assert (training.head.parent, training.head.ancestors) == (middle.run_id, (middle.head.parent,))
    assert found[middle.head.parent].head.parent is None


def test_a_process_that_outlives_the_run_counts_by_itself(run, ledgers, tmp_path):
    (tmp_path / "later.py").write_text(
        "import os, psutil, time\n"
        "pid = int(os.environ['GREEN_CALLBACKS_PARENT'].split('/')[3])\n"
        "while psutil.pid_exists(pid) and psutil.Process(pid).status() != 'zombie': time.sleep(0.01)\n" + TRAIN
    )
    start = "import subprocess, sys; subprocess.Popen([sys.executable, 'later.py'], stdout=open('out', 'w'))"
    assert run("-q", PYTHON, "-c", start)[0] == 0
    assert until((tmp_path / "out").read_text)
    inner = (tmp_path / "out").read_text().split()[0]
    assert ledgers()[inner].head.parent is None


def test_a_run_that_goes_on_in_another_command_lies_in_both(run, ledgers, command, tmp_path):
    ledger = tmp_path / "green-callbacks" / "training.jsonl"
    for _ in range(2):
        assert run("-q", PYTHON, "-c", TRAIN, ledger)[0] == 0
    found = ledgers()
    (training,) = (each for each in found.values() if each.head.parent)
    first, second = sorted(found.keys() - {training.run_id})
    assert training.head.sessions == ((first,), (second,))
    paths = [ledger, *(ledger.with_name(f"{name}.jsonl") for name in (first, second))]
    for order in permutations(paths):
        assert "is inside run" in command("summary", *order)[1]
    for others in paths[1:]:
        assert "is inside run" not in command("summary", ledger, others)[1]


@pytest.mark.parametrize("said", ["no such run!", "a/b", "a/b/c/d/e", ",", "../x"])
def test_a_variable_that_names_no_run_is_said_once(said, monkeypatch, tmp_path, caplog):
    from support.runs import scripted, train

    from green_callbacks.ledger import read_ledger

    monkeypatch.setenv("GREEN_CALLBACKS_PARENT", said)
    accountant, clock = scripted(ledger=tmp_path / "run.jsonl")
    accountant.start()
    train(accountant, clock, range(1))
    accountant.close()
    assert read_ledger(tmp_path / "run.jsonl").head.parent is None
    assert caplog.text.count("names no run, so this run counts by itself. Unset it.") == 1
