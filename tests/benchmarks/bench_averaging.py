"""A chip that reports its power as the mean of the last second: epochs of a second against the truth, in real time.

No counter, no buffer: the average (refreshed every 0.1 s) and the power of the instant (25 ms of every 100 ms) are all
that there is, as on an H100 whose counter is refused. ``--busy`` keeps every core busy meanwhile. Needs a C compiler.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.fake_nvml import FakeNvml, loaded
from traces import AVERAGED, scripts

from green_callbacks.meter import EnergyMeter, energy_between
from green_callbacks.sources import NvmlSource
from green_callbacks.worker import Worker

EPOCH_SECONDS, WARMING_SECONDS = 1.0, 1.5
Epoch = tuple[float, float, float, float]
"""True, told, lowest and highest energy, in J."""


def measured(nvml: FakeNvml, script: str, epochs: int) -> list[Epoch]:
    """Measure epochs of one GPU, as a run does: read at the edges, sampled by the worker."""
    nvml.script(f"gpu\n{script}")
    meter, worker = EnergyMeter([NvmlSource()]), Worker()
    meter.open()
    [source] = meter.open_sources
    worker.every(lambda: source.poll_seconds, source.poll)
    worker.start()
    time.sleep(WARMING_SECONDS)
    told = []
    first = meter.read()
    for _ in range(epochs):
        time.sleep(EPOCH_SECONDS)
        last = meter.read()
        [device] = energy_between(first, last).values()
        truth = nvml.energy_joules(0, last.seconds) - nvml.energy_joules(0, first.seconds)
        told.append((truth, device.joules, device.low_joules, device.high_joules))
        first = last
    worker.stop(1.0)
    meter.close()
    return told


def in_child(nvml: FakeNvml, script: str, epochs: int, file: Path) -> int:
    """Measure in a fork, with a driver of its own; return its id."""
    child = os.fork()
    if child == 0:
        file.write_text(json.dumps(measured(nvml, script, epochs)), encoding="ascii")
        os._exit(0)
    return child


def spin() -> None:
    """Keep a core busy."""
    while True:
        pass


def main(arguments: argparse.Namespace) -> None:
    """Run the benchmark."""
    nvml = loaded()
    cores = os.cpu_count() or 1
    spinning = [multiprocessing.Process(target=spin, daemon=True) for _ in range(cores if arguments.busy else 0)]
    for process in spinning:
        process.start()
    print(f"{'trace':16}{'mean error %':>14}{'worst %':>10}{'inside %':>10}{'half width %':>14}")
    everything: list[Epoch] = []
    with tempfile.TemporaryDirectory() as folder:
        jobs = {}
        for name, script in scripts(AVERAGED, arguments.seed).items():
            jobs[name] = in_child(nvml, script, arguments.epochs, Path(folder) / name)
        for name, child in jobs.items():
            os.waitpid(child, 0)
            epochs = json.loads((Path(folder) / name).read_text(encoding="ascii"))
            everything += epochs
            print_row(name, epochs)
    print_row("all", everything)
    for process in spinning:
        process.terminate()
    print(f"load {os.getloadavg()[0]:.1f}; --seed {arguments.seed}")


def print_row(name: str, epochs: list[Epoch]) -> None:
    """Print what some epochs come to."""
    errors = [100 * abs(told - true) / true for true, told, *_ in epochs]
    inside = fmean(100.0 * (low <= true <= high) for true, _, low, high in epochs)
    half = fmean(50 * (high - low) / true for true, _, low, high in epochs)
    print(f"{name:16}{fmean(errors):14.2f}{max(errors):10.2f}{inside:10.1f}{half:14.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=40, help="epochs of 1 s a trace; all traces at once (40)")
    parser.add_argument("--seed", type=int, default=1, help="phases of the traces (1)")
    parser.add_argument("--busy", action="store_true", help="keep every core busy meanwhile")
    main(parser.parse_args())
