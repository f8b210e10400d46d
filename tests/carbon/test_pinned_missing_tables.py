"""A bundle without the table of everyday activities compares with nothing."""

import pytest

from green_callbacks.carbon.equivalences import equivalences, equivalent_km
from green_callbacks.errors import ConfigurationError


def test_without_its_table_nothing_is_compared(monkeypatch):
    monkeypatch.setitem(equivalences.__globals__, "has_tables", lambda *_: False)
    assert equivalences(1.0) == ()
    with pytest.raises(ConfigurationError):
        equivalent_km(1.0)
