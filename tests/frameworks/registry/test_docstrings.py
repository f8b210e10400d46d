"""The examples of the rooms that need SQLAlchemy."""

import doctest
from importlib import import_module

import pytest

from green_callbacks.registry import sql


@pytest.mark.parametrize("name", ["address", "file_system", "registry"])
def test_the_examples_run(name):
    assert doctest.testmod(import_module(f"{sql.__name__}.{name}")).failed == 0
