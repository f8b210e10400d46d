"""This package, a bare difference of NVIDIA's counter, and the peers: error against an exact truth, and cost.

``make bench`` runs it in an environment of its own. It needs no GPU but a C compiler: NVIDIA's driver is a stand-in
(``tests/support/fake_nvml.c``) whose GPUs follow known traces, and which all reach by the binding that they use anyway.
All contenders run at once, in real time, every trace in a process of its own; only Zeus without a counter runs alone,
as it takes whole cores. Windows begin and end at random phase. Error is the mean of |told - true| / true.
"""

import argparse
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contenders import CONTENDERS
from footprint import footprint
from support.fake_nvml import build
from tables import LONG, PEER, SHORT, print_accuracy, print_bounds, print_ratios
from traces import NO_COUNTER, SAMPLED, SQUARE, TRACES, scripts

HERE = Path(__file__).resolve().parent
SHORT_PER_LONG = 2
FEW = 4
EDGES, EPOCH_ROUNDS = 400, 3
ONE, EIGHT, SAMPLING = "1 GPU", "8 GPUs", "1 GPU, no counter"
COST_SCRIPTS = {
    ONE: (f"{SQUARE} 1\ncounter 0.1", 1),
    EIGHT: (f"{SQUARE} 1\ncounter 0.1", 8),
    SAMPLING: (f"{SQUARE} 1\n{NO_COUNTER}", 1),
}
COSTS = {
    "ours": (ONE, EIGHT, SAMPLING),
    "measure()": (ONE,),
    "bare": (ONE, EIGHT),
    "zeus": (ONE, EIGHT, SAMPLING),
    "codecarbon": (ONE, EIGHT, SAMPLING),
    "carbontracker": (ONE, EIGHT),
    "eco2ai": (ONE, EIGHT),
    "landauer-gap": (ONE, EIGHT, SAMPLING),
}

Told = Mapping[str, Any]

_running: set[int] = set()
"""Leaders of the groups of processes that are measuring now."""


def end_group(leader: int) -> None:
    """End a contender and whatever it has started: some peers sample in processes of their own, which never end."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def in_group(command: list[str], text: str, environment: Mapping[str, str], folder: str) -> tuple[str, str]:
    """Run a command in a session of its own, of which nothing is left; return its output and its errors."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=folder,
        text=True,
        start_new_session=True,
    ) as process:
        _running.add(process.pid)
        try:
            return process.communicate(text)
        finally:
            end_group(process.pid)
            _running.discard(process.pid)


