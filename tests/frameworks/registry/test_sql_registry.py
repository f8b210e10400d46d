"""Registries in SQLite and PostgreSQL: many processes and threads, forks, copies, and resumed runs."""

import copy
import gc
import multiprocessing
import os
import pickle
import sqlite3
import threading
from dataclasses import replace

import pytest
from sqlalchemy import text
from support.forking import forked
from support.sql_claims import claim, in_processes, spend_until_refused
from support.waiting import until

from green_callbacks.registry import BudgetRegistry, Entry, RunState
from green_callbacks.registry.sql import SqlRegistry, _database, hide_password


@pytest.fixture
def registry(url):
    opened = SqlRegistry(url, "digits", "emissions_kg")
    yield opened
    opened.close()


def test_it_is_a_registry(registry):
    assert isinstance(registry, BudgetRegistry)


def test_processes_that_begin_together_make_the_tables_once_and_keep_the_budget(url):
    spent = in_processes(spend_until_refused, [(url, f"run{number}", 12.0) for number in range(8)])
    assert sum(spent) == pytest.approx(12.0)
    registry = SqlRegistry(url, "digits", "emissions_kg")
    assert sum(run.spent for run in registry.runs()) == pytest.approx(12.0)
    assert {run.state for run in registry.runs()} == {RunState.ENDED}
    registry.close()


def test_budgets_of_other_projects_and_quantities_are_kept_apart(url):
    mine = SqlRegistry(url, "digits", "emissions_kg")
    others = [SqlRegistry(url, "letters", "emissions_kg"), SqlRegistry(url, "digits", "facility_kwh")]
    mine.claim(claim(spent=1.0))
    for other in others:
        assert other.claim(claim(run_id="b")).others_spent == 0.0
        other.close()
    mine.close()


def test_what_several_sessions_spend_at_the_same_time_adds_up(registry):
    registry.claim(claim(session="first", spent=1.0, under_way=0.1))
    registry.claim(claim(session="second", spent=0.5))  # it has resumed from an older checkpoint
    registry.claim(claim(session="first", spent=1.4, under_way=0.1))
    registry.claim(claim(session="second", spent=0.7))
    [run] = registry.runs()
    assert run.spent == pytest.approx(1.4 + 0.1 + 0.2)


def test_a_run_that_was_only_silent_takes_back_what_counted_as_spent(registry):
    registry.claim(claim(spent=1.0, under_way=0.5))
    [dead] = registry.settle_dead(0.0)
    assert (dead.state, dead.spent, dead.settled) == (RunState.DEAD, 1.5, 0.5)
    registry.claim(claim(spent=1.2))
    [run] = registry.runs()
    assert (run.state, run.spent, run.settled) == (RunState.LIVE, 1.2, 0.0)


def test_a_ledger_that_tells_more_than_a_dead_run_counts(registry):
    registry.claim(claim(spent=1.0, under_way=0.5))
    registry.settle_dead(0.0)
    registry.enter([Entry("run", 1.2)])
    assert [run.spent for run in registry.runs()] == [1.5]
    registry.enter(iter([Entry("run", 1.7), Entry("run", 1.9), Entry("other", 0.25)]))
    assert [(run.run_id, run.spent) for run in registry.runs()] == [("other", 0.25), ("run", 1.9)]


def test_names_that_are_no_text_are_kept_in_writing(registry):
    odd = os.fsdecode(b"/data/\xff.jsonl")
    registry.claim(claim(run_id="a\0b", ledger=odd, host="é"))
    registry.claim(claim(run_id="a\0b", ledger=odd, host="é", spent=0.5))
    [run] = registry.runs()
    assert (run.run_id, run.ledger, run.host, run.spent) == ("a\\x00b", "/data/\\udcff.jsonl", "é", 0.5)


def test_it_is_opened_on_one_thread_and_used_on_another(registry):
    registry.claim(claim(spent=0.1))
    seen = []
    for number in range(3):
        thread = threading.Thread(
            target=lambda at=number: seen.append(registry.claim(claim(spent=0.2 + at)).is_granted)
        )
        thread.start()
        thread.join()
    assert seen == [True] * 3


def test_a_fork_has_a_connection_of_its_own(registry):
    registry.claim(claim(spent=0.1))
    for _ in range(2):
        child = forked()
        if child == 0:
            status = 1
            try:
                status = int(registry.claim(claim(run_id=f"child{os.getpid()}", spent=0.3)).others_spent <= 0)
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert registry.claim(claim(spent=0.2)).others_spent > 0.0


