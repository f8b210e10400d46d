"""Two processes of one training."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from frameworks.contract.driver import EPOCH_JOULES
from support.child_environment import child_environment


def test_two_processes_are_one_run(tmp_path):
    script = Path(__file__).parent / "two_ranks.py"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]

    done = subprocess.run(
        [*launcher, script, tmp_path], env=child_environment(), capture_output=True, text=True, timeout=200, check=False
    )

    assert done.returncode == 0, done.stderr[-3000:]
    first, other = (json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1))
    for name, epochs in (("first", 2), ("second", 4)):
        told = first[name]
        assert told["step"] == other[name]["step"] == 2 * epochs
        assert "next epoch" in told["reason"]
        assert other[name]["reason"]
        assert told["devices"] == ["gpu:0", "gpu:1"]
        assert told["joules"] == pytest.approx(epochs * EPOCH_JOULES)
        assert [row for row in told["records"] if row[0] is not None] == [
            [epoch, 2 * epoch + 2, True, 8] for epoch in range(epochs)
        ]
        assert other[name]["records"] == []
        samples, tokens, flops, steps = told["counts"]
        assert (samples, tokens, steps) == (8 * epochs, 16 * epochs, 2 * epochs)
        assert flops == pytest.approx(4e15 * epochs)  # the trainer sums them in single precision
    assert first["first"]["run_id"] == first["second"]["run_id"]
    assert len(list((tmp_path / "green-callbacks").glob("*.jsonl"))) == 1
