"""What every registry of a shared budget promises, for the registry of files."""

from tempfile import mkdtemp

import pytest
from support.files_budget import FilesBudget
from support.registry_contract import RegistryContract


class TestFiles(RegistryContract):
    @pytest.fixture
    def budget(self, tmp_path):
        return FilesBudget(str(tmp_path / "logs"))

    @pytest.fixture
    def new_budget(self, tmp_path):
        return lambda: FilesBudget(mkdtemp(dir=tmp_path))
