"""Interrupts anywhere: at every line and instruction of ours, and signals at random instants. ``make torture`` runs it.

python tests/torture/interrupts.py --stride 1 --signals 1000
"""

# ruff: noqa: T201  a script that prints

import argparse
import json
import logging
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import signals
import traced

HERE = Path(__file__).resolve()
SHOWN = 15
MOST_HANGS = 3
"""So many are enough to see what is wrong: each costs 20 s."""


def signaled(name: str, times: int, seed: int = 0) -> tuple[int, Counter[str]]:
    """Send signals to trainings in processes of their own; begin anew after one that hangs.

    Returns:
        How many came in time, and the faults with how often; a hang is one.
    """
    done, hangs, faults, end = 0, 0, Counter[str](), seed + times
    while seed < end and hangs < MOST_HANGS:
        process = subprocess.run(
            [sys.executable, str(HERE.parent / "signals.py"), name, str(seed), str(end - seed)],
            capture_output=True,
            text=True,
            check=False,
        )
        *begun, last = process.stdout.splitlines() or [str(seed)]
        if process.returncode == 0:
            came, found = json.loads(last)
            return done + came, faults + Counter(found)
        seed = int(last if last.isdigit() else begun[-1]) + 1
        done, hangs = done + 1, hangs + 1
        faults[f"it hung or died: {_where(process.stderr)}"] += 1
    return done, faults


def _where(errors: str) -> str:
    """Return where the last thread of a traceback was, in a line."""
    lines = [line.strip() for line in errors.splitlines() if "File" in line and "green_callbacks" in line]
    return lines[0] if lines else (errors.strip().splitlines() or ["no word"])[-1]


def show(title: str, done: int, faults: Counter[str]) -> int:
    """Print what came of interrupts; return the number of faults."""
    print(f"{title:44}{done:10}{faults.total():10}", flush=True)
    for fault, count in faults.most_common(SHOWN):
        print(f"    {count} x {fault[:200]}")
    return faults.total()


def main(stride: int, opcode_stride: int, times: int) -> int:
    """Interrupt, print the table, and return 1 if something did not hold."""
    logging.disable(logging.CRITICAL)
    print(f"{'Interrupts':44}{'came':>10}{'faults':>10}")
    total = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, step, opcodes in (("line", stride, False), ("instruction", opcode_stride, True)):
            numbers = range(1, traced.events_of(folder, opcodes=opcodes) + 1, step)
            done, faults = traced.faults_at(numbers, folder, opcodes=opcodes)
            total += show(f"at an executed {what}, every {step}.", done, faults)
    for handler in signals.HANDLERS:
        total += show(f"signal, the handler {handler}", *signaled(handler, times))
    return int(total > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stride", type=int, default=1, help="every how many lines (1)")
    parser.add_argument("--opcode-stride", type=int, default=11, help="every how many instructions (11)")
    parser.add_argument("--signals", type=int, default=500, help="signals for each handler (500)")
    given = parser.parse_args()
    sys.exit(main(given.stride, given.opcode_stride, given.signals))
