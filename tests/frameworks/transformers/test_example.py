"""The example of Hugging Face's Trainer runs as a user runs it."""

import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "examples" / "transformers_finetune.py"


def test_the_example_trains_and_names_its_ledger(tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLE], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False
    )

    assert done.returncode == 0, done.stderr[-2000:]
    epochs, value = re.search(r"^(\d+) of 25 epochs\. .*\neval_accuracy: (0\.\d+)$", done.stdout, re.MULTILINE).groups()
    assert 5 <= int(epochs) <= 25, "how soon it stops depends on what this machine measures"
    assert float(value) > 0.8
    assert len(list((tmp_path / "finetuned" / "green-callbacks").glob("*.jsonl"))) == 1
