"""What an edge costs on this driver: time, and calls."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median, quantiles
from typing import Any

from edges import cpu_share, time_epochs
from load import IDLE
from plan import Bench, Figures

_PAUSES = {0.0015: 1.0, 0.02: 1 / 3}
"""Pauses before each edge in s, and the share of the epochs that is done with them."""


def edges(bench: Bench) -> Figures:
    """Measure begin and end of epochs through the accountant, with the ledger on."""
    from green_callbacks import EnergyAccountant
    from green_callbacks.sources import NvmlSource

    bench.load.prepare(IDLE)
    path = bench.folder / "edges.jsonl"
    with counted(bench.nvml) as calls:
        accountant = EnergyAccountant(sources=[NvmlSource()], location="World", pue=1.0, sinks=[], ledger=path)
        began = time.perf_counter()
        accountant.start()
        found: Figures = {"start, s": round(time.perf_counter() - began, 3)}
        time.sleep(bench.plan.settle_seconds / 2)
        calls.total = 0
        found["background, % of a core"] = round(100 * cpu_share(bench.plan.settle_seconds / 2), 2)
        found["background, calls a second"] = round(calls.total / (bench.plan.settle_seconds / 2), 1)
        for pause, share in _PAUSES.items():
            found |= _epochs(accountant, round(bench.plan.edge_epochs * share), pause, calls)
        began = time.perf_counter()
        accountant.close()
        found["close, s"] = round(time.perf_counter() - began, 3)
    return found


def _epochs(accountant: Any, count: int, pause: float, calls: "Calls") -> Figures:
    first = (accountant.history.last_epoch or 0) + 1
    times = time_epochs(accountant, count, pause, first)
    sums = [begin + end for begin, end in times]
    calls.total = 0
    began = time.monotonic()
    time_epochs(accountant, count, pause, first + count)
    seconds = time.monotonic() - began
    head = f"pauses of {1e3 * pause:g} ms:"
    return {
        f"{head} begin, median us": round(1e6 * median(begin for begin, _ in times)),
        f"{head} end, median us": round(1e6 * median(end for _, end in times)),
        f"{head} begin + end, median us": round(1e6 * median(sums)),
        f"{head} begin + end, p90 us": round(1e6 * quantiles(sums, n=10)[-1]),
        f"{head} calls of the driver an epoch, background included": round(calls.total / count, 2),
        f"{head} epochs a second": round(count / seconds, 1),
    }


class Calls:
    """How often the driver was asked."""

    def __init__(self) -> None:
        self.total = 0
        self._lock = threading.Lock()

    def counting(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same call, counted."""

        def counted_call(*arguments: Any, **options: Any) -> Any:
            with self._lock:
                self.total += 1
            return call(*arguments, **options)

        return counted_call


@contextmanager
def counted(nvml: Any) -> Iterator[Calls]:
    """Count the calls of the binding while a block runs, on whichever thread."""
    calls = Calls()
    names = [name for name in dir(nvml) if name.startswith("nvmlDeviceGet") and callable(getattr(nvml, name))]
    kept = {name: getattr(nvml, name) for name in names}
    for name, call in kept.items():
        setattr(nvml, name, calls.counting(call))
    try:
        yield calls
    finally:
        for name, call in kept.items():
            setattr(nvml, name, call)
