"""Begin and end of an epoch through the accountant, with the ledger on, and what goes on beside training.

``make bench`` runs it. It needs no GPU but a C compiler: NVIDIA's driver is a stand-in (``tests/support/fake_nvml.c``).
``--against TREE`` measures another tree of this repository too, in turns with this one, and prints ratios::

    git worktree add ../before COMMIT
    python tests/benchmarks/edges.py --against ../before

Every measurement is a process of its own: four seconds to settle, then the background, then the edges. An edge costs
what :func:`time.perf_counter` says around ``begin_epoch()`` and around ``end_epoch()``; the figure of an epoch is the
sum of the two, and of a run the median. The ledger lies in a temporary folder.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

HERE = Path(__file__).resolve()
TESTS, TREE = HERE.parents[1], HERE.parents[2]
sys.path.insert(0, str(TESTS))

SCRIPT = "gpu\ntrace square 80 400 1\ncounter 0.1\n"
SETTLE_SECONDS = 4.0


class Case(NamedTuple):
    """What is measured, and the bar: microseconds, or times the other tree."""

    gpus: int
    pause_seconds: float
    has_policies: bool
    epochs: int
    bar_microseconds: float | None = None
    bar_ratio: float | None = None

    @property
    def title(self) -> str:
        """What stands in the table."""
        rules = "CarbonBudget, MarginalGain" if self.has_policies else "no policy"
        return f"{self.gpus} GPU{'s' * (self.gpus > 1)}, pauses of {1e3 * self.pause_seconds:g} ms, {rules}"


CASES = (
    Case(1, 0.0015, has_policies=False, epochs=400, bar_microseconds=230.0),
    Case(8, 0.0015, has_policies=False, epochs=400, bar_microseconds=420.0),
    Case(1, 0.02, has_policies=True, epochs=100, bar_ratio=1.5),
    Case(8, 0.02, has_policies=True, epochs=100, bar_ratio=1.5),
)
"""The bars of the project."""


def time_epochs(accountant: Any, epochs: int, pause_seconds: float, first: int = 0) -> list[tuple[float, float]]:
    """Time the begins and the ends of epochs.

    Args:
        accountant: The accountant, started.
        epochs: How many.
        pause_seconds: Time that passes before each edge, in s.
        first: Index of the first epoch.

    Returns:
        Seconds of each begin and of the end of the same epoch.
    """
    times = []
    for epoch in range(first, first + epochs):
        time.sleep(pause_seconds)
        began = time.perf_counter()
        accountant.begin_epoch(epoch)
        begun = time.perf_counter()
        time.sleep(pause_seconds)
        accountant.observe({"val_acc": 1 - 1 / (epoch + 2)})
        ends = time.perf_counter()
        accountant.end_epoch()
        times.append((begun - began, time.perf_counter() - ends))
    return times


def measured(case: Case, library: str, seconds: float) -> dict[str, float]:
    """Measure a case in this process."""
    from support.fake_nvml import FakeNvml

    from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain
    from green_callbacks.sources import NvmlSource

    FakeNvml(Path(library)).script(SCRIPT * case.gpus)
    accountant = EnergyAccountant(
        sources=[NvmlSource()],
        carbon_intensity=100.0,
        pue=1.0,
        sinks=[],
        ledger="edges.jsonl",
        policies=[CarbonBudget("1000 kg"), MarginalGain("val_acc", min_gain_per_kg=0.0)] if case.has_policies else [],
    )
    accountant.start()
    accountant.begin_epoch(0)
    time.sleep(SETTLE_SECONDS)
    share = cpu_share(seconds)
    accountant.end_epoch()
    times = time_epochs(accountant, case.epochs, case.pause_seconds, first=1)
    began = time.perf_counter()
    accountant.close()
    return figures(times) | {"cpu_share": share, "close_seconds": time.perf_counter() - began}


def figures(times: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Return medians and the 90th percentile of the sum, in s."""
    sums = [begin + end for begin, end in times]
    return {
        "begin_seconds": median(begin for begin, _ in times),
        "end_seconds": median(end for _, end in times),
        "epoch_seconds": median(sums),
        "epoch_p90_seconds": quantiles(sums, n=10)[-1],
    }


