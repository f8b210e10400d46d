"""What contenders are put through, in their own process: windows at random phase, and what all of it costs."""

import json
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.fake_nvml import FakeNvml

Window = tuple[float, float, float | None, float | None]
"""True joules, joules told, and the bounds told."""

PAUSE_SECONDS, EXTRA_SECONDS = 0.3, 0.2
SETTLE_SECONDS, EDGES_SECONDS = 4.0, 2.0
WATCHES = 3
SHORTEST_WINDOW_SECONDS = 0.0015


def script_all(fake: FakeNvml, script: str) -> None:
    """Script the driver of this process, and of those that it starts: some peers sample in others."""
    script = f"start {time.monotonic()}\n{script}"
    fake.script(script)
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write(script)
    os.environ["FAKE_NVML"] = file.name


def accuracy(
    contender: Any, library: str, traces: Mapping[str, str], windows: Mapping[str, int], seed: int
) -> dict[str, Any]:
    """Measure windows of every trace, each in a fork of this process with one GPU.

    Returns:
        Of every trace, the windows by their nominal length, or the error.
    """
    children = {}
    for number, (trace, script) in enumerate(traces.items()):
        path = Path(tempfile.mkdtemp()) / "windows.json"
        child = os.fork()
        if child == 0:
            rng = random.Random(seed + number)
            path.write_text(json.dumps(_windows_or_error(contender, FakeNvml(Path(library)), script, windows, rng)))
            os._exit(0)
        children[trace] = child, path
    told = {}
    for trace, (child, path) in children.items():
        os.waitpid(child, 0)
        told[trace] = json.loads(path.read_text()) if path.exists() else {"error": "the process died"}
    return {"traces": told}


def _windows_or_error(contender: Any, fake: FakeNvml, script: str, windows: Mapping[str, int], rng: random.Random):
    script_all(fake, f"gpu\n{script}")
    try:
        contender.start()
        time.sleep(1.0 + rng.uniform(0.0, PAUSE_SECONDS))
        return {seconds: _windows(contender, fake, float(seconds), count, rng) for seconds, count in windows.items()}
    # Whatever a peer raises is its result, and is printed in its place.
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0]}


def _windows(contender: Any, fake: FakeNvml, seconds: float, count: int, rng: random.Random) -> list[Window]:
    windows = []
    for _ in range(count):
        time.sleep(rng.uniform(0.0, PAUSE_SECONDS))
        called = time.monotonic()
        contender.begin()
        began = called if contender.begins_at_call else time.monotonic()
        time.sleep(seconds + rng.uniform(0.0, EXTRA_SECONDS))
        ended = time.monotonic()
        told = contender.end()
        windows.append((fake.energy_joules(0, ended) - fake.energy_joules(0, began), *told))
    return windows


def cost(contender: Any, library: str, script: str, gpus: int, edges: int, seconds: float) -> dict[str, Any]:
    """Measure what the edges of windows and the background cost.

    Returns:
        Times in seconds, the share of a core, and calls a second and GPU.
    """
    fake = FakeNvml(Path(library))
    script_all(fake, f"gpu\n{script}\n" * gpus)
    began = time.perf_counter()
    contender.start()
    contender.begin()
    started = time.perf_counter() - began
    time.sleep(SETTLE_SECONDS)
    background = [_background(fake, seconds) for _ in range(WATCHES)]
    contender.end()
    begins, ends = _edges(contender, edges)
    return {
        "start_seconds": started,
        "begin_seconds": median(begins) if begins else None,
        "end_seconds": median(ends) if ends else None,
        "resident_bytes": _resident_bytes(),
        "cpu_share": median(cpu_share for cpu_share, _ in background),
        "calls_a_second": fmean(calls for _, calls in background) / gpus,
    }


def epochs(contender: Any, library: str, script: str, gpus: int, edges: int) -> dict[str, Any]:
    """Measure only what the edges of windows cost.

    Returns:
        The median cost of one begin and one end together, in seconds.
    """
    script_all(FakeNvml(Path(library)), f"gpu\n{script}\n" * gpus)
    contender.start()
    time.sleep(PAUSE_SECONDS)
    begins, ends = _edges(contender, edges)
    return {"epoch_seconds": median(begin + end for begin, end in zip(begins, ends, strict=True))}


def _background(fake: FakeNvml, seconds: float) -> tuple[float, float]:
    """Return what goes on while nothing is asked for: the share of a core, and calls of the driver a second."""
    others, calls = _cpu_seconds_of_children(), fake.calls()  # to look for children costs: not in what is watched
    own, start = time.process_time(), time.monotonic()
    time.sleep(seconds)
    own, passed = time.process_time() - own, time.monotonic() - start
    others, calls = _cpu_seconds_of_children() - others, fake.calls() - calls
    return (own + others) / passed, calls / passed


def _edges(contender: Any, count: int) -> tuple[Sequence[float], Sequence[float]]:
    begins, ends = [], []
    limit = time.monotonic() + EDGES_SECONDS
    while len(begins) < count and time.monotonic() < limit:
        time.sleep(SHORTEST_WINDOW_SECONDS)
        began = time.perf_counter()
        contender.begin()
        begun = time.perf_counter()
        time.sleep(SHORTEST_WINDOW_SECONDS)
        ends_at = time.perf_counter()
        contender.end()
        ended = time.perf_counter()
        begins.append(begun - began)
        ends.append(ended - ends_at)
    return begins, ends


def _resident_bytes() -> int:
    import psutil

    me = psutil.Process()
    return sum(process.memory_info().rss for process in [me, *me.children(recursive=True)])


def _cpu_seconds_of_children() -> float:
    import psutil

    children = psutil.Process().children(recursive=True)
    return sum(sum(child.cpu_times()[:2]) for child in children)
