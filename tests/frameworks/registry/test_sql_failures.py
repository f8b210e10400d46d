"""Databases that are away, refuse, or have changed: one sentence with the remedy, and never the password."""

import logging
import os
import pickle
import signal
import sqlite3
import time
import traceback

import pytest
from support.delaying_proxy import delayed
from support.sql_claims import claim, in_processes
from support.waiting import until

from green_callbacks.errors import ConfigurationError
from green_callbacks.registry import RegistryUnavailableError
from green_callbacks.registry.sql import DatabaseAddress, SqlRegistry, _database
from green_callbacks.registry.sql._failures import unavailable
from green_callbacks.registry.sql.file_system import network_file_system

SECRETS = ("sec/r@t:5", "sec%2Fr%40t%3A5", "r@t", "r%40t")


def opened(url):
    return SqlRegistry(url, "digits", "emissions_kg")


def refused(registry):
    """Return the message of a refused claim, after looking for the password in everything that is told or kept."""
    with pytest.raises(RegistryUnavailableError) as caught:
        registry.claim(claim())
    registry.close()
    error = caught.value
    assert error.__context__ is None
    assert error.__cause__ is None
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    everything = "".join(told.format()) + repr(registry) + repr(pickle.dumps(error)) + repr(pickle.dumps(registry))
    everything += registry.address
    assert not [secret for secret in SECRETS if secret in everything]
    message = str(error)
    assert message.endswith(".")
    assert "\n" not in message
    return message


@pytest.fixture(autouse=True)
def _no_password_in_any_log(caplog):
    with caplog.at_level(logging.DEBUG):
        for name in ("sqlalchemy", "psycopg"):
            caplog.set_level(logging.DEBUG, name)
        yield
    logged = "".join(record.getMessage() for record in caplog.records)
    assert not [secret for secret in SECRETS if secret in logged]


def test_a_wrong_password(server, postgres_url):
    url = server.url(password="wrong-sec/r@t:5")
    assert "refuses the password" in refused(opened(url))


def test_a_missing_password(server):
    url = server.url().replace("sec%2Fr%40t%3A5", "")
    assert "refuses the password" in refused(opened(url))


def test_an_unknown_host(server):
    assert "host that cannot be found" in refused(opened(server.url(host="no-such-host.invalid")))


def test_a_database_that_does_not_exist(server):
    assert "make it with createdb" in refused(opened(server.url("no_such_database")))


def test_nobody_who_listens(server):
    assert "start the server, or correct host and port" in refused(opened(server.url(port=1)))


def test_a_user_without_rights(server, postgres_url):
    name = postgres_url.rpartition("/")[2]
    server.execute("DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN PASSWORD 'sec/r@t:5'")
    guest = opened(server.url(name, user="guest"))
    assert "let its owner grant CREATE" in refused(guest)
    owner = opened(postgres_url)
    owner.claim(claim())
    assert "SELECT, INSERT and UPDATE" in refused(guest)
    tables = "green_callbacks_schema, green_callbacks_budgets, green_callbacks_sessions"
    server.execute(
        f"GRANT SELECT, INSERT, UPDATE ON {tables} TO guest",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO guest",
        database=name,
    )
    assert guest.claim(claim()).is_granted
    guest.close()
    owner.close()


def test_a_server_that_only_reads(server):
    server.execute("CREATE DATABASE copied", "ALTER DATABASE copied SET default_transaction_read_only = on")
    assert "only reads" in refused(opened(server.url("copied")))


def test_dropped_tables_are_told_once_and_made_anew(url, server):
    registry = opened(url)
    registry.claim(claim())
    drop = [f"DROP TABLE green_callbacks_{name}" for name in ("sessions", "budgets", "schema")]
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as other:
            for statement in drop:
                other.execute(statement)
        other.close()
    else:
        server.execute(*drop, database=url.rpartition("/")[2])
    assert "has lost its tables" in refused(registry)
    assert registry.claim(claim(spent=0.5)).is_granted
    assert [run.spent for run in registry.runs()] == [0.5]
    registry.close()


