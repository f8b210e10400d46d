"""Trackers that keep everything on this machine, and tell nobody."""

import os

import pytest

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}
os.environ |= {
    "WANDB_SILENT": "true",
    "WANDB_CONSOLE": "off",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_DISABLE_GIT": "true",
}


@pytest.fixture(scope="session")
def database_file(tmp_path_factory):
    """The file of one database for the session, because MLflow takes seconds to make one."""
    return tmp_path_factory.mktemp("mlflow") / "mlflow.db"


@pytest.fixture(scope="session")
def database(database_file):
    """An experiment in the database of the session."""
    mlflow = pytest.importorskip("mlflow")
    folder = database_file.parent
    mlflow.set_tracking_uri(f"sqlite:///{database_file}")
    return mlflow.create_experiment("tests", artifact_location=(folder / "artifacts").as_uri())


@pytest.fixture
def tracking(database):
    """A client of MLflow, in an experiment of the tests. No run may be left open."""
    import mlflow

    mlflow.set_experiment(experiment_id=database)
    yield mlflow.MlflowClient()
    assert mlflow.active_run() is None
