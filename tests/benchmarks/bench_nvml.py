"""Energy of GPUs against an exact truth, beside a bare difference of the counter.

Run it by ``python tests/benchmarks/bench_nvml.py``. It needs no GPU: NVIDIA's driver is a stand-in
(``tests/nvml/fake_nvml.c``) whose GPUs follow known traces, reached through the real binding. All traces run at once,
in real time. Prints, for every trace, the mean absolute error over windows at random phase; how often the stated bounds
hold the truth, and how wide they are; what an edge and the background cost.
"""

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import hypot
from pathlib import Path
from statistics import fmean, median
from typing import Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nvml.stand_in import GPUS, FakeNvml, build

from green_callbacks.records import Reading
from green_callbacks.sources.nvml import NvmlSource

SQUARE = "square 80 400"
TRACES = {
    "constant 300 W": ("constant 300", "counter 0.1 {offset}"),
    "square 0.3 Hz": (f"{SQUARE} 0.3 0.5 {{phase}}", "counter 0.1 {offset}"),
    "steps": ("steps 1.3 100 0.7 350 2.1 220 0.9 400 1.7 150", "counter 0.1 {offset}"),
    "square 1 Hz": (f"{SQUARE} 1 0.5 {{phase}}", "counter 0.1 {offset}"),
    "sine 1 Hz": ("sine 240 160 1 {phase}", "counter 0.1 {offset}"),
    "square 7 Hz": (f"{SQUARE} 7 0.5 {{phase}}", "counter 0.1 {offset}"),
    "square 1 Hz, jitter 10 %": (f"{SQUARE} 1 0.5 {{phase}}", "counter 0.1 {offset} 0.1"),
    "square 1 Hz, power as H100": (f"{SQUARE} 1 0.5 {{phase}}", "counter 0.1 {offset}\npower 0.1 0.025\naverage 0.1 1"),
    "no counter: constant": ("constant 300", "counter 0"),
    "no counter: 0.3 Hz": (f"{SQUARE} 0.3 0.5 {{phase}}", "counter 0"),
    "no counter: 1 Hz": (f"{SQUARE} 1 0.5 {{phase}}", "counter 0"),
    "no counter: sine": ("sine 240 160 1 {phase}", "counter 0"),
    "sample buffer: 0.3 Hz": (f"{SQUARE} 0.3 0.5 {{phase}}", "counter 0\nsamples 0.02 120"),
    "sample buffer: 7 Hz": (f"{SQUARE} 7 0.5 {{phase}}", "counter 0\nsamples 0.02 120"),
}
TIMED_READS = 2000


class Polling:
    """A source polled on a thread, as the package's worker does it, and what that costs."""

    def __init__(self, source: NvmlSource) -> None:
        self.cpu_seconds = 0.0
        self._source = source
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._source.open()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._source.close()

    def _run(self) -> None:
        while not self._stop.wait(self._source.poll_seconds or 1.0):
            self._source.poll()
            self.cpu_seconds = time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)


class Score:
    """Errors of one trace."""

    def __init__(self) -> None:
        self.percent: list[float] = []
        self.bare_percent: list[float] = []
        self.joules: list[float] = []
        self.widths: list[float] = []
        self.covered: list[bool] = []

    def add(self, first: Reading, last: Reading, true_joules: float) -> None:
        """Take in one window."""
        joules = (last.joules or 0.0) - (first.joules or 0.0)
        error = joules - true_joules
        below, above = hypot(last.below_joules, first.above_joules), hypot(last.above_joules, first.below_joules)
        self.percent.append(100 * abs(error) / true_joules)
        self.joules.append(abs(error))
        self.widths.append(below + above)
        self.covered.append(-above <= error <= below)


def bare_joules(handle: object) -> float | None:
    """Return the counter as anybody can read it, in J; None if there is none."""
    import pynvml

    try:
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3
    except pynvml.NVMLError:
        return None


