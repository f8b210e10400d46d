"""Study and registry in one PostgreSQL, as on a cluster."""

import optuna
import pytest
from frameworks.optuna.studies import EPOCH_KG, ledgers, measured, train
from support.postgres_server import NO_BINARIES, PostgresServer, binaries

from green_callbacks import CarbonBudget, read_ledger
from green_callbacks.optuna import KilogramHalvingPruner, SearchBudget

pytest.importorskip("psycopg")


@pytest.fixture(scope="module")
def url():
    if binaries() is None:
        pytest.skip(NO_BINARIES)
    server = PostgresServer()
    try:
        server.start()
        yield server.url()
    finally:
        server.stop()


def test_a_search_keeps_its_study_and_its_budget_in_a_database(url, place, caplog):
    pruner = KilogramHalvingPruner("0.1 kg", reduction_factor=2)
    storage = optuna.storages.RDBStorage(url)
    study = optuna.create_study(storage=storage, study_name="cluster", direction="maximize", pruner=pruner)
    budget = SearchBudget(CarbonBudget("1.05 kg", project="logs", registry=url), monitor="val_acc")

    def objective(trial):
        with budget.of(trial, **measured()) as run:
            return train(run, [0.9 - 0.1 * trial.number] * 4)

    study.optimize(objective, n_trials=20, callbacks=[budget])

    states = [trial.state.name for trial in study.trials]
    assert states[:2] == ["COMPLETE", "PRUNED"]
    spent = sum(trial.user_attrs.get("green_callbacks:emissions_kg") or 0.0 for trial in study.trials)
    assert spent == pytest.approx(sum(read_ledger(path).history.emissions_kg for path in ledgers(place)))
    assert 0.9 <= spent <= 1.05 + EPOCH_KG
    assert budget.why_spent(study) is not None
    assert "sec/r" not in caplog.text, "no password is written"

    elsewhere = SearchBudget(CarbonBudget("1.05 kg", project="logs", registry=url))
    for path in ledgers(place):
        path.unlink()
    assert elsewhere._told(study).spent_before == pytest.approx(spent), "another machine asks the registry"
    storage.engine.dispose()
