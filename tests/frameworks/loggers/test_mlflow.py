"""What MLflow's own reader shows of a run, and that no run is ever made."""

import json
import threading
import time
from pathlib import Path

import pytest
from support.local_server import serving, silence
from support.runs import ListSink, scripted, train

from green_callbacks import EpochRecord, MlflowSink
from green_callbacks.accountant.delivery import run_delivery
from green_callbacks.sinks import Reporting

mlflow = pytest.importorskip("mlflow")

pytestmark = pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy is deprecated"
)  # in MLflow's own queries

GRAMS = 10 * 300 / 3600
"""Emissions of one epoch of 10 s at 300 W and 1000 gCO2e/kWh, in g."""


@pytest.fixture
def count(tracking, database):
    """The number of runs that a test has made."""

    def runs():
        return len(tracking.search_runs([database]))

    before = runs()
    return lambda: runs() - before


def points(tracking, run, key="green/emissions_g"):
    return [(each.step, each.value) for each in tracking.get_metric_history(run.info.run_id, key)]


def tags(tracking, run):
    return tracking.get_run(run.info.run_id).data.tags


@pytest.fixture
def said(caplog):
    return lambda: [each.getMessage() for each in caplog.records if each.name.startswith("green_callbacks")]


def test_the_default_sinks_write_every_epoch_and_the_totals_to_the_open_run(tracking, count):
    accountant, clock = scripted(sinks=None, ledger=None, strict=True)
    with mlflow.start_run() as run, accountant:
        train(accountant, clock, range(3), between=6.0)

    assert points(tracking, run) == [(epoch, pytest.approx(GRAMS)) for epoch in range(3)]
    totals = [value for _, value in points(tracking, run, "green/emissions_total_g")]
    assert totals[:3] == [pytest.approx(GRAMS * (1 + 1.6 * epoch)) for epoch in range(3)]
    data = tracking.get_run(run.info.run_id).data
    record = accountant.close()
    assert data.metrics["green/emissions_total_g"] == pytest.approx(1000 * record.emissions_kg)
    assert data.metrics["green/watts"] == pytest.approx(300.0)
    assert float(data.tags["green/emissions_total_g"]) == pytest.approx(1000 * record.emissions_kg)
    assert float(data.tags["green/energy_total_wh"]) == pytest.approx(1000 * record.energy_kwh)
    assert data.tags["green/run_id"] == accountant.run_id
    assert data.tags["green/ledger"] == str(accountant.ledger)
    assert data.tags["green/measured_total_percent"] == "100.0"
    assert data.tags["green/pue"] == "1.0"
    assert float(data.tags["green/intensity_g_per_kwh"]) == 1000.0
    assert count() == 1


def test_a_place_is_named(tracking):
    with mlflow.start_run() as run:
        accountant, clock = scripted(sinks=None, carbon_intensity=None, location="DE")
        with accountant:
            train(accountant, clock, range(1))
    assert tags(tracking, run)["green/zone"] == "DE"
    assert "Germany" in tags(tracking, run)["green/place"]


def test_without_an_open_run_none_is_made_and_only_a_sink_that_was_asked_for_says_so(tracking, count, said):
    for sinks in (None, [MlflowSink()]):
        accountant, clock = scripted(sinks=sinks, strict=True)
        with accountant:
            train(accountant, clock, range(2))
    assert count() == 0
    (sentence,) = [each for each in said() if "no open run" in each]
    assert "Call mlflow.start_run() before the training" in sentence


def test_a_run_that_is_opened_after_the_start_is_found_at_the_next_edge(tracking, count):
    accountant, clock = scripted(sinks=None, strict=True)
    with accountant, mlflow.start_run() as run:
        train(accountant, clock, range(2))
    assert [step for step, _ in points(tracking, run)] == [0, 1]
    assert count() == 1


def test_a_run_that_ends_before_the_accountant_closes_still_gets_the_totals(tracking, count):
    accountant, clock = scripted(sinks=None, strict=True)
    with mlflow.start_run() as run:
        train(accountant, clock, range(2))
    with mlflow.start_run() as later:
        record = accountant.close()
    assert float(tags(tracking, run)["green/emissions_total_g"]) == pytest.approx(1000 * record.emissions_kg)
    assert not any(key.startswith("green/") for key in tags(tracking, later))
    assert count() == 2


def test_nested_runs_leave_the_numbers_where_the_training_began(tracking):
    accountant, clock = scripted(sinks=None, strict=True)
    with mlflow.start_run() as outer:
        with mlflow.start_run(nested=True) as trial, accountant:
            for epoch in range(2):
                with mlflow.start_run(nested=True) as inner:
                    train(accountant, clock, [epoch])
        assert mlflow.active_run().info.run_id == outer.info.run_id
    assert [step for step, _ in points(tracking, trial)] == [0, 1]
    assert not points(tracking, outer)
    assert not points(tracking, inner)


def test_a_training_on_another_thread_takes_the_run_of_that_thread(tracking, count):
    found = []

    def fit(is_open):
        accountant, clock = scripted(sinks=None, strict=True)
        if is_open:
            found.append(mlflow.start_run())
        train(accountant, clock, range(2))
        accountant.close()
        if is_open:
            mlflow.end_run()

    with mlflow.start_run() as main:
        for is_open in (True, False):
            thread = threading.Thread(target=fit, args=[is_open])
            thread.start()
            thread.join()
    assert [step for step, _ in points(tracking, found[0])] == [0, 1]
    assert not points(tracking, main)
    assert count() == 2


