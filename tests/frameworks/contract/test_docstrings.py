"""The examples in the docstrings of every adapter run, and each public name has one."""

import doctest
from importlib import import_module

import pytest
from frameworks.contract.drivers import INSTALLED


@pytest.mark.parametrize("name", INSTALLED)
def test_the_examples_of_an_adapter_run(name):
    module = import_module(f"green_callbacks.{name}")
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()

    for text in (module, *(getattr(module, public) for public in module.__all__)):
        (example,) = finder.find(text, getattr(text, "__name__", name), globs={})
        assert runner.run(example).failed == 0
        assert example.examples, f"{example.name} has no example"
