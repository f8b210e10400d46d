"""Processes that are killed, and runs that go on after them."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support.runs import scripted, train
from support.strategies import comparable, totals_of

from green_callbacks import read_ledger

WATTS = 300.0
PRELUDE = """
    import json, os, signal, sys, time
    from green_callbacks import EnergyAccountant
    from green_callbacks.accountant.run import run
    from green_callbacks.clock import ScriptedClock
    from green_callbacks.sources import ScriptedSource

    run.HEARTBEAT_SECONDS = 0.002
    clock = ScriptedClock()
    options = dict(carbon_intensity=1000.0, pue=1.0, sinks=[], ledger="run.jsonl", clock=clock)
    accountant = EnergyAccountant(sources=[ScriptedSource(300.0, clock=clock)], **options)

    def epoch(index):
        accountant.begin_epoch(index)
        clock.advance(10)
        accountant.observe({"val_acc": index / 10})
        accountant.end_epoch()

    def lines(kind):
        if not os.path.exists("run.jsonl"):
            return 0
        with open("run.jsonl") as file:
            return sum(f'"type":"{kind}"' in line for line in file)

    def wait_for(kind, count):
        deadline = time.monotonic() + 30
        while lines(kind) < count:
            if time.monotonic() > deadline:
                sys.exit(f"no {kind}")
            time.sleep(0.002)

    accountant.start()
"""


def run_process(folder, script, told=""):
    """Run a script after the prelude; return how it ended."""
    command = [sys.executable, "-c", textwrap.dedent(PRELUDE) + textwrap.dedent(script)]
    return subprocess.run(command, cwd=folder, input=told, timeout=60, check=False, capture_output=True, text=True)


KILLED = """
    for index in range(3):
        epoch(index)
        with open("checkpoint.json", "w") as file:
            json.dump(accountant.state_dict(), file)
    wait_for("record", 3)
    accountant.begin_epoch(3)
    clock.advance(4)
    wait_for("heartbeat", lines("heartbeat") + 2)  # one more may have been on its way
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed(tmp_path):
    """The folder of a run that was killed 4 s into its fourth epoch, with a checkpoint after each of three."""
    done = run_process(tmp_path, KILLED)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")
    return tmp_path


def test_every_finished_epoch_of_a_killed_run_is_readable(killed):
    contents = read_ledger(killed / "run.jsonl")
    assert [r.epoch for r in contents.history if r.epoch is not None] == [0, 1, 2]
    assert [r.energy_joules for r in contents.history if r.epoch is not None] == [WATTS * 10] * 3
    assert list(contents.history.metric("val_acc").values) == [0.0, 0.1, 0.2]
    assert contents.stop_reason is None


def test_a_heartbeat_tells_what_was_used_after_the_last_epoch(killed):
    history = read_ledger(killed / "run.jsonl").history
    last = history[-1]
    assert (last.epoch, last.complete, last.energy_joules) == (None, False, WATTS * 4)
    assert history.energy_joules == WATTS * 34


@pytest.mark.parametrize("through", ["checkpoint", "ledger"])
def test_a_killed_run_goes_on_to_the_totals_of_one_that_was_not_and_its_lost_work(killed, through):
    state = json.loads((killed / "checkpoint.json").read_text(encoding="ascii"))
    accountant, clock = scripted(ledger=None if through == "checkpoint" else "run.jsonl")
    if through == "checkpoint":
        accountant.load_state_dict(state)
    assert accountant.run_id == state["run_id"]
    with accountant:
        done = [(index, clock.advance(10)) for index in accountant.epochs(6)]
    run = accountant.close()
    assert [index for index, _ in done] == [3, 4, 5]
    assert run.ledger == killed / "run.jsonl"
    assert (run.epochs, run.epochs_joules, run.outside_joules) == (6, WATTS * 60, WATTS * 4)
    contents = read_ledger(run.ledger)
    assert [comparable(r) for r in contents.history] == [comparable(r) for r in accountant.history]
    assert totals_of(contents.history) == totals_of(accountant.history)


def test_an_earlier_checkpoint_makes_lost_work_of_later_epochs(killed):
    state = json.loads((killed / "checkpoint.json").read_text(encoding="ascii"))
    accountant, clock = scripted(ledger=None)
    accountant.load_state_dict(state)
    accountant.start()
    train(accountant, clock, range(1, 6))
    run = accountant.close()
    assert (run.epochs, run.epochs_joules, run.outside_joules) == (6, WATTS * 60, WATTS * 24)


def test_a_run_that_is_killed_again_and_again_counts_everything(killed):
    again = """
        epoch(accountant.history.last_epoch + 1)
        wait_for("record", int(sys.stdin.read()))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    for records in (5, 6):  # three epochs, the heartbeat that became one, and one more each time
        done = run_process(killed, again, told=str(records))
        assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")
    history = read_ledger(killed / "run.jsonl").history
    assert history.last_epoch == 4
    assert history.epochs_joules == WATTS * 50
    assert history.energy_joules == WATTS * 54


def test_a_terminated_process_ends_as_it_would_without_us_and_what_was_finished_is_readable(tmp_path):
    done = run_process(
        tmp_path,
        """
        for index in range(2):
            epoch(index)
        wait_for("record", 2)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
        """,
    )
    assert done.returncode == -signal.SIGTERM
    history = read_ledger(tmp_path / "run.jsonl").history
    assert [r.epoch for r in history if r.epoch is not None] == [0, 1]


def test_an_interrupt_is_the_users_and_the_run_is_closed_all_the_same(tmp_path):
    done = run_process(
        tmp_path,
        """
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a shell
        epoch(0)
        accountant.begin_epoch(1)
        clock.advance(5)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(30)
        """,
    )
    assert done.returncode in {-signal.SIGINT, 130}
    assert "KeyboardInterrupt" in done.stderr
    history = read_ledger(tmp_path / "run.jsonl").history
    assert [(r.epoch, r.complete, r.energy_joules) for r in history] == [(0, True, WATTS * 10), (1, False, WATTS * 5)]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no list of open files on this system")
def test_runs_leave_no_file_open():
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for number in range(5):
        accountant, clock = scripted(ledger=f"{number}.jsonl")
        with accountant:
            train(accountant, clock, [0])
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
