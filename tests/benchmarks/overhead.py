"""What accounting costs, as a table; run it with ``python tests/benchmarks/overhead.py``.

The bars are promises of the project. Nothing here fails: a figure is a figure of the machine it was measured on.
"""

import json
import logging
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from green_callbacks import EnergyAccountant, History, Sink, Summary, TensorBoardSink, read_ledger
from green_callbacks.call_threads import Threads
from green_callbacks.ledger import Head, RunLedger
from green_callbacks.records import DeviceEnergy, EpochRecord, Intensity, PhaseEnergy
from green_callbacks.sources import ScriptedSource

EPOCHS = 10_000
IMPORTS = 15
LONG_SECONDS = 60.0
WINDOW = 100  # epochs around each of those below
AT = (10, 100, 1_000, 10_000)

Row = tuple[str, str, str]


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def import_rows() -> list[Row]:
    """Compare starting Python with and without importing the package, taking turns."""

    def start(script: str) -> float:
        return seconds_of(lambda: subprocess.run([sys.executable, "-c", script], check=True))

    scripts = {
        "import green_callbacks": "import green_callbacks",
        "  and its public names": "from green_callbacks import *",
    }
    times: dict[str, list[float]] = {name: [] for name in ("pass", *scripts)}
    for _ in range(IMPORTS):
        times["pass"].append(start("pass"))
        for name, script in scripts.items():
            times[name].append(start(script))
    base = statistics.median(times["pass"])
    return [
        (name, f"{(statistics.median(times[name]) - base) * 1e3:.1f} ms", "" if name[0] == " " else "50 ms")
        for name in scripts
    ]


def epoch_rows(folder: Path) -> list[Row]:
    """Train many epochs that take no time, with all sinks on, and time what the training thread pays."""
    os.chdir(folder)
    sinks: list[Sink] = [TensorBoardSink(), Summary()]
    accountant = EnergyAccountant(sources=[ScriptedSource(300.0)], location="DE", pue=1.2, sinks=sinks)
    accountant.start()
    costs = []
    for epoch in range(AT[-1] + WINDOW):
        began = time.perf_counter()
        accountant.begin_epoch(epoch)
        begun = time.perf_counter()
        accountant.observe({"val_acc": 1 - 1 / (epoch + 2), "val_loss": 1 / (epoch + 1)}, learning_rate=0.1, samples=10)
        with accountant.phase("validation"):
            pass
        time.sleep(0.0012)  # an epoch longer than a shared edge, so that all readings and rows are made
        ended = time.perf_counter()
        accountant.end_epoch()
        costs.append((begun - began) + (time.perf_counter() - ended))
    accountant.close()
    rows = []
    for at in AT:
        around = costs[max(0, at - WINDOW) : at + WINDOW]
        rows.append((f"begin_epoch + end_epoch, epoch {at:,}", f"{statistics.median(around) * 1e3:.3f} ms", "1 ms"))
    names = ", ".join(["ledger", *(type(sink).__name__ for sink in sinks)])
    rows.append(
        (f"  all sinks on ({names}): 99th percentile", f"{sorted(costs)[len(costs) * 99 // 100] * 1e3:.3f} ms", "")
    )
    return rows


def long_history() -> list[EpochRecord]:
    """Make the records of a long run with a GPU, processors and memory, all different."""
    began = datetime(2025, 1, 1, tzinfo=UTC)
    intensity = Intensity(g_per_kwh=329.7, zone="DE", year=2025, source="a table", found_by="argument")

    def device(joules: float, component: str) -> DeviceEnergy:
        return DeviceEnergy(
            joules=joules,
            low_joules=joules * 0.999,
            high_joules=joules * 1.001,
            component=component,
            method="counter",
            duration_seconds=60.0,
        )

    def record(epoch: int) -> EpochRecord:
        joules = 18_000.0 + epoch / 7
        return EpochRecord(
            epoch=epoch,
            started_at=began + timedelta(seconds=60.123 * epoch),
            duration_seconds=60.0 + 1 / (epoch + 3),
            devices={"gpu:0": device(joules, "gpu"), "cpu:package-0": device(joules / 3, "cpu")},
            phases={"train": PhaseEnergy(joules, 55.0 + 1 / (epoch + 7)), "validation": PhaseEnergy(joules / 3, 5.0)},
            intensity=intensity,
            pue=1.2,
            step=epoch * 100,
            metrics={"val_acc": 1 - 1 / (epoch + 2), "val_loss": 1 / (epoch + 1)},
            learning_rate=0.1 / (epoch + 1),
            samples=50_000,
        )

    return [record(epoch) for epoch in range(EPOCHS)]


def history_rows(folder: Path) -> list[Row]:
    """Measure memory, ledger and checkpoint of a long run."""
    records = long_history()
    tracemalloc.start()
    history = History(records)
    held_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    head = Head(run_id="long", version="0")
    ledger = RunLedger(folder / "long.jsonl", head, history, held=None, checkpoints={}, threads=Threads())
    ledger.open()
    ledger.close(LONG_SECONDS)
    state = history.to_columns()
    as_json, as_pickle = json.dumps(state), pickle.dumps(state)
    restore = statistics.median(seconds_of(lambda: History.from_columns(json.loads(as_json))) for _ in range(3))
    read = statistics.median(seconds_of(lambda: read_ledger(ledger.path)) for _ in range(3))
    return [
        (f"memory of a history of {EPOCHS:,} epochs", f"{held_bytes / 1e6:.1f} MB", "20 MB"),
        (f"reading back its ledger ({ledger.path.stat().st_size / 1e6:.1f} MB)", f"{read:.2f} s", "1 s"),
        ("its checkpoint state as JSON", f"{len(as_json) / 1e6:.1f} MB", "5 MB"),
        ("its checkpoint state as pickle", f"{len(as_pickle) / 1e6:.1f} MB", "5 MB"),
        ("restoring it from its checkpoint", f"{restore:.2f} s", ""),
    ]


def main() -> None:
    """Measure everything and print it."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        rows = [*import_rows(), *epoch_rows(Path(folder)), *history_rows(Path(folder))]
        os.chdir("/")
    for what, figure, bar in [("", "measured", "bar"), *rows]:
        print(f"{what:<64}{figure:>12}{bar:>10}")


if __name__ == "__main__":
    main()
