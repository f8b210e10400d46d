"""SIGKILL some milliseconds after ``end_epoch()`` returned: how many finished epochs the ledger lacks.

``make torture`` runs it: 100 kills for each kind of sensor, disk and delay. The process that is killed says on a pipe
that ``end_epoch()`` has returned, and from then on runs Python code that never waits, so that no other thread gets the
interpreter but by its switch interval. A slow disk takes a second for every fsync.

    python tests/torture/kills.py --times 100
"""

# ruff: noqa: T201  a script that prints

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import slow_disk

HERE = Path(__file__).resolve()
DELAYS_SECONDS = (0.0, 0.001, 0.002, 0.005, 0.01)
SENSORS = {
    "counter GPU": "gpu\ntrace square 80 400 1.3\ncounter 0.1",
    "sampled GPU": "gpu\ntrace square 80 400 1.3\narch 4\ncounter 0",
    "averaging chip": "gpu\ntrace square 80 400 1.3\narch 9\ncounter 0\npower 0\naverage 0.1 1",
    "CPU model": "",
}
DISKS = {"fast disk": 0.0, "slow disk": 1000.0}
"""What a sync takes, in ms."""
EPOCH_SECONDS = 0.02
MOST_EPOCHS = 4
LIMIT_SECONDS = 60.0


class Count(NamedTuple):
    """What became of the epochs of some kills."""

    kills: int
    finished: int
    lost: int


def source_of(sensor: str, library: str) -> Any:
    """Return a source of a kind; its driver is scripted."""
    from green_callbacks.sources import CpuModelSource, NvmlSource

    if not SENSORS[sensor]:
        return CpuModelSource()
    from support.fake_nvml import FakeNvml

    FakeNvml(Path(library)).script(SENSORS[sensor])
    return NvmlSource()


def train(sensor: str, library: str, ledger: Path, epochs: int, told: int) -> None:
    """Train in the process that is killed: say that an epoch has ended, and go on without ever waiting."""
    from green_callbacks import EnergyAccountant

    accountant = EnergyAccountant(
        sources=[source_of(sensor, library)], carbon_intensity=100.0, pue=1.0, sinks=[], ledger=ledger
    )
    accountant.start()
    for epoch in range(epochs):
        accountant.begin_epoch(epoch)
        time.sleep(EPOCH_SECONDS)
        accountant.end_epoch()
        os.write(told, bytes([epoch]))
    number = 0
    while True:
        number += 1


def kill_one(sensor: str, library: str, folder: Path, delay_seconds: float, epochs: int) -> tuple[int, int]:
    """Train in a fork and kill it; return how many epochs it had finished, and how many of them are lost."""
    from green_callbacks import read_ledger
    from green_callbacks.errors import LedgerError

    ledger = folder / f"{random.getrandbits(64):x}.jsonl"
    hears, told = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(round(LIMIT_SECONDS))  # ends it, should nobody else
        train(sensor, library, ledger, epochs, told)
    os.close(told)
    try:
        finished = [os.read(hears, 1)[0] for _ in range(epochs)]
        if delay_seconds:
            time.sleep(delay_seconds)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    os.close(hears)
    try:
        kept = {record.epoch for record in read_ledger(ledger).history}
    except LedgerError:
        kept = set()
    ledger.unlink(missing_ok=True)
    return len(finished), len(set(finished) - kept)


def serve(job: dict[str, Any]) -> dict[str, list[int]]:
    """Do the kills of one sensor on one disk, in this process; return the counts by delay."""
    import green_callbacks  # noqa: F401  imported once, before the forks

    counts: dict[str, list[int]] = {}
    for delay in job["delays"]:
        results = [
            kill_one(job["sensor"], job["library"], Path(job["folder"]), delay, 1 + number % MOST_EPOCHS)
            for number in range(job["times"])
        ]
        counts[str(delay)] = [len(results), sum(done for done, _ in results), sum(lost for _, lost in results)]
    return counts


def counts_of(
    sensor: str, disk: str, library: Path | None, times: int, delays: Sequence[float] = DELAYS_SECONDS
) -> dict[float, Count]:
    """Kill trainings with one kind of sensor on one kind of disk, in processes of their own.

    Returns:
        What became of the epochs, by the delay of the kill in s.
    """
    with tempfile.TemporaryDirectory() as folder:
        job = {"sensor": sensor, "library": str(library), "times": times, "folder": folder, "delays": delays}
        environ = slow_disk.environment(Path(folder), fsync_ms=DISKS[disk]) if DISKS[disk] else {}
        done = subprocess.run(
            [sys.executable, str(HERE), "--job", json.dumps(job)],
            env=os.environ | environ,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS + 10.0 * times * len(delays),
            check=True,
        )
    return {float(delay): Count(*count) for delay, count in json.loads(done.stdout.splitlines()[-1]).items()}


def main(times: int) -> int:
    """Kill, print the table, and return 1 if an epoch is lost."""
    compiler = slow_disk.compiler()
    if compiler is None:
        sys.exit("The stand-ins for NVIDIA's driver and for a slow disk need Linux and a C compiler (cc).")
    from support.fake_nvml import build

    print(f"{'SIGKILL after end_epoch() returned':44}{'after ms':>9}{'kills':>8}{'epochs':>8}{'lost':>8}")
    total = 0
    folder = tempfile.mkdtemp()
    library = build(compiler, Path(folder))
    for sensor in SENSORS:
        for disk in DISKS:
            for delay, count in counts_of(sensor, disk, library, times).items():
                total += count.lost
                print(
                    f"{f'{sensor}, {disk}':44}{1e3 * delay:9.0f}{count.kills:8}{count.finished:8}{count.lost:8}",
                    flush=True,
                )
    shutil.rmtree(folder)
    print(f"{total} finished epochs were lost." if total else "No finished epoch was lost.")
    return int(total > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100, help="kills for each sensor, disk and delay (100)")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        print(json.dumps(serve(json.loads(given.job))))
        os._exit(0)
    sys.exit(main(given.times))