def test_tables_of_a_later_version(sqlite_url):
    registry = opened(sqlite_url)
    registry.claim(claim())
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as other:
        other.execute("UPDATE green_callbacks_schema SET version = 99")
    other.close()
    assert "update this one" in refused(opened(sqlite_url))
    registry.close()


def test_a_server_that_was_killed_is_used_again_when_it_is_back(server, postgres_url):
    registry = opened(postgres_url)
    registry.claim(claim(spent=0.5))
    server.kill()
    started = time.monotonic()
    assert "start the server" in refused(registry)
    assert time.monotonic() - started < 10
    server.start()
    assert registry.claim(claim(run_id="b")).others_spent == 0.5
    registry.close()


def test_a_frozen_server_does_not_hold_a_call_forever(server, postgres_url, monkeypatch):
    registry = opened(postgres_url)
    registry.claim(claim(spent=0.5))
    monkeypatch.setattr(_database, "CALL_SECONDS", 1.0)
    server.signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        assert "does not answer in time" in refused(registry)
        assert time.monotonic() - started < 20
    finally:
        server.signal(signal.SIGCONT)
    assert registry.claim(claim(run_id="b")).others_spent == 0.5
    registry.close()


def test_a_client_that_stops_inside_a_transaction_does_not_hold_the_others_forever(server, postgres_url, monkeypatch):
    from sqlalchemy import text

    monkeypatch.setattr(_database, "_LIMITS", text(_database._LIMITS.text.replace("30000", "1000")))
    registry = opened(postgres_url)
    registry.claim(claim(spent=0.5))
    other = opened(postgres_url)

    def stop_for_long(connection, _budget):
        number = connection.scalar(text("SELECT pg_backend_pid()"))
        assert until(lambda: server.execute(f"SELECT 1 FROM pg_stat_activity WHERE pid = {number}") == [])

    with pytest.raises(RegistryUnavailableError, match="stood still"):
        other._run(stop_for_long)
    assert registry.claim(claim(spent=0.75)).is_granted
    registry.close()


def test_answers_that_come_late_still_count(server, postgres_url):
    with delayed(server.port, 0.1) as port:
        registry = opened(postgres_url.replace(f":{server.port}/", f":{port}/"))
        started = time.monotonic()
        assert registry.claim(claim(spent=0.5)).is_granted
        assert time.monotonic() - started > 0.5
        registry.close()
    assert [run.spent for run in opened(postgres_url).runs()] == [0.5]


def test_a_server_with_too_many_clients(server, postgres_url):
    import psycopg

    name = postgres_url.rpartition("/")[2]
    server.execute("DROP ROLE IF EXISTS many", "CREATE ROLE many LOGIN PASSWORD 'sec/r@t:5' CONNECTION LIMIT 1")
    with psycopg.connect(server.url(name, user="many").replace("+psycopg", "")):
        assert "no connection left" in refused(opened(server.url(name, user="many")))


def test_a_full_disk(tmp_path, sqlite_url):
    full = sqlite3.connect(":memory:")
    full.execute("PRAGMA max_page_count = 2")
    full.execute("CREATE TABLE first (a)")
    with pytest.raises(sqlite3.OperationalError) as caught:
        full.execute("CREATE TABLE second (a)")
    full.close()
    assert "no space left" in str(unavailable(DatabaseAddress(sqlite_url), caught.value, is_late=False))


def test_a_folder_that_does_not_exist(tmp_path):
    assert "make its folder" in refused(opened(f"sqlite:///{tmp_path}/missing/budget.db"))


def test_a_folder_in_the_place_of_the_file(tmp_path):
    assert "cannot be opened" in refused(opened(f"sqlite:///{tmp_path}"))


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "notes.txt").write_text("no database " * 100)
    assert "is no SQLite file" in refused(opened(f"sqlite:///{tmp_path}/notes.txt"))


def test_a_file_that_may_only_be_read(tmp_path, sqlite_url):
    opened(sqlite_url).claim(claim())
    tmp_path.chmod(0o777)
    assert in_processes(_refused_as_nobody, [(sqlite_url, tmp_path)]) == [["cannot", "be"]]


