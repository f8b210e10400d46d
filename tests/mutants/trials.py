"""Runs tests in forked processes, with a mutant in place of a module, or with a record of what each test covers."""

import ast
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import coverage
import hypothesis
import pytest
from mutants.mutations import Mutant, mutated

_POLL_SECONDS: Final = 0.02
"""How often finished processes are asked for, in s. By experiment: short beside a trial of about 1 s."""
_EXAMPLES: Final = 15
"""Examples of each property, in place of 50. A mutant that needs more is a weakly tested one."""
SLOW_SECONDS: Final = 3.0
"""Processor time of the set-up or the call of a test, in s, with coverage, after which it is too slow for mutants."""
_TOO_SLOW: Final = "too slow for mutants"
SURVIVED: Final = 0
"""Exit status of pytest when all tests passed."""
BROKEN: Final = 3
"""Exit status of pytest after an error of its own, which says nothing about a mutant."""
TIMED_OUT: Final = -1
"""Stands for the exit status of a process that was killed at its time limit."""


class _MutantLoader(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module with a fault in it."""

    def __init__(self, mutant: Mutant, root: Path) -> None:
        self._file = root / mutant.path
        self._name = ".".join(mutant.path.with_suffix("").parts).removesuffix(".__init__")
        self._tree: ast.Module = mutated(mutant, root)

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Return this loader for its module."""
        if fullname != self._name:
            return None
        package = self._file.name == "__init__.py"
        return importlib.util.spec_from_file_location(
            fullname, self._file, loader=self, submodule_search_locations=[str(self._file.parent)] if package else None
        )

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Leave it to Python to make the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module with the fault."""
        exec(compile(self._tree, str(self._file), "exec"), module.__dict__)


@dataclass(eq=False)  # pytest hashes its plugins
class _Plugin:
    """Keeps the chosen tests, the fastest first, and notes how long each took and which failed."""

    chosen: Sequence[str] | None
    covered: coverage.Coverage | None = None
    began: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def pytest_configure(self) -> None:
        """Make properties cheap. The conftest of the tests has loaded its profile before."""
        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
        hypothesis.settings.register_profile("mutants", max_examples=_EXAMPLES, phases=phases)
        hypothesis.settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Choose and sort the tests."""
        if self.chosen is not None:
            places = {test: place for place, test in enumerate(self.chosen)}
            items[:] = sorted((item for item in items if item.nodeid in places), key=lambda item: places[item.nodeid])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Start the clock of a test, and let what is covered from here on count for it."""
        self.began = time.process_time()
        if self.covered is not None:
            self.covered.switch_context(nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        """Skip a test whose set-up is too slow."""
        with self._limited():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        """Skip a test that is too slow."""
        with self._limited():
            return (yield)

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        """Interrupt a test after its time limit. It counts as skipped, whatever it makes of the interruption."""
        late = []

        def interrupt(*_: object) -> None:
            late.append(True)
            pytest.skip(_TOO_SLOW)

        if self.covered is not None:
            signal.signal(signal.SIGPROF, interrupt)
            signal.setitimer(signal.ITIMER_PROF, SLOW_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0.0)
            if late:
                pytest.skip(_TOO_SLOW)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Note the processor time of a test. Unlike its duration, it does not depend on what else the machine does."""
        self.seconds[nodeid] = time.process_time() - self.began

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that failed in its set-up, call or end, or that was skipped."""
        if report.failed:
            self.failed.append(report.nodeid)
        elif report.skipped:
            self.skipped.append(report.nodeid)


@dataclass(frozen=True)
class Trial:
    """One run of some tests in a process of its own.

    Attributes:
        stages: Files of tests. The files of a stage are only read if all tests of the stages before it have passed.
        folder: A folder of the trial's own: temporary files, ``output.txt``, ``tests.json`` and the coverage.
        limit_seconds: The process is killed after this time.
        chosen: The tests to run, in this order. None runs all of them.
        mutant: The fault. None runs the package as it is, and records what each test covers.
    """

    stages: tuple[tuple[str, ...], ...]
    folder: Path
    limit_seconds: float
    chosen: tuple[str, ...] | None = None
    mutant: Mutant | None = None


def run(trials: Iterable[Trial], root: Path, processes: int) -> Iterator[tuple[Trial, int]]:
    """Run trials side by side, and yield each with its exit status when it ends."""
    waiting, running = iter(trials), dict[int, tuple[Trial, float]]()
    try:
        while True:
            while len(running) < processes and (trial := next(waiting, None)) is not None:
                running[_fork(lambda trial=trial: _run_tests(trial, root))] = trial, time.monotonic()
            if not running:
                return
            for pid, status in _ended(running):
                yield running.pop(pid)[0], status
            time.sleep(_POLL_SECONDS)
    finally:
        for pid in running:
            _kill(pid)


def _fork(body: Callable[[], int]) -> int:
    """Return the id of a new process, the first of its group, that runs the body and exits with what it returns."""
    pid = os.fork()
    if pid:
        return pid
    os.setpgid(0, 0)
    status = 70  # as EX_SOFTWARE: neither passed nor failed
    try:
        status = body()
    except BaseException:  # noqa: BLE001  nothing may go on in the copy of this process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def _ended(running: dict[int, tuple[Trial, float]]) -> list[tuple[int, int]]:
    """Return the ids and statuses of processes that have ended, or that were killed at their limit just now."""
    ended = []
    for pid, (trial, since) in running.items():
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            ended.append((pid, os.waitstatus_to_exitcode(status)))
        elif time.monotonic() - since > trial.limit_seconds:
            _kill(pid)
            ended.append((pid, TIMED_OUT))
            continue
        if done:
            _kill_group(pid)  # what the tests have left running
    return ended


def _kill(pid: int) -> None:
    _kill_group(pid)
    os.waitpid(pid, 0)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _run_tests(trial: Trial, root: Path) -> int:
    os.chdir(root)
    trial.folder.mkdir(parents=True, exist_ok=True)
    _quiet(trial.folder / "output.txt")
    covered = None
    if trial.mutant is None:
        covered = coverage.Coverage(data_file=str(trial.folder / "coverage"), branch=False, messages=False)
        covered.start()
    else:
        sys.meta_path.insert(0, _MutantLoader(trial.mutant, root))
    status, plugin = SURVIVED, _Plugin(trial.chosen, covered)
    for files in trial.stages:
        if status == SURVIVED:
            status = _pytest(files, trial, plugin)
    if covered is not None:
        covered.stop()
        covered.save()
    run_tests = {test: seconds for test, seconds in plugin.seconds.items() if test not in plugin.skipped}
    (trial.folder / "tests.json").write_text(json.dumps({"seconds": run_tests, "failed": plugin.failed}))
    return status


def _pytest(files: Sequence[str], trial: Trial, plugin: _Plugin) -> int:
    temporary = trial.folder / "tmp"
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:cov", f"--basetemp={temporary}"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # hypothesis is here before pytest starts
    if trial.mutant is not None:
        options.append("-x")
    try:
        return int(pytest.main([*options, *files], plugins=[plugin]))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _quiet(output: Path) -> None:
    """Send all that the tests print to a file."""
    sys.stdout.flush()
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def failed_tests(folder: Path) -> Collection[str]:
    """Return the tests that failed in a trial."""
    try:
        return json.loads((folder / "tests.json").read_text())["failed"]
    except FileNotFoundError:
        return ()
