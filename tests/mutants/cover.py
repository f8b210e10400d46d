"""Finds the tests that cover a mutant. A run of all tests in the unchanged package is kept until a file changes."""

import ast
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import coverage
from mutants.mutations import Mutant
from mutants.trials import SURVIVED, Trial, failed_tests, run

_MAP_LIMIT_SECONDS: Final = 900.0
"""Longest time for one file of tests, in s. Generous, because a busy machine takes 10 times as long."""
TESTS_SECONDS: Final = 5.0
"""Processor time that the tests of one mutant may take in all, in s, with coverage. The fastest tests are taken."""

FEW: Final = 5
"""Number of tests below which a line counts as run by few. No unit, by experiment."""


@dataclass(frozen=True)
class Cover:
    """What the tests cover.

    Attributes:
        tests: For each file, relative to the root, and each of its lines: the tests that run the line.
        seconds: Processor time of each test, in s. Tests that were skipped, or are too slow for mutants, are missing.
        used: For each name, the places (file and line) that use it.
        words: For each test file, the words in it.
    """

    tests: dict[Path, dict[int, frozenset[str]]]
    seconds: dict[str, float]
    used: dict[str, list[tuple[Path, int]]]
    words: dict[str, frozenset[str]]

    def covering(self, mutant: Mutant) -> tuple[str, ...]:
        """Return the tests that run a mutant, the fastest first.

        If they are few, a cached result may be their reason. Then all tests count that run any line of the module.
        """
        lines = self.tests.get(mutant.path, {})
        near = set[str]().union(*(lines.get(line, ()) for line in range(mutant.line, mutant.last_line + 1)))
        for name in mutant.names:
            near.update(*(self.tests.get(path, {}).get(line, ()) for path, line in self.used.get(name, ())))
        if mutant.names:  # a constant is read at import, and a test of it names it
            near.update(test for test in self.seconds if mutant.names & self.words[test.partition("::")[0]])
        if len(near) < FEW:
            near.update(*lines.values())
        return self._affordable(self._fastest(near))

    def _fastest(self, tests: Iterable[str]) -> list[str]:
        return sorted(self.seconds.keys() & set(tests), key=lambda test: (self.seconds[test], test))

    def _affordable(self, tests: list[str]) -> tuple[str, ...]:
        taken, seconds = [], 0.0
        for test in tests:
            seconds += self.seconds[test]
            if taken and seconds > TESTS_SECONDS:
                break
            taken.append(test)
        return tuple(taken)

    def seconds_of(self, tests: Iterable[str]) -> float:
        """Return how long tests take together, in s."""
        return sum(self.seconds[test] for test in tests)


def cover(files: list[str], root: Path, folder: Path, processes: int) -> Cover:
    """Run all tests of some files, or read what the last run of the same files has found.

    Raises:
        SystemExit: A test fails without any mutant.
    """
    package = _digest((root / "green_callbacks").rglob("*.py"), (root / "tests" / "support").glob("*.py"))
    states = {folder / _name(file): package + _digest([root / file]) for file in files}
    stale = [file for file in files if _state(folder / _name(file)) != states[folder / _name(file)]]
    for trial, status in run(
        (Trial(((file,),), folder / _name(file), _MAP_LIMIT_SECONDS) for file in stale), root, processes
    ):
        if status != SURVIVED:
            failed = list(failed_tests(trial.folder)) or trial.stages
            msg = f"Without a mutant {failed} fail (status {status}). See {trial.folder / 'output.txt'}."
            raise SystemExit(msg)
        (trial.folder / "state.txt").write_text(states[trial.folder])
    return _read(list(states), root)


def _name(file: str) -> str:
    return file.replace("/", "-").removesuffix(".py")


def _state(folder: Path) -> str | None:
    kept = folder / "state.txt"
    return kept.read_text() if kept.exists() else None


def _digest(*paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for some in paths for path in some):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _read(folders: list[Path], root: Path) -> Cover:
    found: dict[Path, dict[int, frozenset[str]]] = defaultdict(dict)
    seconds = dict[str, float]()
    for folder in folders:
        seconds |= json.loads((folder / "tests.json").read_text())["seconds"]
        data = coverage.CoverageData(str(folder / "coverage"))
        data.read()
        for file in data.measured_files():
            lines = found[Path(file).relative_to(root)]
            for line, contexts in data.contexts_by_lineno(file).items():
                lines[line] = lines.get(line, frozenset()) | (set(contexts) - {""})
    files = {test.partition("::")[0] for test in seconds}
    words = {file: frozenset(re.findall(r"\w+", (root / file).read_text(encoding="utf-8"))) for file in files}
    return Cover(dict(found), seconds, _used(root), words)


def _used(root: Path) -> dict[str, list[tuple[Path, int]]]:
    places = defaultdict(list)
    for path in sorted((root / "green_callbacks").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node, "id", None) or getattr(node, "attr", None)
            if isinstance(node, ast.Name | ast.Attribute):
                places[name].append((path.relative_to(root), node.lineno))
    return dict(places)
