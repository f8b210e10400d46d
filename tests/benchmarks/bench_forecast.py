"""How often the likely range of a forecast holds, how wide it is, and what a decision costs.

Run it with paths of tables of epoch costs, or without one for scripted runs and a real training on digits alone::

    python tests/benchmarks/bench_forecast.py curves.csv.gz

A table is CSV, may be gzipped, with columns ``workload``, ``run``, ``kind`` and ``cost`` (cumulative, in any unit);
tables whose costs are a step count rather than a measurement (the same after every evaluation) are left out. A run is
forecast after 3, 5 and 10 epochs and after a fifth, a half and four fifths of the plan; a range holds if the run's
whole energy lies in it.

Scripted runs have 20 to 150 epochs, noise of 0.2 to 10 % (log-uniform), a first epoch of 0.2 to 6 times the others in
two runs of three, and by kind:

- noise (25 % of the runs): nothing else;
- drift (25 %): a straight drift of -50 to +50 % over the run;
- slow noise (15 %): the noise is autocorrelated, from 0.6 to 0.98;
- validation (15 %): every 2nd to 10th epoch costs 10 to 100 % more;
- spikes (10 %): one or two epochs cost 50 to 300 % more;
- steps (10 %): one or two steps by a factor of 0.5 to 2, as in progressive resizing; nothing can foresee them.
"""

import csv
import gzip
import math
import random
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median

from green_callbacks.policies import CarbonBudget, Forecast, forecast
from green_callbacks.records import EpochRecord, History, Plan

Costs = Sequence[float]

SHARES = {"noise": 0.25, "drift": 0.25, "slow noise": 0.15, "validation": 0.15, "spikes": 0.10, "steps": 0.10}


def scripted(chance: random.Random, kind: str) -> list[float]:
    """Make the costs of one run's epochs."""
    count = chance.randrange(20, 151)
    noise = math.exp(chance.uniform(math.log(0.002), math.log(0.1)))
    memory = chance.uniform(0.6, 0.98) if kind == "slow noise" else 0.0
    shape, deviation, costs = _shape(chance, kind, count), 0.0, []
    for at in range(count):
        deviation = memory * deviation + chance.gauss(0, noise) * math.sqrt(1 - memory * memory)
        costs.append(max(shape(at) * (1 + deviation), 0.05))
    costs[0] *= chance.choice([1, 1, 0.2, 1.5, 3, 6])
    return costs


def _shape(chance: random.Random, kind: str, count: int) -> Callable[[int], float]:
    if kind == "drift":
        drift = chance.uniform(-0.5, 0.5)
        return lambda at: 1 + drift * at / count
    if kind == "validation":
        every, extra = chance.randrange(2, 11), chance.uniform(0.1, 1)
        return lambda at: 1 + extra * ((at + 1) % every == 0)
    if kind == "spikes":
        spikes = {chance.randrange(count): chance.uniform(0.5, 3) for _ in range(chance.choice([1, 2]))}
        return lambda at: 1 + spikes.get(at, 0)
    if kind == "steps":
        steps = [
            (chance.randrange(3, count), math.exp(chance.uniform(-0.7, 0.7))) for _ in range(chance.choice([1, 2]))
        ]
        return lambda at: math.prod(factor for start, factor in steps if at >= start)
    return lambda _: 1.0


def load(path: Path) -> dict[str, list[Costs]]:
    """Read the costs of the epochs of measured runs, by workload."""
    totals: dict[tuple[str, str, str], list[float]] = {}
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for row in csv.DictReader(lines):
            totals.setdefault((row["workload"], row["run"], row["kind"]), []).append(float(row["cost"]))
    runs: dict[str, list[Costs]] = {}
    for (workload, _, _), total in totals.items():
        costs = [after - before for before, after in pairwise([0.0, *total])]
        if max(costs) - min(costs) > 1e-2 * max(costs):
            runs.setdefault(workload, []).append(costs)
    return runs


