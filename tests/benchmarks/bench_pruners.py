"""What pruners make of a search's emissions, where the price of each training is unknown::

    python tests/benchmarks/bench_pruners.py [CURVES] [--orders 60] [--sigma 0.7]

The curves are those in ``searches/curves.csv``, which ``searches/make_curves.py`` made from real trainings. CURVES is
another table, in the form that ``bench_policies.py`` reads. A search takes the trainings of a workload in a random
order. Each has a price of its own, which is lognormal with a mean of 1 for a full training. The search ends when the
budget is spent or no training is left. The second table draws trainings again, each at a new price, so none runs out.

Regret is the quality that the best training of the workload has more than the best one found, in % of the typical gain.
The delivered model is the one with the best validation so far. Figures are means over workloads.
"""

import argparse
import csv
import math
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Protocol

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_policies import load

from green_callbacks.analysis.halving import Halving
from green_callbacks.analysis.searches.next_gain import NextGain

OWN = Path(__file__).parent / "searches" / "curves.csv"
BUDGETS = (5.0, 10.0)
"""Budgets, in full trainings of a mean price."""
PRICES = (0.003, 0.01, 0.03)
"""Prices of the stop of a search, as gain per full training."""
LONG_SEARCH, LONG_TRIALS = 40.0, 500
"""Budget of a search that its own price is to end, in full trainings, and the number of trainings to draw."""
START, WARM_UP = 4, 2
"""Complete trainings before which Optuna's median pruner does nothing, and epochs of each that it leaves alone."""
FIRST_TRIALS = 5
"""Trials whose first epochs set the first rung of KilogramHalvingPruner."""


@dataclass(frozen=True)
class Curve:
    """A full training. Shares of its price, the best validation so far, and the test value there, by epoch."""

    costs: Sequence[float]
    values: Sequence[float]
    bests: Sequence[float]
    delivered: Sequence[float]

    @classmethod
    def of(cls, costs: Sequence[float], values: Sequence[float], test: Sequence[float]) -> "Curve":
        at, best_at = 0, []
        for epoch, value in enumerate(values):
            at = epoch if value > values[at] else at
            best_at.append(at)
        return cls(costs, values, [values[each] for each in best_at], [test[each] for each in best_at])


def own_curves() -> dict[str, list[Curve]]:
    """Return the curves of the repository. 0 is the median first value, and 1 the median of the best values."""
    found: dict[str, list[tuple[list[float], list[float]]]] = {}
    with OWN.open() as lines:
        for row in csv.DictReader(lines):
            curves = [[int(each) / 1000 for each in row[name].split()] for name in ("val", "test")]
            found.setdefault(row["workload"], []).append((curves[0], curves[1]))
    return {name: _scaled(runs) for name, runs in found.items()}