def result_of(name: str, library: Path, **job: object) -> Told:
    """Have a contender do a job in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        smi = Path(folder) / "nvidia-smi"  # codecarbon looks for the program before it asks the library
        smi.write_text("#!/bin/sh\n", encoding="ascii")
        smi.chmod(0o755)
        environment = os.environ | {
            "LD_LIBRARY_PATH": str(library.parent),
            "PATH": f"{folder}:{os.environ['PATH']}",
            "PYTHONWARNINGS": "ignore",
        }
        text = json.dumps(job | {"library": str(library), "runner": os.getpid()})
        output, errors = in_group([sys.executable, str(HERE / "contenders.py"), name], text, environment, folder)
    return json.loads(output) if output else {"error": (errors.strip() or "it was killed").splitlines()[-1]}


def accuracies(library: Path, windows: Mapping[str, int], seed: int) -> dict[str, dict[str, Any]]:
    """Let all contenders measure all traces."""

    def told(name: str) -> dict[str, Any]:
        traces = TRACES if name in ("bare", "zeus") else TRACES | SAMPLED
        lengths = {SHORT: windows[SHORT]} if name == "measure()" else windows
        result = result_of(name, library, trial="accuracy", traces=scripts(traces, seed), windows=lengths, seed=seed)
        return result.get("traces") or dict.fromkeys(traces, result)

    with ThreadPoolExecutor(len(CONTENDERS)) as threads:
        try:
            results = dict(zip(CONTENDERS, threads.map(told, CONTENDERS), strict=True))
        finally:  # interrupted: the threads wait for contenders, which know nothing of it
            for leader in list(_running):
                end_group(leader)
    fewer = {SHORT: FEW, LONG: 1}
    alone = result_of("zeus", library, trial="accuracy", traces=scripts(SAMPLED, seed), windows=fewer, seed=seed)
    results["zeus"] |= alone.get("traces") or dict.fromkeys(SAMPLED, alone)
    return results


def print_costs(library: Path, seconds: float) -> None:
    """Print what everybody costs, one after the other."""
    heads = ["import s", "start s", "begin us", "end us", "CPU %", "calls/s/GPU", "RSS MB", "packages", "MB"]
    print("\nCost".ljust(39) + "".join(f"{head:>12}" for head in heads))
    for name, kind in CONTENDERS.items():
        parts = footprint(kind.distribution or name)
        for setting in COSTS[name]:
            script, gpus = COST_SCRIPTS[setting]
            edges = 2 if name == "measure()" else EDGES
            told = result_of(name, library, trial="cost", script=script, gpus=gpus, edges=edges, seconds=seconds)
            print(f"{f'{name}, {setting}':38}" + cost_line(told, parts), flush=True)


def print_epochs(library: Path) -> None:
    """Print what beginning and ending an epoch costs us with the ledger on, and what it costs the peer.

    Both are measured in turns, so that other load on the machine meets both.
    """
    title = f"An epoch, begin + end, in us (medians of {EPOCH_ROUNDS} processes)"
    print(f"\n{title:59}{'ours, with ledger':>20}{PEER:>15}")
    for setting in COSTS[PEER]:
        script, gpus = COST_SCRIPTS[setting]
        rounds = [
            [result_of(name, library, trial="epochs", script=script, gpus=gpus, edges=EDGES) for name in ("ours", PEER)]
            for _ in range(EPOCH_ROUNDS)
        ]
        ours, theirs = (
            median(1e6 * told["epoch_seconds"] for told in column)
            if all("epoch_seconds" in told for told in column)
            else nan
            for column in zip(*rounds, strict=True)
        )
        print(f"{setting:59}{ours:20.0f}{theirs:15.0f}", flush=True)


def cost_line(told: Told, parts: tuple[int, float]) -> str:
    """Return the costs of a contender, as text."""
    if "error" in told:
        return f"  fails: {told['error'][:90]}"
    figures = [
        f"{told['import_seconds']:.2f}",
        f"{told['start_seconds']:.3f}",
        f"{1e6 * told['begin_seconds']:.0f}" if told["begin_seconds"] is not None else "-",
        f"{1e6 * told['end_seconds']:.0f}" if told["end_seconds"] is not None else "-",
        f"{100 * told['cpu_share']:.2f}",
        f"{told['calls_a_second']:.1f}",
        f"{told['resident_bytes'] / 1e6:.0f}",
        f"{parts[0]}",
        f"{parts[1]:.1f}",
    ]
    return "".join(f"{figure:>12}" for figure in figures)


def cpu_name() -> str:
    """Return what the processor calls itself."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def main(arguments: argparse.Namespace) -> None:
    """Run the benchmark."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        sys.exit("This benchmark compiles a stand-in for NVIDIA's driver: it needs Linux and a C compiler (cc).")
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**6)
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {os.cpu_count()} x {cpu_name()}; Python {platform.python_version()};"
    )
    windows = {SHORT: arguments.windows, LONG: max(1, arguments.windows // SHORT_PER_LONG)}
    counts = " and ".join(f"{count} windows of {length} s" for length, count in windows.items())
    print(f"load {os.getloadavg()[0]:.1f} before the start; {counts} a trace; --seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        library = build(compiler, Path(folder))
        if not arguments.cost_only:
            results = accuracies(library, windows, seed)
            notes: list[str] = []
            print_accuracy(results, SHORT, list(CONTENDERS), notes)
            print_accuracy(results, LONG, [name for name in CONTENDERS if name != "measure()"], notes)
            for number, note in enumerate(notes, 1):
                print(f"[{number}] {note[:180]}")
            print_ratios(results)
            print_bounds(results)
        print_costs(library, arguments.seconds)
        print_epochs(library)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=36, help="windows of 2 s per trace; half as many of 10 s (36)")
    parser.add_argument("--seed", type=int, help="phases of the traces, and when windows begin; random unless given")
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="how long the background is watched, three times (2 s)"
    )
    parser.add_argument("--cost-only", action="store_true", help="the cost only: about four minutes")
    main(parser.parse_args())
