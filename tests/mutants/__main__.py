"""Mutation testing of the rooms that need no machine: how many small faults do the fast tests find?

``make mutants`` runs it. A mutant is the package with one fault: another operator, a constant one higher or lower, a
condition negated, a statement left out, a result that is None. Each mutant runs in a process of its own against the
tests that cover its line. A mutant that no test notices has survived, and is listed.

    PYTHONPATH=.:tests python -m mutants --room policies --sample 200 --seed 1
"""

import argparse
import json
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mutants.cover import Cover, cover
from mutants.mutations import Mutant, mutants
from mutants.trials import BROKEN, SURVIVED, TIMED_OUT, Trial, failed_tests, run

ROOT: Final = Path(__file__).parents[2]
ROOMS: Final = {
    "policies": ("policies",),
    "records": ("records",),
    "carbon": ("carbon",),
    "ledger": ("ledger",),
    "units": ("units.py",),
}
"""The files and folders of each room, in ``green_callbacks/``."""
TESTS: Final = (
    "tests/policies", "tests/carbon", "tests/ledger", "tests/records", "tests/live/test_electricity_maps.py",
    "tests/live/test_uk.py", "tests/live/test_secrets.py", "tests/live/test_polite.py", "tests/live/test_faults.py",
    "tests/contracts/test_carbon.py", "tests/contracts/test_policies.py", "tests/contracts/test_sinks.py",
    "tests/properties/test_carbon.py", "tests/properties/test_history.py", "tests/properties/test_ledger.py",
    "tests/properties/test_policies.py", "tests/properties/test_units.py", "tests/test_units.py",
    "tests/test_pinned_units.py", "tests/test_docstring_examples.py",
)  # fmt: skip
"""The files and folders of the tests that may notice a mutant."""
UNFIT: Final = frozenset({"tests/policies/test_growth.py", "tests/records/history/test_interrupts.py"})
"""Test files that trace every instruction themselves, so that nothing can trace what they cover."""
BAR: Final = 0.85
"""Smallest share of mutants that the tests must notice, over all rooms."""
_START_SECONDS: Final = 60.0
"""Time limit of a mutant beyond its tests, in s. Generous, so that a busy machine kills no mutant."""
_SLOWER: Final = 5.0
"""How many times as long as without a mutant the tests may take."""


_FIRST_FILES: Final = 2
"""Number of files whose tests run first: the files that cover a mutant with most tests. Reading a file takes 0.1 s."""


def main() -> int:
    """Run the mutants that the command line asks for, and return 1 if too many survive."""
    options = _options()
    folder = ROOT / "build" / "mutants"
    folder.mkdir(parents=True, exist_ok=True)
    sample = [(room, mutant) for room in options.room or ROOMS for mutant in _sample(room, options)]
    random.Random(options.seed).shuffle(sample)  # so that an interrupted run has seen some of each room
    print(f"{len(sample)} mutants, seed {options.seed}. First all tests run without one.", flush=True)
    covered = cover(_test_files(), ROOT, folder / "cover", options.processes)
    fates, since = list[dict[str, object]](), time.monotonic()
    rooms = {mutant: room for room, mutant in sample}
    for trial, status in run(_trials(list(rooms), covered, folder), ROOT, options.processes):
        fates.append(_fate(rooms[trial.mutant], trial, status))
        if status == SURVIVED:
            print(f"survived {trial.mutant}", flush=True)
        shutil.rmtree(trial.folder, ignore_errors=True)
        (folder / "fates.json").write_text(json.dumps(fates, indent=1))
    return _report(fates, time.monotonic() - since)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mutants", description="Tests the tests with small faults in the package.")
    parser.add_argument("--room", action="append", choices=ROOMS, help="one room, may be repeated; default: all")
    parser.add_argument("--sample", type=int, default=150, help="mutants of each room, 0 for all; default: 150")
    parser.add_argument("--seed", type=int, default=1, help="seed of the samples; default: 1")
    parser.add_argument("--processes", type=int, default=2, help="mutants at a time; default: 2")
    return parser.parse_args()


def _test_files() -> list[str]:
    tops = [ROOT / test for test in TESTS]
    found = [file for top in tops for file in (sorted(top.rglob("test_*.py")) if top.is_dir() else [top])]
    return [file for file in (str(path.relative_to(ROOT)) for path in found) if file not in UNFIT]


def _sample(room: str, options: argparse.Namespace) -> list[Mutant]:
    found = []
    for place in ROOMS[room]:
        top = ROOT / "green_callbacks" / place
        for path in sorted(top.rglob("*.py")) if top.is_dir() else [top]:
            found += mutants(path.relative_to(ROOT), ROOT)
    if options.sample and options.sample < len(found):
        found = random.Random(options.seed).sample(found, options.sample)
    return found


def _trials(sample: list[Mutant], covered: Cover, folder: Path) -> Iterator[Trial]:
    for number, mutant in enumerate(sample):
        chosen = covered.covering(mutant)
        counts = Counter(test.partition("::")[0] for test in chosen)
        files = [file for file, _ in counts.most_common()] or ["tests/test_units.py"]
        stages = tuple(tuple(some) for some in (files[:_FIRST_FILES], files[_FIRST_FILES:]) if some)
        limit = _START_SECONDS + _SLOWER * covered.seconds_of(chosen)
        yield Trial(stages, folder / f"trial-{number}", limit, chosen, mutant)


def _fate(room: str, trial: Trial, status: int) -> dict[str, object]:
    """Return what became of a mutant. It has survived as well if no test runs it, or if pytest itself failed."""
    survived = status in {SURVIVED, BROKEN} or not trial.chosen
    return {
        "room": room,
        "mutant": str(trial.mutant),
        "survived": survived,
        "timed_out": status == TIMED_OUT,
        "status": status,
        "tests": len(trial.chosen or ()),
        "killed_by": list(failed_tests(trial.folder)),
    }


def _report(fates: list[dict[str, object]], seconds: float) -> int:
    print("\nSurvivors:")
    for fate in fates:
        if fate["survived"]:
            print(fate["mutant"], "" if fate["tests"] else "    (no test runs this line)")
    for room in (*dict.fromkeys(fate["room"] for fate in fates), "all"):
        counts = Counter(bool(fate["survived"]) for fate in fates if room in (fate["room"], "all"))
        late = sum(bool(fate["timed_out"]) for fate in fates if room in (fate["room"], "all"))
        killed, total = counts[False], counts.total()
        print(f"{room}: {killed} of {total} mutants killed ({killed / total:.1%}), {late} of them by a time limit")
    share = sum(not fate["survived"] for fate in fates) / len(fates)
    print(f"{len(fates)} mutants in {seconds:.0f} s. The bar is {BAR:.0%}.")
    return int(share < BAR)


if __name__ == "__main__":
    sys.exit(main())