def _refused_as_nobody(url, folder):
    (folder / "budget.db").chmod(0o444)
    folder.chmod(0o555)
    for parent in folder.parents[:2]:
        parent.chmod(0o755)
    if os.geteuid() == 0:
        os.setuid(65_534)
    message = str(_caught(url))
    return ["cannot", "be"] if "may only be read" in message or "cannot be opened" in message else [message]


def _caught(url):
    try:
        opened(url).claim(claim())
    except RegistryUnavailableError as error:
        return error
    return "granted"


def test_a_file_that_was_removed_is_missed_by_no_one(tmp_path, sqlite_url):
    registry = opened(sqlite_url)
    registry.claim(claim(spent=0.5))
    for path in tmp_path.glob("budget.db*"):
        path.unlink()
    assert "has lost its tables" in refused(registry)
    assert registry.claim(claim(spent=0.75)).is_granted
    assert [run.spent for run in opened(sqlite_url).runs()] == [0.75]
    registry.close()


def test_a_file_that_another_process_holds(sqlite_url, monkeypatch):
    registry = opened(sqlite_url)
    registry.claim(claim())
    registry.close()
    monkeypatch.setattr(_database, "BUSY_SECONDS", 0.2)
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert "locked for too long" in refused(opened(sqlite_url))
    holder.close()


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("sqlite://", "sqlite:///FILE"),
        ("sqlite:///:memory:", "sqlite:///FILE"),
        ("sqlite:///file:a.db?uri=true", "sqlite:///FILE"),
        ("mysql://ada:sec@h/db", "postgresql"),
        ("postgresql+asyncpg://ada:sec@h/db", "postgresql"),
        ("nonsense", "no address"),
        ("postgresql://ada:sec/r@t:5@h/db", "%40"),
        ("postgresql://ada:sec/r@h:port/db", "%40"),
    ],
)
def test_addresses_that_cannot_work_are_refused_at_once(address, remedy):
    with pytest.raises(ConfigurationError) as caught:
        opened(address)
    assert remedy in str(caught.value)
    assert "sec" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("package", ["sqlalchemy", "psycopg"])
def test_a_missing_package_is_named(package, monkeypatch):
    from green_callbacks.registry.sql import address

    monkeypatch.setattr(address, "find_spec", lambda name: None if name == package else object())
    with pytest.raises(ConfigurationError, match=r"green-callbacks\[registry\]"):
        opened("postgresql://ada:sec@h/db")


MOUNTS = r"""
22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
30 22 0:44 / /home rw - autofs auto.home rw
31 22 0:45 / /home rw,relatime shared:7 - nfs4 server:/home rw
32 31 0:46 / /home/local rw - xfs /dev/sdb1 rw
33 22 0:47 / /my\040data rw - fuse.sshfs host: rw
34 22 0:48 / /containers rw - fuse.fuse-overlayfs overlay rw
35 22 0:49 / /scratch rw - lustre mds:/scratch rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/a.db", ""),
        ("/home/ada/a.db", "nfs4"),
        ("/home/local/a.db", ""),
        ("/my data/a.db", "fuse.sshfs"),
        ("/containers/a.db", ""),
        ("/scratch/a.db", "lustre"),
        ("/scratchy/a.db", ""),
    ],
)
def test_network_file_systems_are_told_apart(path, kind, tmp_path):
    (tmp_path / "mountinfo").write_text(MOUNTS)
    assert network_file_system(path, tmp_path / "mountinfo") == kind
    assert network_file_system(path, tmp_path / "missing") == ""


def test_a_network_file_system_is_refused_with_the_remedy(sqlite_url, monkeypatch):
    from green_callbacks.registry.sql import address

    monkeypatch.setattr(address, "network_file_system", lambda path: "nfs4")
    with pytest.raises(ConfigurationError, match="PostgreSQL server"):
        opened(sqlite_url)


def test_a_file_system_without_shared_memory_is_refused(sqlite_url, monkeypatch):
    monkeypatch.setattr(_database, "_journal_mode", lambda connection: "delete")
    assert "cannot write ahead" in refused(opened(sqlite_url))
