"""What the sinks of trackers do to the run that is open, whichever tracker it is."""

import copy
import logging
import pickle
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from support.fake_trackers import FakeClient, FakeMlflow, FakeWandb, FakeWandbRun
from support.runs import ListSink, scripted, train

from green_callbacks import MlflowSink, WandbSink
from green_callbacks.accountant.delivery import run_delivery as delivery_module
from green_callbacks.errors import ConfigurationError
from green_callbacks.sinks import Reporting
from green_callbacks.worker import worker_threads as worker_module

EPOCHS = [0, 1, 2]


@pytest.fixture
def mlflow(monkeypatch):
    module = FakeMlflow()
    monkeypatch.setitem(sys.modules, "mlflow", module)
    return module


@pytest.fixture
def wandb(monkeypatch):
    module = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module


@pytest.fixture
def said(caplog):
    return lambda: [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


def trained(epochs=EPOCHS, *, start=None, **options):
    accountant, clock = scripted(**{"sinks": None, **options})
    accountant.start(**(start or {}))
    train(accountant, clock, epochs)
    return accountant, accountant.close()


def steps(points):
    return [step for step, _ in points]


def test_nothing_is_imported_and_nothing_said_where_there_is_no_tracker(said):
    trained(strict=True)
    assert not {"mlflow", "wandb"} & set(sys.modules)
    assert not said()


@pytest.mark.parametrize("sink", [MlflowSink, WandbSink])
def test_a_sink_that_was_asked_for_says_that_it_found_no_run(sink, said):
    _, record = trained(sinks=[sink()], strict=True)
    (sentence,) = said()
    assert sentence.startswith(f"{sink.__name__} found no open run, so ")
    assert record.run_id in sentence


@pytest.mark.parametrize("sink", [MlflowSink, WandbSink])
def test_a_run_without_a_training_says_nothing(sink, said):
    accountant, clock = scripted(sinks=[sink()], strict=True)
    with accountant, accountant.phase("test"):
        clock.advance(10)
    assert not said()


@pytest.mark.parametrize("sink", [MlflowSink, WandbSink])
def test_a_training_without_epochs_says_that_it_found_no_run(sink, said):
    accountant, clock = scripted(sinks=[sink()], strict=True)
    with accountant:
        clock.advance(10)
    (sentence,) = said()
    assert sentence.startswith(f"{sink.__name__} found no open run, so ")


def test_a_named_run_without_mlflow_says_to_import_it(said):
    trained(sinks=[MlflowSink("m7")], strict=True)
    (sentence,) = said()
    assert sentence.endswith("Import mlflow before the training, so that this sink can write to the run m7.")


def test_a_training_without_epochs_has_its_totals_and_an_evaluation_leaves_them(mlflow, wandb, said):
    mlflow.open("m1")
    wandb.run = FakeWandbRun()
    accountant, clock = scripted(sinks=None, strict=True)
    with accountant:
        clock.advance(120)
    assert mlflow.points("m1", "green/emissions_total_g") == [(0, pytest.approx(10.0))]
    assert mlflow.points("m1") == []
    for facts in (mlflow.tags["m1"], wandb.run.summary):
        assert float(facts["green/emissions_total_g"]) == pytest.approx(10.0)
        assert facts["green/run_id"] == accountant.run_id
    assert wandb.run.config["green/run_id"] == accountant.run_id

    other, clock = scripted(sinks=None, strict=True)
    with other, other.phase("test"):
        clock.advance(10)
    assert mlflow.tags["m1"]["green/run_id"] == accountant.run_id
    assert wandb.run.summary["green/run_id"] == accountant.run_id
    assert not said()


def test_half_imported_and_foreign_modules_are_left_alone(monkeypatch, said):
    for name in ("mlflow", "wandb"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(run=object()))
    trained(strict=True)
    monkeypatch.setitem(sys.modules, "mlflow", None)  # an import that a user forbids
    trained(strict=True)
    assert not said()


def test_mlflow_is_only_called_on_the_thread_of_the_worker(mlflow):
    mlflow.open("m1")
    trained(strict=True)
    assert steps(mlflow.points("m1")) == EPOCHS
    assert threading.current_thread() not in mlflow.threads


def test_an_mlflow_without_asynchronous_calls_is_written_to(mlflow, said, monkeypatch):
    log_batch = FakeClient.log_batch
    monkeypatch.setattr(
        FakeClient,
        "log_batch",
        lambda self, run_id, metrics=(), tags=(): log_batch(self, run_id, metrics, tags, synchronous=True),
    )
    mlflow.open("m1")
    trained(strict=True)
    assert steps(mlflow.points("m1")) == EPOCHS
    assert not said()


def test_a_server_that_hangs_delays_no_epoch_and_the_close_by_its_bound(mlflow, said, monkeypatch):
    monkeypatch.setattr(worker_module, "HUNG_SECONDS", 0.05)
    monkeypatch.setattr(delivery_module, "DRAIN_SECONDS", 0.5)
    gate = threading.Event()
    mlflow.before_call = lambda: gate.wait(30)
    mlflow.open("m1")
    accountant, clock = scripted(sinks=None)
    began = time.monotonic()
    train(accountant, clock, range(20))
    assert time.monotonic() - began < 2.0
    began = time.monotonic()
    record = accountant.close()
    assert time.monotonic() - began < 5.0
    assert [each for each in record.notices if "MlflowSink does not come back" in each]
    assert sum("has not come back" in each for each in said()) == 1
    gate.set()
    deadline = time.monotonic() + 30
    while len(mlflow.points("m1")) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_server_that_is_away_is_said_once_and_training_goes_on(mlflow, said):
    def away():
        raise ConnectionError

    mlflow.before_call = away
    mlflow.open("m1")
    other = ListSink()
    _, record = trained(sinks=[MlflowSink(), other])
    assert len(other.records) == len(EPOCHS)
    assert sum("The sink MlflowSink failed (ConnectionError" in each for each in record.notices) == 1
    assert said() == ["A background task failed. Training goes on without it."]


def test_a_tracker_that_raises_on_the_training_thread_is_said_once(mlflow, said):
    def broken():
        raise RuntimeError

    mlflow.active_run = broken
    _, record = trained()
    assert record.epochs == len(EPOCHS)
    (sentence,) = said()
    assert sentence.startswith("The sink MlflowSink failed at an edge (RuntimeError")
    assert sentence in record.notices


def test_the_totals_are_the_latest_values_also_where_others_write_the_same_metrics_late(mlflow):
    mlflow.open("m1")
    began = time.time()
    trained(strict=True)
    metrics = [each for _, each in mlflow.batches if each.key == "green/emissions_total_g"]
    assert [each.step for each in metrics] == [0, 1, 2, 2]
    assert metrics[-1].timestamp >= int(1000 * began) > metrics[-2].timestamp, "the clock is a script of the past"


def test_the_first_run_stays_and_the_next_start_looks_again(mlflow):
    sink = MlflowSink()
    mlflow.open("m1")
    accountant, clock = scripted(sinks=[sink])
    accountant.start()
    mlflow.open("m2")
    train(accountant, clock, [0, 1])
    accountant.close()
    train(accountant, clock, [2])
    accountant.close()
    assert steps(mlflow.points("m1")) == [0, 1]
    assert steps(mlflow.points("m2")) == [2]


def test_a_process_that_is_not_the_first_writes_nothing(mlflow, wandb):
    class Second:
        rank, size = 1, 2

        def gather(self, value):
            return [value, value]

        def sum(self, vector):
            return list(vector)

    mlflow.open("m1")
    wandb.run = FakeWandbRun()
    trained(start={"ranks": Second()})
    assert not mlflow.threads
    assert not wandb.run.rows


def test_a_run_that_a_framework_logs_to_gets_only_tags_and_totals(mlflow, wandb):
    mine = SimpleNamespace(run_id="m1", experiment=FakeClient(mlflow))
    wandb.run = FakeWandbRun()
    theirs = SimpleNamespace(experiment=wandb.run)
    accountant, record = trained(start={"reporting": Reporting(loggers=(mine, theirs))}, strict=True)
    assert not mlflow.batches
    assert not wandb.run.rows
    assert not wandb.run.open_row
    grams = 1000 * record.emissions_kg
    assert float(mlflow.tags["m1"]["green/emissions_total_g"]) == wandb.run.summary["green/emissions_total_g"] == grams
    assert mlflow.tags["m1"]["green/run_id"] == wandb.run.config["green/run_id"] == accountant.run_id


def test_an_active_run_beside_the_runs_of_loggers_gets_the_metrics_unless_it_is_the_same(mlflow):
    logger = SimpleNamespace(run_id="m1", experiment=FakeClient(mlflow))
    for active, expected in (("m1", []), ("m2", EPOCHS)):
        mlflow.open(active)
        trained(start={"reporting": Reporting(loggers=(logger,))})
        assert steps(mlflow.points(active)) == expected
    assert not mlflow.points("m1")


def test_wandb_gets_rows_of_its_own_where_nobody_else_logs(wandb):
    wandb.run = run = FakeWandbRun()
    _, record = trained(strict=True)
    rows = [*run.rows, run.open_row]
    assert [row["green/epoch"] for row in rows] == EPOCHS
    assert run.axes["green/*"] == run.axes["green_detail/*"] == "green/epoch"
    assert run.summary["green/emissions_total_g"] == 1000 * record.emissions_kg
    assert run.config["green/pue"] == 1.0


def test_parts_of_an_epoch_move_the_step_of_wandb_by_one_at_most(wandb):
    wandb.run = run = FakeWandbRun()
    accountant, clock = scripted(sinks=None, strict=True)
    for epoch in EPOCHS:
        accountant.begin_epoch(epoch)
        for _ in range(5):
            clock.advance(1)
            accountant.end_part()
        accountant.end_epoch()
        accountant._run._delivery.worker.drain(5)
        assert run.step <= epoch, "so that a user's step=epoch is not behind"
    accountant.close()
    assert [row["green/epoch"] for row in (*run.rows, run.open_row)] == EPOCHS


def test_wandb_has_the_axis_of_a_framework_or_none_at_all_in_a_shared_run(wandb):
    wandb.run = run = FakeWandbRun()
    accountant, clock = scripted(sinks=None, strict=True)
    accountant.start(reporting=Reporting(step_metric="train/global_step"))
    accountant.observe(step=3)
    train(accountant, clock, [0])
    accountant.begin_epoch(1)
    accountant.observe(step=6)
    accountant.end_epoch()
    accountant.close()
    assert [row["train/global_step"] for row in run.rows] == [0, 6], "the epoch stands in for an unknown step"
    assert run.axes["green/*"] == "train/global_step"

    wandb.run = shared = FakeWandbRun(mode="shared")
    del shared.step
    shared.log = lambda values, **_: shared.rows.append(values)
    trained(strict=True)
    assert [row["green/epoch"] for row in shared.rows] == EPOCHS


@pytest.mark.parametrize("failure", [FakeWandb.UsageError, ConnectionResetError])
def test_a_wandb_run_that_has_finished_is_said_once(wandb, said, failure):
    wandb.run = run = FakeWandbRun()
    accountant, clock = scripted(sinks=None, strict=True)
    train(accountant, clock, [0])
    accountant._run._delivery.worker.drain(5)
    run.failure = failure
    train(accountant, clock, [1, 2])
    assert accountant.close().epochs == 3
    (sentence,) = said()
    assert sentence.startswith("The W&B run w1 finished before the accountant was closed")


def test_the_ledger_is_uploaded_whole_if_asked(mlflow, wandb, said):
    mlflow.open("m1")
    wandb.run = FakeWandbRun()
    accountant, _ = trained(
        sinks=[MlflowSink(ledger_artifact=True), WandbSink(ledger_artifact=True)], ledger=None, strict=True
    )
    assert mlflow.artifacts == [("m1", str(accountant.ledger))]
    assert wandb.run.artifacts == [(str(accountant.ledger), "green-ledger-w1", "green-ledger")]
    mlflow.open("m2")
    trained(sinks=[MlflowSink(ledger_artifact=True)], strict=True)
    (sentence,) = said()
    assert "can upload no ledger" in sentence


def test_two_trainings_in_one_run_are_said(mlflow, wandb, said):
    mlflow.open("m1")
    wandb.run = FakeWandbRun()
    first, _ = trained(strict=True)
    assert not said()
    second, _ = trained(strict=True)
    assert [each.partition(" already")[0] for each in said()] == [
        f"The MLflow run m1 holds the numbers of run {first.run_id}",
        f"The W&B run w1 holds the numbers of run {first.run_id}",
    ]
    assert mlflow.tags["m1"]["green/run_id"] == second.run_id


@pytest.mark.parametrize(
    ("sink", "options"),
    [
        (MlflowSink, {"run_id": 3}),
        (MlflowSink, {"run_id": " "}),
        (WandbSink, {"run": "w1"}),
        (MlflowSink, {"ledger_artifact": "yes"}),
        (WandbSink, {"ledger_artifact": 1}),
    ],
)
def test_an_option_that_cannot_work_is_refused(sink, options):
    (name,) = options
    with pytest.raises(ConfigurationError, match=f"^{name}= takes"):
        sink(**options)


def test_a_copy_has_the_options_of_its_original(mlflow):
    sink = MlflowSink("m7", ledger_artifact=True)
    mlflow.open("m1")
    for each in (sink, copy.deepcopy(sink), pickle.loads(pickle.dumps(sink))):
        mlflow.batches.clear()
        trained(sinks=[each], ledger=None)
        assert steps(mlflow.points("m7")) == EPOCHS
        assert mlflow.artifacts.pop()[0] == "m7"