def digits(epochs: int = 40) -> Costs:
    """Measure the seconds of the epochs of a small network on the digits that ship with scikit-learn."""
    import torch
    from sklearn.datasets import load_digits

    torch.set_num_threads(1)
    images, labels = (torch.tensor(each) for each in load_digits(return_X_y=True))
    network = torch.nn.Sequential(torch.nn.Linear(64, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
    optimizer, costs = torch.optim.Adam(network.parameters()), []
    for _ in range(epochs):
        start = time.perf_counter()
        for batch in torch.randperm(len(labels)).split(32):
            loss = torch.nn.functional.cross_entropy(network(images[batch].float() / 16), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        costs.append(time.perf_counter() - start)
    return costs


def score(runs: Sequence[Costs]) -> tuple[float, float, float]:
    """Return how often the range holds, its mean half-width, and the median error, in percent of the run."""
    held, widths, errors = [], [], []
    for costs in runs:
        points = {3, 5, 10, len(costs) // 5, len(costs) // 2, 4 * len(costs) // 5}
        history, total = History(), sum(costs)
        for at, cost in enumerate(costs, start=1):
            history.append(EpochRecord.scripted(epoch=at - 1, emissions_kg=cost))
            made = forecast(history, Plan(epochs=len(costs))) if at in points and at < len(costs) else None
            if made is not None:
                low, expected, high = made.kwh
                held.append(low <= total * (1 + 1e-12) and total * (1 - 1e-12) <= high)
                widths.append((high - low) / 2 / total)
                errors.append(abs(expected / total - 1))
    return 100 * fmean(held), 100 * fmean(widths), 100 * median(errors)


def print_scores(paths: Sequence[Path], count: int = 150) -> None:
    """Print the whole table."""
    print("| epoch costs | runs | range holds, % | half-width, % of the run | median error, % |\n|---|---|---|---|---|")
    scores = {}
    for kind in SHARES:
        chance = random.Random(kind)
        scores[kind] = score([scripted(chance, kind) for _ in range(count)])
        print(f"| scripted: {kind} | {count} | {' | '.join(f'{figure:.1f}' for figure in scores[kind])} |", flush=True)
    mixed = [sum(share * scores[kind][figure] for kind, share in SHARES.items()) for figure in (0, 1)]
    print(f"| scripted: all, by their shares | {count * len(SHARES)} | {mixed[0]:.1f} | {mixed[1]:.1f} | |")
    for path in paths:
        for workload, runs in load(path).items():
            print(f"| {workload} | {len(runs)} | {' | '.join(f'{figure:.1f}' for figure in score(runs))} |", flush=True)
        runs = [costs for runs in load(path).values() for costs in runs]
        print(f"| {path.name}: all | {len(runs)} | {' | '.join(f'{figure:.1f}' for figure in score(runs))} |")
    runs = [digits() for _ in range(5)]
    print(f"| digits, here | {len(runs)} | {' | '.join(f'{figure:.1f}' for figure in score(runs))} |")


def print_timings() -> None:
    """Print what a decision costs at 1,000 and 10,000 records."""
    policy, chance = Forecast((CarbonBudget("1 t"),)), random.Random(0)
    print("\n| policy | records | µs per decision (median, least of 3) |\n|---|---|---|")
    for count in (1_000, 10_000):
        history = History(
            EpochRecord.scripted(epoch=i, emissions_kg=chance.uniform(0.009, 0.011)) for i in range(count)
        )
        times = [time.perf_counter()]
        for _ in range(60):
            policy.decide(history, Plan(epochs=2 * count))
            times.append(time.perf_counter())
        spans = sorted(after - before for before, after in pairwise(times))
        print(f"| Forecast | {count} | {median(spans) * 1e6:.0f}, {fmean(spans[:3]) * 1e6:.0f} |")


if __name__ == "__main__":
    print_scores([Path(argument) for argument in sys.argv[1:]])
    print_timings()
