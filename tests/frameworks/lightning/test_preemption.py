"""Spot machines: a signal asks the training to end, and a kill follows."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from frameworks.lightning.tiny import EPOCH_JOULES, WATTS
from support.child_environment import child_environment

from green_callbacks import read_ledger

SCRIPT = Path(__file__).parent / "preempted_run.py"
PATIENCE_SECONDS = 120
KILL_SECONDS = 30
"""Time between the two signals, as on the spot machines of most clouds."""


def test_a_preempted_fit_keeps_its_account(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, SCRIPT, tmp_path, "begin"], env=child_environment(), stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (tmp_path / "last.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)

    process.send_signal(signal.SIGTERM)
    try:
        process.wait(KILL_SECONDS)
    finally:
        process.kill()

    (ledger,) = tmp_path.rglob("*.jsonl")
    before = read_ledger(ledger)
    assert next(record.epoch for record in before.history if record.complete) == 0
    batches = before.history.energy_joules / (WATTS / 2)
    assert batches == pytest.approx(round(batches))  # Lightning ends the fit after a whole batch

    subprocess.run(
        [sys.executable, SCRIPT, tmp_path, "resume"],
        env=child_environment(),
        check=True,
        stderr=subprocess.DEVNULL,
        timeout=120,
    )

    after = read_ledger(ledger)
    done = [record for record in after.history if record.epoch is not None]
    assert [record.epoch for record in done] == list(range(len(done)))
    assert all(record.energy_joules == EPOCH_JOULES for record in done)
    assert after.history.energy_joules >= before.history.energy_joules + EPOCH_JOULES
    assert after.run_id == before.run_id
