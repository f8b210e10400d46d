"""Which faults are made, and that a trial finds out whether a test notices one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mutants.mutations import mutants

TESTS = Path(__file__).parents[1]
TRIALS = """
import sys
from pathlib import Path
from mutants.mutations import mutants
from mutants.trials import Trial, run

root = Path(sys.argv[1])
faults = mutants(Path("toy.py"), root)
trials = [Trial((("test_toy.py",),), root / str(at), 30.0, ("test_toy.py::test_double",), one)
          for at, one in enumerate(faults)]
for trial, status in sorted(run(trials, root, 2), key=lambda pair: pair[0].mutant.number):
    print(status, trial.mutant.after)
"""


@pytest.fixture
def faults(tmp_path):
    def made(text):
        (tmp_path / "toy.py").write_text(text)
        return [fault.after for fault in mutants(Path("toy.py"), tmp_path)]

    return made


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("return a < b", ["return None", "return a <= b"]),
        ("return a + 1", ["return None", "return a - 1", "return a + 2", "return a + 0"]),
        ("return not a or b", ["return None", "return not a and b", "return a or b"]),
        ("a.b = 0.5", ["pass", "a.b = 1.5", "a.b = -0.5"]),
        ("a.b = 1e30", ["pass", "a.b = 2e+30", "a.b = 5e+29"]),
        ("a += b", ["pass", "a -= b"]),
        ("raise ValueError(a)", ["pass"]),
        ("b.close(wait=True)", ["pass", "b.close(wait=False)"]),
        ("a = max(a, b)", ["a = min(a, b)"]),
        ("a: Literal[1] = b", []),
        ("a = f'{b:3d} at ' + str(b)", []),
        ("'A text of 1 line.'", []),
        ("return None", []),
        ("a = zip(a, b, strict=True)", []),
    ],
)
def test_the_faults_of_a_statement(faults, statement, expected):
    assert faults(f"def f(a, b):\n    {statement}\n") == expected


def test_a_condition_is_negated(faults):
    assert faults("def f(a):\n    if a:\n        return\n") == ["if not a:"]


def test_what_runs_at_import_is_neither_left_out_nor_negated(faults):
    assert faults("import a\n\nif a.b:\n    a.c()\n\nLIMIT: int = 3\n") == ["LIMIT: int = 4", "LIMIT: int = 2"]


def test_a_constant_is_known_by_its_name_and_a_default_by_the_body_of_its_function(tmp_path):
    (tmp_path / "toy.py").write_text("LIMIT = 3\n\n\ndef f(a=True):\n    b = a\n    return b\n")
    constant, _, default, result = mutants(Path("toy.py"), tmp_path)
    assert (constant.names, constant.line) == ({"LIMIT"}, 1)
    assert (default.names, default.line, default.last_line) == (frozenset(), 5, 6)
    assert (result.line, result.last_line) == (6, 6)


def test_a_trial_tells_a_killed_mutant_from_a_survivor(tmp_path):
    (tmp_path / "toy.py").write_text("def double(number):\n    return number * 2 if number > 0 else 0\n")
    (tmp_path / "test_toy.py").write_text("from toy import double\n\n\ndef test_double():\n    assert double(2) == 4\n")
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}", "PYTHONDONTWRITEBYTECODE": "1"}
    told = subprocess.run(
        [sys.executable, "-c", TRIALS, str(tmp_path)], capture_output=True, text=True, check=True, env=environment
    )
    fates = dict(reversed(line.split(" ", 1)) for line in told.stdout.splitlines())
    survivors = [after for after, status in fates.items() if status == "0"]
    assert survivors == [
        "return number * 2 if number >= 0 else 0",
        "return number * 2 if number > 1 else 0",
        "return number * 2 if number > -1 else 0",
        "return number * 2 if number > 0 else 1",
        "return number * 2 if number > 0 else -1",
    ]
    assert set(fates.values()) == {"0", "1"}
    assert len(fates) == 9