def _scaled(runs: Sequence[tuple[list[float], list[float]]]) -> list[Curve]:
    low = median(val[0] for val, _ in runs)
    gain = median(sorted(max(val) for val, _ in runs)[len(runs) // 2 :]) - low
    epochs = len(runs[0][0])
    costs = [(epoch + 1) / epochs for epoch in range(epochs)]
    return [Curve.of(costs, *([(each - low) / gain for each in curve] for curve in pair)) for pair in runs]


def table_of(path: Path) -> dict[str, list[Curve]]:
    """Return the curves of another table."""
    workloads: dict[str, list[Curve]] = {}
    for run in load(path):
        workloads.setdefault(run.workload, []).append(Curve.of(run.costs, run.validation, run.test))
    return workloads


class Pruner(Protocol):
    """A pruner of one search."""

    def begins(self) -> None: ...
    def prunes(self, epoch: int, kg: float, best: float) -> bool: ...
    def ends(self, curve: Curve) -> None: ...


class Never:
    """No pruner."""

    def begins(self) -> None: ...
    def prunes(self, epoch: int, kg: float, best: float) -> bool:
        return False

    def ends(self, curve: Curve) -> None: ...


class Median(Never):
    """The rule of Optuna's median pruner."""

    def __init__(self) -> None:
        self._done: list[Curve] = []

    def prunes(self, epoch: int, kg: float, best: float) -> bool:
        if len(self._done) < START or epoch < WARM_UP:
            return False
        others = [curve.values[epoch] for curve in self._done if len(curve.values) > epoch]
        return bool(others) and best < median(others)

    def ends(self, curve: Curve) -> None:
        self._done.append(curve)


class Rungs(Never):
    """Asynchronous successive halving, as KilogramHalvingPruner does it, or with rungs in epochs."""

    def __init__(self, factor: int, *, in_epochs: bool) -> None:
        self._factor, self._in_epochs = factor, in_epochs
        self._firsts: list[float] = []
        self._values: dict[int, list[float]] = {}
        self._rung = 0

    def begins(self) -> None:
        self._rung = 0

    def prunes(self, epoch: int, kg: float, best: float) -> bool:
        if epoch == 0 and len(self._firsts) < FIRST_TRIALS:
            self._firsts.append(kg)
        first = 1.0 if self._in_epochs else median(self._firsts)
        rungs = Halving(first, self._factor)
        for rung in range(self._rung, rungs.completed(epoch + 1.0 if self._in_epochs else kg)):
            self._rung = rung + 1
            others = self._values.setdefault(rung, [])
            goes_on = rungs.goes_on(best, others, rises=True)
            others.append(best)
            if not goes_on:
                return True
        return False


@dataclass
class Found:
    """Where a search stands after a trial."""

    best: float = -math.inf
    delivered: float = 0.0
    spent: float = 0.0
    trials: int = 0


def searched(curves: Sequence[Curve], prices: Sequence[float], budget: float, pruner: Pruner) -> Iterator[Found]:
    """Search, and yield where the search stands after each trial, with the value of a complete one."""
    found = Found()
    for curve, price in zip(curves, prices, strict=True):
        found.trials += 1
        pruner.begins()
        before, last = found.spent, len(curve.costs) - 1
        for epoch, share in enumerate(curve.costs):
            if before + share * price > budget:
                yield found
                return
            found.spent = before + share * price
            if curve.bests[epoch] > found.best:
                found.best, found.delivered = curve.bests[epoch], curve.delivered[epoch]
            if epoch < last and pruner.prunes(epoch, share * price, curve.bests[epoch]):
                break
        else:
            pruner.ends(curve)
        yield found


PRUNERS = {
    "none": Never,
    f"median (startup {START}, warm-up {WARM_UP})": Median,
    **{f"halving, rungs in epochs, factor {f}": (lambda f=f: Rungs(f, in_epochs=True)) for f in (2, 3, 4)},
    **{f"halving, rungs in kg, factor {f}": (lambda f=f: Rungs(f, in_epochs=False)) for f in (2, 3, 4)},
}


def orders_of(workloads, orders, sigma, *, again=0):
    """Go through the searches, as the name of the workload, its best quality, and its trainings with prices.

    With ``again``, trainings are drawn that often, each at a new price, so that no search runs out of them.
    """
    for name, curves in workloads.items():
        top = max(curve.delivered[-1] for curve in curves)
        for order in range(orders):
            draw = random.Random(f"{name} {order}")
            shuffled = draw.choices(curves, k=again) if again else draw.sample(curves, len(curves))
            yield name, top, shuffled, [math.exp(draw.gauss(-(sigma**2) / 2, sigma)) for _ in shuffled]


def print_pruners(workloads, orders, sigma, *, again=0):
    how = "drawn again" if again else "each training once"
    print(f"\nRegret in %, trials, spent; {how}".ljust(48) + "".join(f"{budget:>18.0f}" for budget in BUDGETS))
    for title, make in PRUNERS.items():
        line = f"{title:48}"
        for budget in BUDGETS:
            regrets, ends = {}, []
            for name, top, curves, prices in orders_of(workloads, orders, sigma, again=again):
                *_, end = searched(curves, prices, budget, make())
                regrets.setdefault(name, []).append(100 * (top - end.delivered))
                ends.append((end.trials, end.spent))
            regret = fmean(fmean(each) for each in regrets.values())
            line += f"{regret:8.1f}{fmean(end[0] for end in ends):5.0f}{fmean(end[1] for end in ends):5.1f}"
        print(line, flush=True)


def print_stops(workloads, orders, sigma):
    """Print how SearchGain ends searches with rungs in kg, as regret plus the price of all that was spent."""
    print("\nNet regret in % with a price per full training, and share spent".ljust(48))
    for title in ("never", "SearchGain"):
        line = f"{title:48}"
        for price in PRICES:
            nets, shares = [], []
            for _, top, curves, prices in orders_of(workloads, orders, sigma, again=LONG_TRIALS):
                end, whole = ended(curves, prices, price if title != "never" else 0.0)
                nets.append(100 * (top - end.delivered + price * end.spent))
                shares.append(end.spent / whole)
            line += f"{fmean(nets):9.1f} ({fmean(shares):.0%})"
        print(line, flush=True)


def ended(curves, prices, price):
    """Return where a search ended, and what it would have spent without an end of its own."""
    values, kg, stopped = [], [], None
    for found in searched(curves, prices, LONG_SEARCH, Rungs(3, in_epochs=False)):
        kg.append(found.spent - sum(kg))
        if math.isclose(kg[-1], prices[len(kg) - 1]):
            values.append(curves[len(kg) - 1].bests[-1])
        gain = NextGain.of(values, kg, rises=True)
        if stopped is None and gain is not None and len(kg) >= 10 and gain.per_kg < price:
            stopped = Found(found.best, found.delivered, found.spent, found.trials)
    return stopped or found, found.spent


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("curves", nargs="?", type=Path)
    parser.add_argument("--orders", type=int, default=60)
    parser.add_argument("--sigma", type=float, default=0.7)
    given = parser.parse_args()
    workloads = own_curves() if given.curves is None else table_of(given.curves)
    print(f"{sum(map(len, workloads.values()))} curves of {len(workloads)} workloads, {given.orders} orders of each")
    print_pruners(workloads, given.orders, given.sigma)
    print_pruners(workloads, given.orders, given.sigma, again=LONG_TRIALS)
    print_stops(workloads, max(given.orders // 10, 1), given.sigma)


if __name__ == "__main__":
    main()