def cpu_share(seconds: float) -> float:
    """Return the share of a core that this process takes while nothing is asked of it."""
    used, began = time.process_time(), time.monotonic()
    time.sleep(seconds)
    return (time.process_time() - used) / (time.monotonic() - began)


def in_tree(tree: Path, case: Case, library: Path, seconds: float) -> dict[str, float]:
    """Measure a case with the package of a tree, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPATH": str(tree)}
        job = json.dumps({"case": case, "library": str(library), "seconds": seconds})
        command = [sys.executable, str(HERE), "--job", job]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{tree}: {done.stderr}")
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def rounds(trees: Sequence[Path], case: Case, library: Path, arguments: argparse.Namespace) -> list[dict[str, float]]:
    """Measure a case in every tree in turns, so that what else the machine does meets all of them alike."""
    runs: dict[Path, list[dict[str, float]]] = {tree: [] for tree in trees}
    for number in range(arguments.rounds):
        for tree in trees if number % 2 == 0 else trees[::-1]:
            runs[tree].append(in_tree(tree, case, library, arguments.seconds))
    return [{name: median(run[name] for run in runs[tree]) for name in runs[tree][0]} for tree in trees]


def line(title: str, told: Mapping[str, float], bar: str) -> str:
    """Return a line of the table."""
    times = ("begin_seconds", "end_seconds", "epoch_seconds", "epoch_p90_seconds")
    figures_ = "".join(f"{1e6 * told[name]:10.0f}" for name in times)
    return f"{title:58}{figures_}{100 * told['cpu_share']:9.2f}{told['close_seconds']:9.2f}  {bar}"


def print_case(case: Case, told: Sequence[Mapping[str, float]]) -> None:
    """Print what a case costs here and, where it was measured, in the other tree."""
    bar = f"{case.bar_microseconds:.0f} us" if case.bar_microseconds else ""
    if len(told) == 1:
        bar = bar or f"{case.bar_ratio:g} x (--against)"
        print(line(case.title, told[0], bar), flush=True)
        return
    here, other = told
    ratio = here["epoch_seconds"] / other["epoch_seconds"]
    limit = f", bar {case.bar_ratio:g}" if case.bar_ratio else ""
    print(line(case.title, here, bar))
    background = f"background x {here['cpu_share'] / max(other['cpu_share'], 1e-9):.2f}"
    print(line("  the other tree", other, f"epoch x {ratio:.2f}{limit}; {background}"), flush=True)


def main(arguments: argparse.Namespace) -> None:
    """Measure all cases and print the table."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        sys.exit("This benchmark compiles a stand-in for NVIDIA's driver: it needs Linux and a C compiler (cc).")
    from support.fake_nvml import build

    trees = [TREE, *([Path(arguments.against).resolve()] if arguments.against else [])]
    heads = "".join(f"{head:>10}" for head in ("begin us", "end us", "epoch us", "p90 us"))
    print(
        f"\nEdges, ledger on; Python {platform.python_version()}; load {os.getloadavg()[0]:.1f} before the start; "
        f"medians of {arguments.rounds} processes".ljust(58)
    )
    print(" " * 58 + heads + f"{'CPU %':>9}{'close s':>9}  bar")
    with tempfile.TemporaryDirectory() as folder:
        library = build(compiler, Path(folder))
        for case in CASES:
            print_case(case, rounds(trees, case, library, arguments))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", metavar="TREE", help="another tree of this repository, to be measured in turns")
    parser.add_argument("--rounds", type=int, default=3, help="processes for each case and tree (3)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long the background is watched (3 s)")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        job = json.loads(given.job)
        print(json.dumps(measured(Case(*job["case"]), job["library"], job["seconds"])))
    else:
        main(given)
