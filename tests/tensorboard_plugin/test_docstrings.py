"""Every example in a docstring of the tab runs. The core suite has no TensorBoard to run them with."""

import doctest
import pkgutil
from importlib import import_module

import pytest

from green_callbacks import tensorboard_plugin

ROOM = tensorboard_plugin.__name__
MODULES = [ROOM, *(found.name for found in pkgutil.walk_packages(tensorboard_plugin.__path__, f"{ROOM}."))]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    failures = doctest.testmod(import_module(name))
    assert failures.failed == 0
