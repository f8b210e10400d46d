import runpy
import shutil
from pathlib import Path

import pytest

mlflow = pytest.importorskip("mlflow")
pytest.importorskip("sklearn")

EXAMPLE = Path(__file__).parents[3] / "examples" / "mlflow_loop.py"


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")  # in MLflow's own queries
def test_the_example_reads_the_emissions_of_every_epoch_from_mlflow(tracking, database_file, tmp_path, capsys):
    shutil.copy(database_file, tmp_path / "mlflow.db")  # MLflow takes seconds to make one
    try:
        runpy.run_path(str(EXAMPLE), run_name="__main__")  # in this process, which has imported MLflow
    finally:
        mlflow.set_tracking_uri(f"sqlite:///{database_file}")

    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[:5]] == [f"epoch {epoch}" for epoch in range(5)]
    assert "g CO2e in France" in lines[5]
    (ledger,) = (tmp_path / "green-callbacks").glob("*.jsonl")
    (copy,) = (database_file.parent / "artifacts").rglob(ledger.name)
    assert copy.read_text() == ledger.read_text()
