"""Accelerate on two processes, with an accountant in its checkpoints."""

import subprocess
import sys
from pathlib import Path

import pytest

from green_callbacks import read_ledger

EXAMPLES = Path(__file__).parents[3] / "examples"
SHORTER = f"""
import sys

sys.path.append({str(EXAMPLES)!r})
import accelerate_digits

accelerate_digits.EPOCHS = int(sys.argv[1])
accelerate_digits.main()
"""


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Return a function that trains up to a number of epochs, and returns what was printed and the ledger."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    script = tmp_path / "shorter.py"
    script.write_text(SHORTER, encoding="utf-8")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script]

    def trained(epochs):
        done = subprocess.run(
            [*launcher, str(epochs)], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        (file,) = (tmp_path / "green-callbacks").glob("*.jsonl")
        return done.stdout, read_ledger(file)

    return trained


def test_two_processes_are_one_run_which_a_checkpoint_continues(train):
    printed, first = train(2)

    assert "Rank 1 stops. None" in printed
    assert "2 of 2 epochs. The records of all ranks are in" in printed
    samples = {record.samples for record in first.history if record.epoch is not None}
    assert samples == {1408}, "Accelerate repeats some of the 1400, so that all batches are even"

    printed, second = train(4)

    assert "4 of 4 epochs" in printed
    assert second.run_id == first.run_id
    assert [record.epoch for record in second.history if record.epoch is not None] == [0, 1, 2, 3]
    assert second.history.energy_joules > first.history.energy_joules
