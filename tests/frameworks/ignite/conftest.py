import pytest

pytest.importorskip("ignite")

from frameworks.ignite.tiny import Script


@pytest.fixture
def script(tmp_path) -> Script:
    return Script(tmp_path)
