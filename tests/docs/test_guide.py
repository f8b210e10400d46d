"""The pages for contributors say what is so: rooms, layers, paths, commands and the version."""

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import green_callbacks

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def section(name):
    return GUIDE.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]


def tree():
    """Return the paths in the tree of the guide."""
    paths, parents = [], []
    for line in re.search(r"```text\n(.*?)```", section("The house"), re.DOTALL)[1].splitlines():
        indent, name = re.match(r"([│├└─ ]*)(\S+)", line).groups()
        depth = len(indent) // 4
        parents = [*parents[:depth], name.rstrip("/")]
        path = "/".join(parents)
        paths.append(path)
    return paths


@pytest.mark.parametrize("path", tree())
def test_what_the_tree_shows_is_there(path):
    assert (ROOT / path).exists()


def test_the_tree_shows_every_room_and_file_at_the_top():
    package = ROOT / "green_callbacks"
    top = {
        f"green_callbacks/{path.name}"
        for path in package.iterdir()
        if path.name not in {"__pycache__", "py.typed", "_version.py"} and not path.name.startswith(".")
    }
    wings = {
        path.relative_to(ROOT).as_posix()
        for room in ("sources", "accountant")
        for path in (package / room).iterdir()
        if path.is_dir() and path.name != "__pycache__"
    }
    assert top | wings <= set(tree())


def test_the_layers_are_those_of_import_linter():
    contract = PROJECT["tool"]["importlinter"]["contracts"][0]
    assert re.search(r"```text\n(.*?)```", section("Layers"), re.DOTALL)[1].splitlines() == contract["layers"]


def test_every_path_in_the_text_is_there():
    names = re.findall(r"`([\w./-]+(?:/|\.py|\.toml|\.md))`", GUIDE)
    assert names
    for name in names:
        places = (ROOT / name, ROOT / "green_callbacks" / name)
        assert name.startswith((".venv/", "build/")) or any(place.exists() for place in places), name


def test_every_command_is_a_target_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([a-z-]+)", GUIDE, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_glossary_words_stand_in_order_and_once():
    words = re.findall(r"^\| ([^|]+?) \|", section("Glossary"), re.MULTILINE)[2:]
    assert len(words) >= 25
    assert [word.lower() for word in words] == sorted({word.lower() for word in words})


def test_the_citation_names_this_version_and_license():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {green_callbacks.__version__}\n" in citation
    # A citation file holds the names of licenses and no expression, and uPlot in the package is cited on its own.
    own, _, of_others = PROJECT["project"]["license"].partition(" AND ")
    assert f"\nlicense: {own}\n" in citation
    assert of_others == "MIT"


def test_the_page_of_metric_keys_names_every_key():
    scalars = import_module("green_callbacks.sinks.scalars")
    pattern = re.compile(r'"(green(?:_detail)?/[a-z0-9_]+)"')
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "green_callbacks").rglob("*.py"))
    shown = {re.sub(r"(?<!_per)_kg$", "_g", re.sub(r"(?<!_per)_kwh$", "_wh", key)) for key in pattern.findall(code)}
    named = set(re.findall(r"``(green(?:_detail)?/[a-z0-9_]+)``", scalars.__doc__))
    assert shown - scalars._LEFT_OUT <= named | {key.replace("green_detail/", "green/") for key in named}
