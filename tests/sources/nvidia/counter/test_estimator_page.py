"""The page on the estimator lists every constant of the code that measures NVIDIA GPUs, with its value."""

import re
from importlib import import_module
from numbers import Real
from pathlib import Path

import pytest

import green_callbacks

SOURCES = Path(green_callbacks.__file__).parent / "sources"
PAGE = SOURCES / "nvidia" / "counter" / "README.md"
SHARED = ["common/plausibility.py", "common/power_integral.py"]
FILES = [*SHARED, *sorted(str(file.relative_to(SOURCES)) for file in (SOURCES / "nvidia").rglob("*.py"))]


def numbers(value):
    """Return the numbers that a constant holds; none if it holds anything else."""
    parts = [part for part in value if part is not None] if isinstance(value, tuple | frozenset) else [value]
    are_numbers = all(isinstance(part, Real) and not isinstance(part, bool) for part in parts)
    return sorted(parts) if are_numbers else []


def told(file):
    """Return the constants that the page lists for a file."""
    section = PAGE.read_text(encoding="utf-8").partition(f"### `{file}`\n")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, re.MULTILINE)
    return {name: [eval(part.replace("^", "**")) for part in value.split(", ")] for name, value in rows}


@pytest.mark.parametrize("file", FILES)
def test_the_page_lists_the_constants_of_a_file(file):
    module = import_module("green_callbacks.sources." + file.removesuffix(".py").replace("/", "."))
    text = (SOURCES / file).read_text(encoding="utf-8")
    names = re.findall(r"^(_?[A-Z][A-Z0-9_]*)(?:: [^=]+)? = ", text, re.MULTILINE)
    held = {name: found for name in names if (found := numbers(getattr(module, name)))}
    assert {name: pytest.approx(found, rel=1e-5) for name, found in held.items()} == told(file)
