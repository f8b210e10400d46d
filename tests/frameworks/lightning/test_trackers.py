"""A run of a tracker gets each number once, from Lightning's logger or from the sink, and always its totals."""

import sys
from pathlib import Path
from typing import Any

import pytest
from frameworks.lightning.tiny import EPOCH_JOULES, TinyModule, grams, monitor, trainer
from lightning.pytorch.loggers import MLFlowLogger, WandbLogger
from support.fake_trackers import FakeClient, FakeMlflow, FakeWandb, FakeWandbRun

from green_callbacks.clock import ScriptedClock


class OfMlflow(MLFlowLogger):
    """Lightning's logger with a stand-in for the library, which is not installed here."""

    def __init__(self, mlflow: FakeMlflow) -> None:
        self._client, self.logged = FakeClient(mlflow), {}

    experiment = property(lambda self: self._client)
    run_id = property(lambda self: "m1")
    name = version = save_dir = property(lambda self: None)

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.logged |= metrics

    def log_hyperparams(self, *_: Any) -> None: ...

    def finalize(self, *_: Any) -> None: ...


class OfWandb(WandbLogger):
    """Lightning's other logger, which takes the run that is open."""

    def __init__(self, run: FakeWandbRun) -> None:
        self._open, self.logged = run, {}

    experiment = property(lambda self: self._open)
    name = version = save_dir = property(lambda self: None)

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.logged |= metrics

    def log_hyperparams(self, *_: Any) -> None: ...

    def finalize(self, *_: Any) -> None: ...


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> FakeMlflow:
    module = FakeMlflow()
    monkeypatch.setitem(sys.modules, "mlflow", module)
    return module


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> FakeWandbRun:
    module = FakeWandb()
    module.run = FakeWandbRun()
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module.run


def test_the_runs_of_loggers_get_totals_and_no_number_twice(
    tmp_path: Path, clock: ScriptedClock, mlflow: FakeMlflow, run: FakeWandbRun
):
    loggers = [OfMlflow(mlflow), OfWandb(run)]
    callback = monitor(clock, sinks=None, strict=True)

    trainer(tmp_path, callback, logger=loggers).fit(TinyModule(clock))

    assert all("green/emissions_g" in each.logged for each in loggers)
    assert not mlflow.batches
    assert not run.rows
    assert not run.open_row
    total = 1000 * callback.accountant.close().emissions_kg
    assert float(mlflow.tags["m1"]["green/emissions_total_g"]) == run.summary["green/emissions_total_g"] == total


def test_a_run_that_no_logger_knows_gets_everything(
    tmp_path: Path, clock: ScriptedClock, mlflow: FakeMlflow, run: FakeWandbRun
):
    mlflow.open("m2")
    callback = monitor(clock, sinks=None, strict=True)

    trainer(tmp_path, callback, logger=False).fit(TinyModule(clock))

    assert mlflow.points("m2") == [(epoch, pytest.approx(grams(EPOCH_JOULES))) for epoch in range(3)]
    assert [row["green/epoch"] for row in (*run.rows, run.open_row)] == [0, 1, 2]
