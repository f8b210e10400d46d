"""Budgets that several runs share, with what every run has spent and holds.

A registry is a folder of small files (the default, inside the folder of the project), an SQLite file, or a PostgreSQL
database.
"""

from green_callbacks.registry.opening import check_registry_url, open_registry
from green_callbacks.registry.protocol import (
    DEAD_SECONDS,
    BudgetRegistry,
    Claim,
    Entry,
    RegisteredRun,
    RegistryUnavailableError,
    RunState,
    Standing,
)

__all__ = [
    "DEAD_SECONDS",
    "BudgetRegistry",
    "Claim",
    "Entry",
    "RegisteredRun",
    "RegistryUnavailableError",
    "RunState",
    "Standing",
    "check_registry_url",
    "open_registry",
]
