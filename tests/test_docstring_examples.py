"""Every example in a docstring of the package runs, and prints what it says."""

import doctest
import pkgutil
from importlib import import_module
from importlib.util import find_spec

import pytest

import green_callbacks

FRAMEWORKS = {
    "lightning",
    "pytorch_lightning",
    "keras",
    "ignite",
    "transformers",
    "torch",
    "tensorflow",
    "tensorboard",
    "httpx2",
    "matplotlib",
    "numpy",
    "sqlalchemy",
    "psycopg",
    "optuna",
    "ray",
    "scipy",
}
IN_EXAMPLES = {
    "green_callbacks.registry.sql": "sqlalchemy",
    "green_callbacks.data_report": "numpy",
    "green_callbacks.analysis.comparing.equal_quality.censored": "scipy",
    "green_callbacks.analysis.comparing.equal_quality.comparison": "scipy",
    "green_callbacks.analysis.comparing.equal_quality.power": "scipy",
    "green_callbacks.analysis.comparing.equal_quality.ratio": "scipy",
}
"""Packages that the examples of a room need, though its modules do not."""
MODULES = [
    green_callbacks.__name__,
    *(found.name for found in pkgutil.walk_packages(green_callbacks.__path__, "green_callbacks.")),
]


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_the_examples_of_a_module_run(name):
    framework = name.removeprefix("green_callbacks._frameworks.").partition(".")[0]
    framework = next((needed for room, needed in IN_EXAMPLES.items() if name.startswith(room)), framework)
    if framework in FRAMEWORKS and find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")  # its examples import it, even where the module does not
    try:
        module = import_module(name)
    except ModuleNotFoundError as missing:
        if (missing.name or "").split(".")[0] not in FRAMEWORKS:
            raise
        pytest.skip(f"{missing.name} is not installed")
    for example in doctest.DocTestFinder(exclude_empty=True).find(module):
        lines = []
        failures = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(example, out=lines.append)
        assert not failures.failed, "".join(lines)
