"""Spot machines: a signal asks the training to end, and a kill follows."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.child_environment import child_environment

from green_callbacks import read_ledger

SCRIPT = Path(__file__).parent / "preempted.py"
PATIENCE_SECONDS = 120
KILL_SECONDS = 30
"""Time between the two signals, as on the spot machines of most clouds."""


@pytest.mark.parametrize("what", ["begin", "begin_jit"])
def test_a_preempted_training_keeps_its_account(tmp_path, what):
    process = subprocess.Popen(
        [sys.executable, SCRIPT, tmp_path, what], env=child_environment(), stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (tmp_path / "checkpoint-6/trainer_state.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)

    process.send_signal(signal.SIGTERM)
    try:
        code = process.wait(KILL_SECONDS)
    finally:
        process.kill()

    assert code == (0 if what == "begin_jit" else -signal.SIGTERM)  # the trainer's own handler, or none
    (ledger,) = (tmp_path / "green-callbacks").glob("*.jsonl")
    before = read_ledger(ledger)
    assert before.history.finished_epochs >= 1

    subprocess.run(
        [sys.executable, SCRIPT, tmp_path, "resume"],
        env=child_environment(),
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=120,
    )

    told = json.loads((tmp_path / "told.json").read_text())
    assert told["run_id"] == before.run_id
    assert told["joules"] == pytest.approx(300.0 * told["seconds"], rel=0.01)
    assert told["joules"] > before.history.energy_joules
    done = [row for row in told["rows"] if row[0] is not None and row[2]]
    assert [row[0] for row in done] == list(range(told["saved"] // 4 + 2))
