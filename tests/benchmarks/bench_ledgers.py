"""How long sums over many ledgers take, on the first look and from the index, and what ``summary`` writes of them.

Run it anywhere; it needs no framework::

    python tests/benchmarks/bench_ledgers.py --runs 5000 --epochs 1000

It writes ledgers first, of a machine each, or all on one GPU at the same time with ``--together``. Each look is a
process of its own, so that its memory is its own. Times are processor seconds, because other programs may run.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.many_runs import MadeRun

from green_callbacks.ledger import Lines, closing_of
from green_callbacks.ledger.project_totals import project_closings
from green_callbacks.records import History

SETTLING_SECONDS = 2.5
"""Time in s after which an index trusts a ledger, with some margin."""
KILLED_EVERY = 20
"""Every how many runs one has no end."""
KILOBYTE = 1_000
"""Bytes in a kilobyte."""
RSS_PER_MEGABYTE = 1_024
"""Units of ``ru_maxrss`` in a megabyte on Linux."""


def ledger(epochs: int, *, is_closed: bool) -> tuple[MadeRun, bytes]:
    """Return a run without breaks between its records, and its ledger."""
    run, lines, history = MadeRun(0, epochs, is_killed=not is_closed), Lines(), History()
    data, at = bytearray(lines.head(run.head())), None
    for record in run.records():
        at = record.started_at if at is None else at
        moved = record._replace(started_at=at)
        at += timedelta(seconds=record.duration_seconds)
        history.append(moved)
        data += lines.record(moved)
    if is_closed:
        closing = closing_of(run.run_id, history, monitor="val_acc", mode="max")
        data += lines.end(None, replace(closing, head_offset=0), len(data))
    return run, bytes(data)


def write_ledgers(folder: Path, runs: int, epochs: int, *, together: bool) -> None:
    """Write the ledgers of runs, which are copies of two with other names, and of other machines unless together."""
    closed, killed = ledger(epochs, is_closed=True), ledger(epochs, is_closed=False)
    for number in range(runs):
        run, data = killed if number % KILLED_EVERY == KILLED_EVERY - 1 else closed
        data = data.replace(run.run_id.encode(), f"made-run-{number:06d}".encode())
        if not together:  # each on a machine of its own
            data = data.replace(b'"host":"node01"', b'"host":"n%05d"' % number, 1)
        place = folder / f"trial_{number:05d}" / "green-callbacks" / f"made-run-{number:06d}.jsonl"
        place.parent.mkdir(parents=True)
        place.write_bytes(data)


def look(folder: Path, what: str) -> dict[str, float]:
    """Look at a folder in this process; return what it took."""
    began = time.process_time()
    if what == "sum":
        found = project_closings(folder)
        result = {"kg": sum(each.emissions_kg for each in found.closings), "runs": len(found.closings)}
    else:
        from contextlib import redirect_stdout
        from io import StringIO

        from green_callbacks.cli import main

        with redirect_stdout(StringIO()) as written:
            main(["summary", str(folder)])
        text = written.getvalue()
        result = {"lines": len(text.splitlines()), "kilobytes": len(text.encode()) / KILOBYTE}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / RSS_PER_MEGABYTE
    return {**result, "cpu_seconds": time.process_time() - began, "peak_megabytes": peak}


def looked(folder: Path, what: str) -> dict[str, float]:
    """Look at a folder in a process of its own."""
    command = [sys.executable, __file__, "--look", what, "--folder", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Write ledgers, look at them four times, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5_000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--together", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--look", choices=("sum", "summary"))
    arguments = parser.parse_args()
    if arguments.look is not None:
        print(json.dumps(look(arguments.folder, arguments.look)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        folder = Path(place)
        write_ledgers(folder, arguments.runs, arguments.epochs, together=arguments.together)
        megabytes = sum(each.stat().st_size for each in folder.rglob("*.jsonl")) / 1e6
        time.sleep(SETTLING_SECONDS)
        print(f"{arguments.runs:,} ledgers x {arguments.epochs:,} epochs, {megabytes:,.0f} MB")
        for name, what in {"first sum": "sum", "second sum": "sum", "summary": "summary"}.items():
            took = looked(folder, what)
            said = ", ".join(f"{key} {value:.4g}" for key, value in took.items())
            print(f"{name:<12}{said}")


if __name__ == "__main__":
    main()