def test_a_run_may_be_named_on_any_thread(tracking, count):
    run = mlflow.start_run()
    mlflow.end_run()
    accountant, clock = scripted(sinks=[MlflowSink(run.info.run_id)], strict=True)
    with accountant:
        train(accountant, clock, range(2))
    assert [step for step, _ in points(tracking, run)] == [0, 1]
    assert count() == 1


def test_the_ledger_is_uploaded_whole_if_asked(tracking, said):
    accountant, clock = scripted(sinks=[MlflowSink(ledger_artifact=True)], ledger=None, strict=True)
    with mlflow.start_run() as run, accountant:
        train(accountant, clock, range(2))
    (artifact,) = tracking.list_artifacts(run.info.run_id)
    lines = Path(tracking.download_artifacts(run.info.run_id, artifact.path)).read_text().splitlines()
    assert lines == accountant.ledger.read_text().splitlines()
    assert "end" in json.loads(lines[-1]).values()

    none, clock = scripted(sinks=[MlflowSink(ledger_artifact=True)], strict=True)
    with mlflow.start_run(), none:
        train(none, clock, range(1))
    assert any("can upload no ledger" in each for each in said())


def test_what_was_not_measured_is_left_out_and_odd_names_are_mended(tracking):
    sink = ListSink()
    with mlflow.start_run() as run:
        accountant, clock = scripted(sources=[], sinks=[sink, MlflowSink()], strict=True)
        with accountant:
            train(accountant, clock, range(2))
    assert isinstance(sink.records[-1], EpochRecord)
    assert not points(tracking, run)
    assert "green/emissions_total_g" not in tags(tracking, run)
    assert tags(tracking, run)["green/epochs_total"] == "2.0"

    def policy(history, plan):
        from green_callbacks import Verdict

        values = {"green/rate in %": 0.5, "green/x" * 200: float("nan"), "a:b": 1.0}
        return Verdict(stop=False, code="active", reason="Goes on.", values=values)

    with mlflow.start_run() as run:
        accountant, clock = scripted(policies=[policy], sinks=[MlflowSink()], strict=True)
        with accountant:
            train(accountant, clock, range(1))
    assert points(tracking, run, "green/rate in _") == [(0, 0.5)]
    assert points(tracking, run, "a_b") == [(0, 1.0)]


def test_repeated_epochs_come_again_with_the_same_step_and_a_resumed_run_is_no_second_one(tracking, said):
    first, clock = scripted(sinks=None, strict=True)
    with mlflow.start_run() as run, first:
        train(first, clock, range(3))
    with mlflow.start_run(run_id=run.info.run_id):
        second, clock = scripted(clock, sinks=None, strict=True)
        second.load_state_dict(first.state_dict())
        with second:
            train(second, clock, [2, 3])
    assert [step for step, _ in points(tracking, run)] == [0, 1, 2, 2, 3]
    total = tracking.get_run(run.info.run_id).data.metrics["green/emissions_total_g"]
    assert total == pytest.approx(5 * GRAMS), "the lost epoch was emitted, too"
    assert not any("already" in each for each in said())


def test_two_trainings_in_one_run_are_said(tracking, said):
    with mlflow.start_run():
        for _ in range(2):
            accountant, clock = scripted(sinks=None, strict=True)
            with accountant:
                train(accountant, clock, range(2))
    assert sum("of two runs are mixed" in each for each in said()) == 1


def test_the_step_is_the_optimizer_step_where_the_framework_counts_steps(tracking):
    accountant, clock = scripted(sinks=None, strict=True)
    with mlflow.start_run() as run:
        accountant.start(reporting=Reporting(step_metric="train/global_step"))
        for epoch in range(2):
            accountant.begin_epoch(epoch)
            clock.advance(10)
            accountant.observe(step=5 * (epoch + 1))
            accountant.end_epoch()
        accountant.close()
    assert [step for step, _ in points(tracking, run)] == [5, 10]


def test_a_server_that_never_answers_delays_neither_the_training_nor_its_end(database_file, database, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(run_delivery, "DRAIN_SECONDS", 0.5)
    with serving() as server:
        server.answer = silence
        mlflow.set_tracking_uri(server.url)
        accountant, clock = scripted(sinks=[MlflowSink("0" * 32)])
        accountant.start()
        mlflow.set_tracking_uri(f"sqlite:///{database_file}")
        began = time.monotonic()
        train(accountant, clock, range(20))
        assert time.monotonic() - began < 2.0
        record = accountant.close()
        assert time.monotonic() - began < 5.0
        assert record.epochs == 20
        assert [path.partition("?")[0] for path in server.paths] == ["/api/2.0/mlflow/runs/get"]


def test_a_run_that_was_deleted_is_said_and_training_goes_on(tracking, said):
    accountant, clock = scripted(sinks=None)
    with mlflow.start_run() as run:
        accountant.start()
    tracking.delete_run(run.info.run_id)
    train(accountant, clock, range(3))
    record = accountant.close()
    assert record.epochs == 3
    assert sum("MlflowSink failed" in each for each in record.notices) == 1
