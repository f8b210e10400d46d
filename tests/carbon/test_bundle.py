"""What was bundled without the tables works where the numbers were given, and names the missing file otherwise."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import green_callbacks

PACKAGE = Path(green_callbacks.__file__).parent
RUN = """
import logging, sys
from green_callbacks import CarbonBudget, EnergyAccountant, Summary, TensorBoardSink
from green_callbacks.sources import ScriptedSource
logging.basicConfig(level=logging.WARNING)
options = {OPTIONS}
try:
    with EnergyAccountant(sources=[ScriptedSource(300.0)], policies=[CarbonBudget("1 kg")], **options) as accountant:
        for epoch in accountant.epochs(2):
            accountant.observe({{"val_acc": 0.5 + epoch / 10}})
except Exception as refused:
    print(type(refused).__name__, refused)
else:
    run = accountant.close()
    print("done", run.reference_kg is not None, run.ledger and run.ledger.exists())
    from green_callbacks.cli import main
    for command in ("summary",), ("whatif",), ("export", "--format", "codecarbon-csv"):
        print("status", main([command[0], str(run.ledger), *command[1:]])) if run.ledger else None
"""


@pytest.fixture(scope="module", params=["folder", "zip"])
def bare(request, tmp_path_factory):
    """The package without its tables."""
    copy = tmp_path_factory.mktemp("bare") / "green_callbacks"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("*.csv", "__pycache__"))
    if request.param == "folder":
        return copy.parent
    archive = copy.parent.with_name("bare.zip")
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(copy.rglob("*")):
            target.write(path, path.relative_to(copy.parent))
    return archive


def run(where, folder, options, **variables):
    known = {name: value for name, value in os.environ.items() if not name.startswith(("GREEN_", "SLURM_", "COV_"))}
    script = RUN.replace("{OPTIONS}", repr(options)).replace("{{", "{").replace("}}", "}")
    done = subprocess.run(
        [sys.executable, "-OO", "-c", script],
        cwd=folder,
        env={**known, "HOME": str(folder), "PYTHONPATH": str(where), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    "options", [{"carbon_intensity": 300, "pue": 1.1}, {"carbon_intensity": 300, "location": "DE"}]
)
def test_it_works_where_the_numbers_were_given(options, bare, tmp_path):
    out, err = run(bare, tmp_path, options)
    assert "done True True" in out
    assert out.count("status 0") == 3
    assert "WARNING" not in err
    assert "Traceback" not in err


def test_it_is_disabled_all_the_same(bare, tmp_path):
    assert "done False None" in run(bare, tmp_path, {}, GREEN_CALLBACKS_DISABLE="1")[0]


@pytest.mark.parametrize(
    ("options", "variables", "table"),
    [
        ({}, {}, "zones.csv"),
        ({"location": "DE"}, {}, "zones.csv"),
        ({"location": "gcp:europe-west3", "carbon_intensity": 100}, {}, "pue.csv"),
        ({"carbon_intensity": 300}, {"SLURM_JOB_ID": "1"}, "pue.csv"),
    ],
)
def test_the_missing_file_is_named_otherwise(options, variables, table, bare, tmp_path):
    out, _ = run(bare, tmp_path, options, **variables)
    assert out.startswith(f"ConfigurationError This installation lacks the table green_callbacks/carbon/data/{table}")
    assert "carbon_intensity=" in out


def test_tables_are_read_out_of_an_archive(tmp_path):
    archive = tmp_path / "whole.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(PACKAGE.rglob("*")):
            if "__pycache__" not in path.parts:
                target.write(path, path.relative_to(PACKAGE.parent))
    out, err = run(archive, tmp_path, {"location": "DE"}, SLURM_JOB_ID="1")
    assert "done True True" in out
    assert "Traceback" not in err
