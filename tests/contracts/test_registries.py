"""What every registry of a shared budget promises, for the registry of files."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import pytest
from support.registry_contract import BudgetFixture, RegistryContract

from green_callbacks.registry.opening import open_registry


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


class TestFiles(RegistryContract):
    @pytest.fixture
    def budget(self, tmp_path):
        return FilesBudget(str(tmp_path / "logs"))

    @pytest.fixture
    def new_budget(self, tmp_path):
        return lambda: FilesBudget(mkdtemp(dir=tmp_path))