def test_a_copy_has_a_connection_of_its_own(registry):
    registry.claim(claim(spent=0.1))
    other = copy.deepcopy(registry)
    assert other.claim(claim(run_id="other")).others_spent == 0.1
    other.close()


def test_a_rare_caller_keeps_no_connection(server, postgres_url, monkeypatch):
    monkeypatch.setattr(_database, "IDLE_SECONDS", 0.0)
    registry = SqlRegistry(postgres_url, "digits", "emissions_kg")
    registry.claim(claim())
    number = registry._database.run(lambda connection: connection.scalar(text("SELECT pg_backend_pid()")))
    assert until(lambda: server.execute(f"SELECT * FROM pg_stat_activity WHERE pid = {number}") == [])


def test_a_registry_that_nobody_closes_lets_go_of_its_connection(server, postgres_url):
    registry = SqlRegistry(postgres_url, "digits", "emissions_kg")
    registry.claim(claim())
    number = registry._database.run(lambda connection: connection.scalar(text("SELECT pg_backend_pid()")))
    del registry
    gc.collect()
    assert until(lambda: server.execute(f"SELECT * FROM pg_stat_activity WHERE pid = {number}") == [])


def test_limits_are_set_for_all(registry):
    registry.set_limit(1.5)
    assert registry.set_limit_now() == 1.5
    assert registry.claim(claim(limit=9.0, wanted=2.0)).is_granted is False
    registry.set_limit(None)
    assert registry.claim(claim(limit=9.0, wanted=2.0)).is_granted is True


def test_the_median_cost_of_the_other_runs_is_told(registry):
    costs = [0.4, 0.1, 0.2, 0.9]
    for number, cost in enumerate(costs):
        registry.claim(claim(run_id=f"run{number}", epoch_cost=cost))
    assert registry.claim(claim(run_id="new")).epoch_cost == pytest.approx(0.3)
    assert registry.claim(claim(run_id="run3", epoch_cost=0.9)).epoch_cost == pytest.approx(0.2)


def test_a_pickle_leaves_the_password_out_and_a_spawned_process_gets_it(postgres_url, server, monkeypatch):
    registry = SqlRegistry(postgres_url, "digits", "emissions_kg")
    pickled = pickle.dumps(registry)
    assert b"sec" not in pickled
    assert repr(pickle.loads(pickled)) == repr(registry).replace(":***", "")
    monkeypatch.setenv("GREEN_CALLBACKS_REGISTRY", postgres_url)
    restored = pickle.loads(pickled)
    assert restored.claim(claim()).is_granted
    restored.close()
    monkeypatch.setattr(multiprocessing.context, "get_spawning_popen", object)
    assert b"sec%2Fr%40t%3A5" in pickle.dumps(registry)


def test_the_path_of_a_file_stays_where_training_changes_its_folder(tmp_path, monkeypatch):
    registry = SqlRegistry("sqlite:///budget.db", "digits", "emissions_kg")
    registry.claim(claim())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert (
        len(SqlRegistry(f"sqlite:///{tmp_path}/budget.db", "digits", "emissions_kg").runs())
        == len(registry.runs())
        == 1
    )


def test_the_tables_may_lie_in_another_programs_database(tmp_path):
    with sqlite3.connect(tmp_path / "study.db") as other:
        other.execute("CREATE TABLE runs (id INTEGER)")
    other.close()
    registry = SqlRegistry(f"sqlite:///{tmp_path}/study.db", "digits", "emissions_kg")
    registry.claim(claim())
    registry.close()
    with sqlite3.connect(tmp_path / "study.db") as other:
        names = {name for (name,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    other.close()
    assert {name for name in names if not name.startswith("green_callbacks_")} == {"runs"}


def test_an_equal_claim_counts_once(registry):
    told = claim(spent=1.0, under_way=0.25, wanted=0.25)
    assert registry.claim(told) == registry.claim(told)
    assert registry.claim(replace(told, run_id="b")).others_spent == 1.0


@pytest.mark.parametrize("address", ["postgresql+psycopg://u:p@ss/w?rd#@h/db", "postgresql://u@h/db?password=p@ss/w"])
def test_no_sign_in_a_password_makes_it_visible(address):
    assert "ss/w" not in hide_password(address)
