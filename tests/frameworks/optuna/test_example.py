import re
from pathlib import Path

import pytest
from support.warm_python import run_script

EXAMPLE = Path(__file__).parents[3] / "examples" / "optuna_search.py"


def test_the_example_searches_within_its_budget(tmp_path):
    pytest.importorskip("torch")
    done = run_script([EXAMPLE], tmp_path)

    assert done.returncode == 0, done.stderr
    totals = re.search(r"^all +(\d+) +([\d.]+) mg", done.stdout, re.MULTILINE)
    assert 1 <= int(totals[1]) <= 30
    assert "is the best, with a value of" in done.stdout
    assert len(list((tmp_path / "green-callbacks" / "spirals").glob("trial-*.jsonl"))) == int(totals[1])
