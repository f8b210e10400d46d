"""What a decision costs, early and late in a run, and what rules keep with a history.

Run it as it is, or with the greatest number of epochs::

    python tests/benchmarks/bench_decisions.py 100000

Every epoch has two metrics, a learning rate and a step, and a decision follows every record, so that what a rule takes
over from a new record is in its time. A run of the first kind is still learning, one of the second has leveled off,
and one of the third is held for a value that it does not reach. Times are medians of the hundred decisions at the end
of so many records, in microseconds. The bar is that both rules together cost at most 1.2 times as much late as early.
"""

import gc
import math
import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import count, islice
from statistics import median

from green_callbacks.analysis import Front, FrontPoint
from green_callbacks.metrics import Metric
from green_callbacks.policies import CarbonBudget, Forecast, MarginalGain, Policy
from green_callbacks.records import EpochRecord, History, Plan

LAST = 100
"""So many decisions are timed at each length of a run."""

BAR = 1.2
Curve = Callable[[int, int], float]


class NewestPoint:
    """What a callback that keeps checkpoints of the front asks after every epoch, as if it were a policy."""

    def decide(self, history: History, plan: Plan) -> FrontPoint:
        """Ask for the newest point."""
        return Front(history, Metric("val_acc", "max"))[-1]


def learning(at: int, planned: int) -> float:
    """Return an accuracy that rises to the end."""
    return math.log1p(100 * at / planned) / 5


def leveled(at: int, planned: int) -> float:
    """Return an accuracy that has risen within a tenth of the plan."""
    return 1 - math.exp(-20 * at / planned)


CURVES: dict[str, Curve] = {"learning": learning, "leveled off": leveled, "held": lambda at, planned: 0.5}


def policies(*, acceptable: float | None) -> dict[str, Policy]:
    """Return the rules to time; those that would stop only report."""
    return {
        "CarbonBudget": CarbonBudget("1000 t"),
        "CarbonBudget, energy": CarbonBudget("1000 MWh", hard=False),
        "MarginalGain, doubling": MarginalGain("val_acc", acceptable=acceptable, report_only=True),
        "MarginalGain, per kg": MarginalGain(
            "val_loss", acceptable=acceptable and -acceptable, min_gain_per_kg=1e-6, report_only=True
        ),
        "MarginalGain, per kWh of 0": MarginalGain("val_acc", min_gain_per_kwh=0.0, report_only=True),
        "Forecast": Forecast((CarbonBudget("1000 t"),)),
        "newest point of the front": NewestPoint(),
    }


def records(curve: Curve, planned: int) -> Iterator[EpochRecord]:
    """Make up the epochs of a run, with noise in costs and metrics."""
    chance = random.Random(0)
    for at in count():
        accuracy = curve(at, planned) + chance.gauss(0, 0.003)
        yield EpochRecord.scripted(
            epoch=at,
            emissions_kg=0.01 + 0.001 * chance.random(),
            metrics={"val_acc": accuracy, "val_loss": -accuracy},
            learning_rate=0.1 * 0.9999**at,
            step=100 * at,
        )


def timed(rules: dict[str, Policy], curve: Curve, length: int) -> dict[str, float]:
    """Return the medians of the last hundred decisions of a run, in microseconds."""
    history, plan = History(), Plan(epochs=length + length // 10)
    run = records(curve, length)
    for record in islice(run, length - LAST):
        history.append(record)
    for rule in rules.values():
        if len(history):
            rule.decide(history, plan)  # what was there before is taken over once
    times: dict[str, list[float]] = {name: [] for name in rules}
    gc.collect()
    for record in islice(run, LAST):
        history.append(record)
        for name, rule in rules.items():
            start = time.perf_counter()
            rule.decide(history, plan)
            times[name].append(time.perf_counter() - start)
    return {name: 1e6 * median(spans) for name, spans in times.items()}


def print_times(kind: str, lengths: list[int], repetitions: int = 3) -> None:
    """Print the table of one kind of run: the least of a few medians."""
    rules = policies(acceptable=1e3 if kind == "held" else None)
    found = {length: [timed(rules, CURVES[kind], length) for _ in range(repetitions)] for length in lengths}
    print(f"\n| {kind}, µs per decision | {' | '.join(f'{length:,} records' for length in lengths)} | last / first |")
    print("|---" * (len(lengths) + 2) + "|")
    names = {name: [name] for name in rules}
    names["CarbonBudget and MarginalGain together"] = ["CarbonBudget", "MarginalGain, doubling"]
    for said, summed in names.items():
        row = [min(sum(times[name] for name in summed) for times in found[length]) for length in lengths]
        over = " (over the bar)" if row[-1] > BAR * row[0] else ""
        print(f"| {said} | {' | '.join(f'{each:.0f}' for each in row)} | {row[-1] / row[0]:.2f}{over} |", flush=True)


def print_memory(length: int) -> None:
    """Print what rules keep for each record, beside the history itself."""
    tracemalloc.start()
    history, plan = History(islice(records(learning, length), length)), Plan(epochs=2 * length)
    own = tracemalloc.get_traced_memory()[0]
    for rule in policies(acceptable=None).values():
        rule.decide(history, plan)
    kept = tracemalloc.get_traced_memory()[0] - own
    tracemalloc.stop()
    print(
        f"\nA history of {length:,} records takes {own / length:.0f} bytes for each, and what all rules above keep ",
        end="",
    )
    print(f"(two metrics, one of them with a front) {kept / length:.0f}.")


if __name__ == "__main__":
    greatest = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    steps = [length for length in (100, 1_000, 10_000, 100_000) if length <= greatest]
    for each in CURVES:
        print_times(each, steps)
    print_memory(greatest)
