"""A shared budget in files, as the contract of registries opens it, also in processes of its own."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from green_callbacks.registry.opening import open_registry
from support.registry_contract import BudgetFixture


@dataclass(frozen=True)
class FilesBudget(BudgetFixture):
    """A budget in files."""

    project: str

    def open(self, quantity="emissions_kg"):
        return open_registry(None, self.project, quantity)

    def silence(self, seconds):
        for path in Path(self.project).rglob("runs/*.json"):
            then = time.time() - seconds
            os.utime(path, (then, then))
