"""Runs that are very long: what the last epoch costs beside the first, memory, ledger, read-back, checkpoint, close.

python tests/torture/long_runs.py --epochs 100000 --steps 10000000 --validations 200000
"""

# ruff: noqa: T201  a script that prints

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

HERE = Path(__file__).resolve()

AROUND = 100
"""Epochs whose median is taken, at the beginning and at the end."""
LIMIT_SECONDS = 3600.0


def resident_bytes() -> int:
    """Return the memory of this process that is in use."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def accountant_of(**options: Any) -> tuple[Any, Any]:
    """Return an accountant of two scripted devices, with a ledger, and its clock."""
    from green_callbacks import EnergyAccountant
    from green_callbacks.clock import ScriptedClock
    from green_callbacks.sources import ScriptedSource

    clock = ScriptedClock()
    source = ScriptedSource({"gpu:0": 300.0, "gpu:1": 250.0}, clock=clock)
    options = {"carbon_intensity": 100.0, "pue": 1.2, "sinks": [], "ledger": "long.jsonl", **options}
    return EnergyAccountant(sources=[source], clock=clock, **options), clock


def epochs(count: int) -> dict[str, float]:
    """Train many epochs with a budget and a rule, and go through all that grows."""
    from green_callbacks import CarbonBudget, MarginalGain

    rules = [CarbonBudget("100000 kg"), MarginalGain("val_acc", min_gain_per_kg=0.0)]
    accountant, clock = accountant_of(policies=rules)
    accountant.start()
    before, costs = resident_bytes(), []
    for epoch in range(count):
        began = time.perf_counter()
        accountant.begin_epoch(epoch)
        clock.advance(60.0 + epoch % 7)
        accountant.observe({"val_acc": 1 - 1 / (epoch + 2), "val_loss": 1 / (epoch + 1)}, samples=1000)
        accountant.end_epoch()
        costs.append(time.perf_counter() - began)
    first, last = median(costs[:AROUND]), median(costs[-AROUND:])
    return {
        "first epochs, us": 1e6 * first,
        "last epochs, us": 1e6 * last,
        "last / first": last / first,
        "memory, MB": (resident_bytes() - before) / 1e6,
        **after_epochs(accountant, count),
    }


def after_epochs(accountant: Any, count: int) -> dict[str, float]:
    """Take the state of a run of many epochs, close it, and read it back."""
    from green_callbacks import read_ledger

    began = time.perf_counter()
    state = json.dumps(accountant.state_dict())
    stated = time.perf_counter()
    accountant.close()
    closed = time.perf_counter()
    contents = read_ledger("long.jsonl")
    read = time.perf_counter()
    return {
        "state as JSON, MB": len(state) / 1e6,
        "state_dict() and JSON, s": stated - began,
        "close, s": closed - stated,
        "ledger, bytes an epoch": Path("long.jsonl").stat().st_size / count,
        "read back, epochs a second": count / (read - closed),
        "epochs missing or doubled": abs(count - len([r for r in contents.history if r.epoch is not None])),
    }


def steps(count: int) -> dict[str, float]:
    """Count many steps in one epoch, with decisions inside it."""
    accountant, clock = accountant_of(decide_every=f"{max(1, count // 10)} steps")
    accountant.start()
    accountant.begin_epoch(0)
    before, parts, began = resident_bytes(), 0, time.perf_counter()
    for _ in range(count):
        if accountant.end_step():
            clock.advance(10.0)
            accountant.end_part()
            parts += 1
    seconds, memory = time.perf_counter() - began, resident_bytes() - before
    accountant.end_epoch()
    accountant.close()
    return {
        "a step, us": 1e6 * seconds / count,
        "memory, MB": memory / 1e6,
        "parts": parts,
        "ledger, kB": Path("long.jsonl").stat().st_size / 1e3,
    }


def validations(count: int) -> dict[str, float]:
    """Validate very often in one epoch."""
    accountant, clock = accountant_of()
    accountant.start()
    accountant.begin_epoch(0)
    before, began = resident_bytes(), time.perf_counter()
    for _ in range(count):
        with accountant.phase("validation"):
            clock.advance(0.002)
        clock.advance(0.002)
    validated = time.perf_counter()
    memory = resident_bytes() - before
    accountant.end_epoch()
    ended = time.perf_counter()
    accountant.close()
    return {
        "a validation, us": 1e6 * (validated - began) / count,
        "memory, MB": memory / 1e6,
        "end_epoch(), s": ended - validated,
    }


RUNS = {"epochs": epochs, "steps": steps, "validations": validations}
BARS = {
    "epochs": {
        "last / first": ("at most", 1.2),
        "memory, MB": ("at most", 120.0),
        "state as JSON, MB": ("at most", 5.0),
        "ledger, bytes an epoch": ("at most", 1200.0),
        "read back, epochs a second": ("at least", 25000.0),
        "epochs missing or doubled": ("at most", 0.0),
    },
    "steps": {"memory, MB": ("at most", 20.0)},
    "validations": {"end_epoch(), s": ("at most", 0.1)},
}
"""What the project promises of runs of full length."""


def measured(kind: str, count: int) -> dict[str, float]:
    """Do a long run in a process and a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, str(HERE), "--run", kind, str(count)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    if done.returncode:
        sys.exit(done.stderr)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def is_held(bar: tuple[str, float], figure: float) -> bool:
    """Return whether a figure is within a bar."""
    kind, value = bar
    return figure <= value if kind == "at most" else figure >= value


def main(counts: dict[str, int]) -> int:
    """Do all runs, print the table, and return 1 if a bar is not met."""
    missed = 0
    for kind, count in counts.items():
        print(f"\n{count:,} {kind}")
        for what, figure in measured(kind, count).items():
            bar = BARS[kind].get(what)
            text = f"{bar[0]} {bar[1]:g}{'' if is_held(bar, figure) else '  missed'}" if bar else ""
            missed += "missed" in text
            print(f"  {what:36}{figure:14.3f}  {text}", flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=10_000_000)
    parser.add_argument("--validations", type=int, default=200_000)
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        logging.disable(logging.WARNING)
        print(json.dumps(RUNS[given.run[0]](int(given.run[1]))))
    else:
        sys.exit(main({kind: getattr(given, kind) for kind in RUNS}))
