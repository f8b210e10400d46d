import pytest

optuna = pytest.importorskip("optuna")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Work in a folder of the test's own, where the default project lies."""
    monkeypatch.chdir(tmp_path)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return tmp_path
