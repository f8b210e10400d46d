"""A real PostgreSQL server for the session, and an empty database of each kind for each test."""

import itertools

import pytest
from support.postgres_server import NO_BINARIES, PostgresServer, binaries

_numbers = itertools.count()


@pytest.fixture(scope="session")
def server():
    if binaries() is None:
        pytest.skip(NO_BINARIES)
    running = PostgresServer()
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def postgres_url(server):
    name = f"budgets_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name}")
    return server.url(name)


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path}/budget.db"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request):
    return request.getfixturevalue(f"{request.param}_url")
