"""What every registry of a shared budget promises, for SQLite and PostgreSQL."""

import itertools
from dataclasses import dataclass

import pytest
from sqlalchemy import create_engine, text
from support.registry_contract import BudgetFixture, RegistryContract

from green_callbacks.registry import open_registry

_projects = itertools.count()
_SILENCE = text(
    "UPDATE green_callbacks_sessions SET beat = beat - :seconds "
    "WHERE budget IN (SELECT id FROM green_callbacks_budgets WHERE project = :project)"
)


@dataclass(frozen=True)
class SqlBudget(BudgetFixture):
    """A budget in a database."""

    url: str
    project: str

    def open(self, quantity="emissions_kg"):
        return open_registry(self.url, self.project, quantity)

    def silence(self, seconds):
        engine = create_engine(self.url)
        with engine.begin() as connection:
            connection.execute(_SILENCE, {"seconds": seconds, "project": self.project})
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request):
    """A database of each kind. The server's own serves all tests, because making one takes longer than testing."""
    if request.param == "postgres":
        return request.getfixturevalue("server").url()
    return request.getfixturevalue("sqlite_url")


class TestSql(RegistryContract):
    @pytest.fixture
    def new_budget(self, url):
        return lambda: SqlBudget(url, f"project{next(_projects)}")

    @pytest.fixture
    def budget(self, new_budget):
        return new_budget()