def measured_windows(fake: FakeNvml, gpu: int, seconds: float, count: int, *, settled: bool) -> Score:
    """Measure windows of one GPU, by a source of its own."""
    import pynvml

    score = Score()
    uuid = GPUS[gpu].removeprefix("gpu:")
    source = NvmlSource([uuid])
    with Polling(source):
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        for _ in range(count):
            time.sleep(random.uniform(0.0, 0.3))
            if settled:
                source.read_settled()
            (first,), began = source.read().values(), time.monotonic()
            bare_first = bare_joules(handle)
            time.sleep(seconds + random.uniform(0.0, 0.2))
            bare_last, ended = bare_joules(handle), time.monotonic()
            (last,) = (source.read_settled() if settled else source.read()).values()
            true_joules = fake.energy_joules(gpu, ended) - fake.energy_joules(gpu, began)
            score.add(first, last, true_joules)
            if bare_first is not None and bare_last is not None:
                score.bare_percent.append(100 * abs(bare_last - bare_first - true_joules) / true_joules)
    return score


def print_scores(title: str, scores: list[Score]) -> None:
    """Print a table, and the bounds over all traces."""
    print(f"\n{title:30} {'ours':>8} {'bare':>8} {'ratio':>6} {'covered':>8} {'width/error':>12}")
    for trace, score in zip(TRACES, scores, strict=True):
        ours, bare = fmean(score.percent), fmean(score.bare_percent) if score.bare_percent else None
        width = fmean(score.widths) / max(fmean(score.joules), 1e-9)
        shown = f"{bare:7.3f}% {bare / max(ours, 1e-9):6.1f}" if bare is not None else f"{'-':>8} {'-':>6}"
        print(f"{trace:30} {ours:7.3f}% {shown} {100 * fmean(score.covered):7.0f}% {min(width, 999.0):12.1f}")
    width = sum(sum(score.widths) for score in scores) / sum(sum(score.joules) for score in scores)
    covered = fmean(hit for score in scores for hit in score.covered)
    print(f"{'all':30} {'':8} {'':8} {'':6} {100 * covered:7.1f}% {width:12.1f}")


def print_cost(fake: FakeNvml, gpus: int, seconds: float) -> None:
    """Print what the edges of an epoch and the background cost."""
    fake.script("gpu\ntrace square 80 400 1\n" * gpus)
    source = NvmlSource()
    before = time.perf_counter()
    with Polling(source) as polling:
        opened = time.perf_counter() - before
        time.sleep(3.0)
        calls, cpu, start = fake.calls(), polling.cpu_seconds, time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - start
        rate, share = (fake.calls() - calls) / passed / gpus, (polling.cpu_seconds - cpu) / passed
        calls, times = fake.calls(), []
        for _ in range(TIMED_READS):
            begun = time.perf_counter()
            source.read()
            source.read()
            times.append(time.perf_counter() - begun)
        edge_calls = (fake.calls() - calls) / (2 * TIMED_READS * gpus)
    print(
        f"{gpus} GPU: begin + end {1e6 * median(times):.0f} us median, {edge_calls:.1f} calls an edge; background "
        f"{100 * share:.2f} % of a core, {rate:.1f} calls a second and GPU; open {opened:.2f} s"
    )


def mixed_script(rng: random.Random) -> str:
    """Return GPUs with all traces at random phases."""
    lines = []
    for trace, sensors in TRACES.values():
        values = {"phase": f"{rng.random():.3f}", "offset": f"{rng.uniform(0.0, 0.1):.4f}"}
        lines += ["gpu", "trace " + trace.format(**values), sensors.format(**values)]
    return "\n".join(lines)


def main(arguments: Mapping[str, object]) -> None:
    """Run the benchmark."""
    compiler = shutil.which("cc")
    if compiler is None:
        sys.exit("This benchmark compiles a stand-in for NVIDIA's driver: it needs a C compiler (cc).")
    with tempfile.TemporaryDirectory() as folder:
        fake = FakeNvml(build(compiler, Path(folder)))
        windows = int(str(arguments["windows"]))
        fake.script(mixed_script(random.Random()))
        rows = [("epochs of 2 s", 2.0, False), ("measured blocks of 2 s", 2.0, True)]
        rows += [("epochs of 10 s", 10.0, False)] if arguments["long"] else []
        for title, seconds, settled in rows:
            measure = partial(measured_windows, fake, seconds=seconds, count=windows, settled=settled)
            with ThreadPoolExecutor(len(TRACES)) as threads:
                print_scores(title, list(threads.map(measure, range(len(TRACES)))))
        print()
        for gpus in (1, 8):
            print_cost(fake, gpus, seconds=10.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=12, help="windows per trace (12)")
    parser.add_argument("--long", action="store_true", help="epochs of 10 s too: two minutes more")
    main(vars(parser.parse_args()))
