import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mlflow")
pytest.importorskip("sklearn")

EXAMPLE = Path(__file__).parents[3] / "examples" / "mlflow_loop.py"


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")  # in MLflow's own queries
def test_the_example_reads_the_emissions_of_every_epoch_from_mlflow(database, database_file, tmp_path):
    shutil.copy(database_file, tmp_path / "mlflow.db")  # MLflow takes seconds to make one
    environ = os.environ | {"MLFLOW_EXPERIMENT_NAME": "an example", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines[:5]] == [f"epoch {epoch}" for epoch in range(5)]
    assert "g CO2e in France" in lines[5]
    (ledger,) = (tmp_path / "green-callbacks").glob("*.jsonl")
    (copy,) = (tmp_path / "mlruns").rglob(ledger.name)
    assert copy.read_text() == ledger.read_text()
