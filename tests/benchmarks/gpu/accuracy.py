"""Our epochs and windows beside the driver's counter over the same time, and beside its power, sampled."""

import time
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from load import STEADY, STOP_AND_GO
from plan import Bench, Figures
from reference import Reference

_AFTER_SECONDS = 0.5
"""How long counter and power are read on, so that the last refresh of an epoch is seen."""


class Span(NamedTuple):
    """What we say of a time, and what the driver says."""

    begin: float
    end: float
    joules: float | None
    low_joules: float | None
    high_joules: float | None
    has_gap: bool


def epochs(bench: Bench) -> Figures:
    """Measure epochs of several lengths under a steady load and under one that stops and goes."""
    found: Figures = {}
    for kind in (STEADY, STOP_AND_GO):
        bench.load.prepare(kind)
        with Reference(bench.nvml, bench.handle) as reference:
            by_length = _train(bench, kind)
            bench.load.run(kind, _AFTER_SECONDS)
        for seconds, spans in by_length.items():
            found |= {f"{kind}, epochs of {seconds:g} s: {n}": v for n, v in compared(spans, reference).items()}
        every = [span for spans in by_length.values() for span in spans]
        found |= {f"{kind}, all epochs: {n}": v for n, v in whole(every, reference).items()}
    return found


def _train(bench: Bench, kind: str) -> dict[float, list[Span]]:
    from green_callbacks import EnergyAccountant
    from green_callbacks.sources import NvmlSource

    path = bench.folder / f"{kind}.jsonl"
    source = NvmlSource([bench.uuid])
    with EnergyAccountant(sources=[source], location="World", pue=1.0, sinks=[], ledger=path) as accountant:
        bench.load.run(kind, bench.plan.settle_seconds)
        number = 0
        by_length: dict[float, list[Span]] = {}
        for seconds, count in bench.plan.epochs.items():
            by_length[seconds] = []
            for _ in range(count):
                accountant.begin_epoch(number)
                bench.load.run(kind, seconds)
                ends = time.monotonic()
                record = accountant.end_epoch()
                number += 1
                by_length[seconds].append(_span(ends - record.duration_seconds, ends, record.devices))
    return by_length


def windows(bench: Bench) -> Figures:
    """Measure short windows with ``measure()`` under both loads."""
    found: Figures = {}
    for kind in (STEADY, STOP_AND_GO):
        bench.load.prepare(kind)
        for seconds, count in bench.plan.windows.items():
            with Reference(bench.nvml, bench.handle) as reference:
                spans = list(_windows(bench, kind, seconds, count))
                bench.load.run(kind, _AFTER_SECONDS)
            found |= {f"{kind}, windows of {seconds:g} s: {n}": v for n, v in compared(spans, reference).items()}
    return found


def _windows(bench: Bench, kind: str, seconds: float, count: int) -> Iterator[Span]:
    from green_callbacks import measure
    from green_callbacks.sources import NvmlSource

    for number in range(count):
        bench.load.run(kind, 0.037 * (number % 3))  # so that windows begin at any phase of counter and load
        with measure([NvmlSource([bench.uuid])]) as window:
            begin = time.monotonic()
            bench.load.run(kind, seconds)
            end = time.monotonic()
        yield _span(begin, end, window.devices)


def _span(begin: float, end: float, devices: Any) -> Span:
    (device,) = devices.values()
    return Span(begin, end, device.joules, device.low_joules, device.high_joules, device.gap_seconds > 0)


def compared(spans: Sequence[Span], reference: Reference) -> Figures:
    """Compare every span with the counter, between refreshes by the shape of the power, and with sampled power."""
    known = [span for span in spans if span.joules is not None]
    found: Figures = {
        "measured": f"{len(known)} of {len(spans)}",
        "with a gap": sum(span.has_gap for span in spans),
    }
    for name, joules in (("counter", reference.counted_joules), ("sampled power", reference.sampled_joules)):
        pairs = [(span, joules(span.begin, span.end)) for span in known]
        found |= _errors(name, [(span, value) for span, value in pairs if value])
    return found


def _errors(name: str, pairs: Sequence[tuple[Span, float]]) -> Figures:
    if not pairs:
        return {f"{name}": "not told"}
    errors = [100 * (span.joules - value) / value for span, value in pairs]
    held = [span.low_joules <= value <= span.high_joules for span, value in pairs]
    return {
        f"sum against {name}, %": round(100 * (sum(s.joules for s, _ in pairs) / sum(v for _, v in pairs) - 1), 3),
        f"mean error against {name}, %": round(fmean(map(abs, errors)), 3),
        f"largest error against {name}, %": round(max(map(abs, errors)), 3),
        f"bounds hold {name}, %": round(100 * fmean(held), 1),
    }


def whole(spans: Sequence[Span], reference: Reference) -> Figures:
    """Compare the sum of all spans with the counter's rise from the first to the last."""
    begin, end = spans[0].begin, spans[-1].end
    seconds = end - begin
    ours = sum(span.joules or 0.0 for span in spans)
    counted, sampled = reference.counted_joules(begin, end), reference.sampled_joules(begin, end)
    widths = [(s.high_joules - s.low_joules) / (2 * s.joules) for s in spans if s.joules]
    return {
        "seconds": round(seconds, 1),
        "mean W": round(ours / seconds, 1),
        "sum against the counter's rise, %": round(100 * (ours / counted - 1), 3) if counted else "not told",
        "counter against sampled power, %": round(100 * (counted / sampled - 1), 3) if counted and sampled else "-",
        "mean half-width of the bounds, %": round(100 * fmean(widths), 3) if widths else "-",
        "refreshes of the counter seen": len(reference.counter),
        "samples of power": len(reference.power),
        "the driver's last error meanwhile": reference.problem or "none",
    }
