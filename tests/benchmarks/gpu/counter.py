"""What ``doctor`` says of the machine, and the energy counter itself: period, jitter, and the time of a call."""

import io
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from statistics import median, quantiles
from typing import Any

from load import IDLE, STEADY
from plan import Bench, Figures
from reference import POWER_AVERAGE, POWER_INSTANT, Line, counter_joules, field_watts, plain_watts

_CALLS = 200
_LOOK_SECONDS = 0.001


def doctor(bench: Bench) -> Figures:
    """Return what ``green-callbacks doctor`` prints."""
    from green_callbacks.cli import main

    bench.load.prepare(IDLE)
    said = io.StringIO()
    with redirect_stdout(said):
        status = main(["doctor", "--seconds", str(bench.plan.doctor_seconds)])
    return {"exit status": status, "text": said.getvalue().rstrip()}


def counter(bench: Bench) -> Figures:
    """Measure the counter of one GPU while it idles, and while it works."""
    found = _calls(bench)
    for kind in (IDLE, STEADY):
        bench.load.prepare(kind)
        loading = threading.Thread(target=bench.load.run, args=(kind, bench.plan.counter_seconds), daemon=True)
        loading.start()
        try:
            found |= {f"{kind}: {name}": value for name, value in _refreshes(bench).items()}
        finally:
            loading.join(bench.plan.counter_seconds + 5.0)
    return found


def _calls(bench: Bench) -> Figures:
    """Time every call that there is for energy and power, and say what it answers."""
    bench.load.prepare(IDLE)
    nvml, handle = bench.nvml, bench.handle
    calls: dict[str, Callable[[], float]] = {
        "energy counter": lambda: counter_joules(nvml, handle),
        "instant power (field 186)": lambda: field_watts(nvml, handle, POWER_INSTANT),
        "average power (field 185)": lambda: field_watts(nvml, handle, POWER_AVERAGE),
        "plain power": lambda: plain_watts(nvml, handle),
        "power limit": lambda: float(nvml.nvmlDeviceGetEnforcedPowerLimit(handle)) / 1e3,
        "driver's power samples": lambda: float(len(nvml.nvmlDeviceGetSamples(handle, 0, 0)[1])),
    }
    found: Figures = {}
    for name, call in calls.items():
        found |= _call(name, call, nvml)
    return found


def _call(name: str, call: Callable[[], float], nvml: Any) -> Figures:
    times = []
    try:
        for _ in range(_CALLS):
            began = time.perf_counter()
            answer = call()
            times.append(time.perf_counter() - began)
            time.sleep(0.0005)
            if sum(times) > 2.0:  # slow drivers
                break
    except nvml.NVMLError as error:
        return {f"{name}: answer": f"none, {error}"}
    deciles = quantiles(times, n=10) if len(times) > 1 else times
    return {
        f"{name}: answer": round(answer, 3),
        f"{name}: a call, median us": round(1e6 * median(times), 1),
        f"{name}: a call, p90 us": round(1e6 * deciles[-1], 1),
        f"{name}: a call, longest us": round(1e6 * max(times), 1),
    }


def _refreshes(bench: Bench) -> Figures:
    """Watch the counter closely, and fit a line through the times of its refreshes."""
    seen: list[float] = []
    sharpness: list[float] = []
    end = time.monotonic() + bench.plan.counter_seconds
    last, before = counter_joules(bench.nvml, bench.handle), time.monotonic()
    began_joules, began = last, before
    while time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
        joules, after = counter_joules(bench.nvml, bench.handle), time.monotonic()
        if joules != last:
            seen.append((before + after) / 2)
            sharpness.append(after - before)
        last, before = joules, after
    found: Figures = {"counter, mean W": round((last - began_joules) / (before - began), 1)}
    if len(seen) < 4:
        return found | {"refreshes seen": len(seen)}
    return found | {"refreshes seen": len(seen), "seen within, ms": round(1e3 * median(sharpness), 2)} | _line(seen)


def _line(seen: list[float]) -> Figures:
    line = Line.through(seen)
    return {
        "period, ms": round(1e3 * line.period_seconds, 3),
        "refreshes missed": line.numbers[-1] + 1 - len(seen),
        "phase jitter, ms (standard deviation)": round(1e3 * line.spread_seconds, 3),
        "phase jitter, ms (largest)": round(1e3 * max(map(abs, line.errors)), 3),
    }
