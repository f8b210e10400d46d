"""A real PostgreSQL server for the session, and an empty database of each kind for each test."""

import pytest
from support.postgres_server import NO_BINARIES, PostgresServer, binaries


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
    """The server's own database without tables, because making a database takes longer than most tests."""
    for name in ("sessions", "budgets", "schema"):
        server.execute(f"DROP TABLE IF EXISTS green_callbacks_{name}")
    return server.url()


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path}/budget.db"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request):
    return request.getfixturevalue(f"{request.param}_url")
