"""A small search of real processes keeps its budget on every registry. The benchmark has a large one."""

import time

import pytest
from support.runs import KG_PER_JOULE
from support.search_runs import EPOCH_JOULES, Search

from green_callbacks.registry import open_registry

RUNS, EPOCHS, SHARE, SECONDS = 6, 16, 0.25, 0.8
HANG_SECONDS = 120.0
MOST = 1.5
"""Largest spending as a share of the budget. Runs that told one another nothing would spend four budgets.

The margin is for busy machines, on which an answer takes longer than these short epochs.
"""


@pytest.fixture
def search(tmp_path):
    """Makes a search of runs that may spend four of their sixteen epochs on average."""
    return lambda registry, **options: Search(
        tmp_path, share=SHARE, registry=registry, runs=RUNS, epochs=EPOCHS, epoch_seconds=SECONDS, **options
    )


def is_known(search):
    """Return whether the registry knows all spending. What a run held when it died is at most two epochs more."""
    registry = open_registry(search.registry, search.project, "emissions_kg")
    registry.settle_dead(0.0)
    known = sum(run.spent for run in registry.runs())
    registry.close()
    most_held = 2 * RUNS * EPOCH_JOULES * KG_PER_JOULE
    return search.true_kg() * (1 - 1e-9) <= known <= search.true_kg() + most_held


def test_runs_that_begin_together_keep_the_budget(url, search):
    together = search(url)
    together.start()
    together.wait(HANG_SECONDS)
    assert 0.7 <= together.true_kg() / together.budget_kg <= MOST
    assert is_known(together)
    written = b"".join(path.read_bytes() for path in together.folder.rglob("*") if path.is_file())
    assert b"budget" in written
    assert not [secret for secret in (b"sec/r@t:5", b"sec%2Fr%40t%3A5") if secret in written]


def test_what_killed_runs_have_used_is_never_lost(url, search):
    some_killed = search(url, killed=2)
    some_killed.start()
    some_killed.wait(HANG_SECONDS)
    assert some_killed.true_kg() / some_killed.budget_kg <= MOST
    assert is_known(some_killed)


def test_all_is_told_when_a_killed_server_is_back(server, postgres_url, search):
    left_alone = search(postgres_url)
    left_alone.start()
    time.sleep(3 * SECONDS)
    server.kill()
    time.sleep(2 * SECONDS)
    server.start()
    left_alone.wait(HANG_SECONDS)
    assert left_alone.true_kg() / left_alone.budget_kg <= MOST
    assert is_known(left_alone)
