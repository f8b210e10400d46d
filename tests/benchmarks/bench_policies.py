"""What MarginalGain saves and loses on real learning curves, beside EarlyStopping; for its cost see bench_decisions.py.

Run it with the path of a table of curves (CSV, may be gzipped: workload, run, kind, cost, val, test), or without one
for the budgets and the scripted curves alone::

    python tests/benchmarks/bench_policies.py curves.csv.gz

``cost`` is the share of the full run, ``val`` and ``test`` are quality with 1.0 as the workload's typical full gain,
``kind`` is ``learning`` or ``hopeless``. Delivered is the test value at the best validation so far. Figures are means
over workloads of the means over runs, in percent. The price is a tenth of that gain for a whole run, and 0.8 is
acceptable. The plan is the cost of the full run. The rows without a plan show what the rule does where no end is known.
"""

import csv
import gzip
import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.scripted_parts import spend_in_parts

from green_callbacks.policies import CarbonBudget, MarginalGain, Policy
from green_callbacks.records import EpochRecord, History, Plan

Rule = Callable[[Sequence[float], Sequence[float]], int]
Outcomes = list[list[tuple[float, float]]]
"""For each workload, for each run, the share of its cost that is saved and the quality that is lost."""
FORMS: dict[str, dict[str, float]] = {
    "price, acceptable": {"min_gain_per_kg": 0.1, "acceptable": 0.8},
    "price": {"min_gain_per_kg": 0.1},
    "doubling, acceptable": {"acceptable": 0.8},
    "doubling": {},
}
"""Options of the rule by their name in the table."""


@dataclass(frozen=True)
class Run:
    """One finished training run."""

    workload: str
    kind: str
    costs: list[float]
    validation: list[float]
    test: list[float]


def load(path: Path) -> list[Run]:
    """Read a table of curves."""
    runs: dict[tuple[str, str, str], Run] = {}
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for row in csv.DictReader(lines):
            key = (row["workload"], row["run"], row["kind"])
            run = runs.setdefault(key, Run(row["workload"], row["kind"], [], [], []))
            run.costs.append(float(row["cost"]))
            run.validation.append(float(row["val"]))
            run.test.append(float(row["test"]))
    return list(runs.values())


def stops(policy: Policy, plan: Plan) -> Rule:
    """Make a rule of a policy: the evaluation after which it stops a run whose kilograms are the costs."""

    def rule(costs: Sequence[float], values: Sequence[float]) -> int:
        history, spent = History(), 0.0
        for at, (cost, value) in enumerate(zip(costs, values, strict=True)):
            history.append(EpochRecord.scripted(epoch=at, emissions_kg=cost - spent, metrics={"quality": value}))
            spent = cost
            if policy.decide(history, plan).stop:
                return at
        return len(costs) - 1

    return rule


def early_stopping(patience: int) -> Rule:
    """Make the rule of Lightning's and Keras' EarlyStopping with min_delta=0."""

    def rule(costs: Sequence[float], values: Sequence[float]) -> int:
        best, wait = float("-inf"), 0
        for at, value in enumerate(values):
            best, wait = (value, 0) if value > best else (best, wait + 1)
            if wait >= patience:
                return at
        return len(costs) - 1

    return rule


def outcomes(runs: list[Run], rule: Rule, kind: str, *, every: int = 1, noise: float = 0.0) -> Outcomes:
    """Return what each run of each workload saves and loses."""
    chance = random.Random(0)
    by_workload: dict[str, list[tuple[float, float]]] = {}
    for run in (run for run in runs if run.kind == kind):
        kept = sorted({*range(every - 1, len(run.costs), every), len(run.costs) - 1})
        seen = [run.validation[i] + noise * chance.gauss() for i in kept]
        stop = rule([run.costs[i] for i in kept], seen)
        delivered = [run.test[kept[max(range(end + 1), key=seen.__getitem__)]] for end in (stop, len(kept) - 1)]
        by_workload.setdefault(run.workload, []).append((1 - run.costs[kept[stop]], delivered[1] - delivered[0]))
    return list(by_workload.values())


def score(by_workload: Outcomes) -> tuple[float, ...]:
    """Return saved, mean loss, median loss, and the share of runs that lose more than 5 %, in percent."""
    return tuple(
        100 * fmean(figure(runs) for runs in by_workload)
        for figure in (
            lambda runs: fmean(saved for saved, _ in runs),
            lambda runs: fmean(loss for _, loss in runs),
            lambda runs: median(loss for _, loss in runs),
            lambda runs: fmean(loss > 0.05 for _, loss in runs),
        )
    )


def drawn_again(by_workload: Outcomes, count: int = 1_000) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the ends of nine in ten scores of as many workloads, drawn with replacement."""
    chance = random.Random(0)
    draws = [score(chance.choices(by_workload, k=len(by_workload))) for _ in range(count)]
    ordered = [sorted(figures) for figures in zip(*draws, strict=True)]
    low, high = (tuple(figures[at] for figures in ordered) for at in (count // 20, -count // 20))
    return low, high


def row(*scores: tuple[float, ...]) -> str:
    """Return scores as cells of a table, with two decimals for losses."""
    cells = zip((".1f", ".2f", ".2f", ".1f"), *scores, strict=True)
    return " | ".join(" to ".join(format(figure, spec) for figure in figures) for spec, *figures in cells)


def print_scores(path: Path) -> None:
    """Print the whole table."""
    runs = load(path)
    rules = {
        **{
            f"MarginalGain, {name}{said}": stops(MarginalGain("quality", mode="max", **options), plan)
            for said, plan in {"": Plan(emissions_kg=1.0), ", without a plan": Plan()}.items()
            for name, options in FORMS.items()
        },
        "EarlyStopping(patience=3)": early_stopping(3),
        "EarlyStopping(patience=10)": early_stopping(10),
    }
    rows = {
        "learning": ("learning", {}),
        "hopeless": ("hopeless", {}),
        "learning, noise 3 %": ("learning", {"noise": 0.03}),
        "learning, every 8th": ("learning", {"every": 8}),
        "hopeless, every 8th": ("hopeless", {"every": 8}),
    }
    print(f"{len(runs)} runs of {len({run.workload for run in runs})} workloads; percent\n")
    print("| rule | runs | saved | mean loss | median loss | more than 5 % lost |\n|---|---|---|---|---|---|")
    for name, rule in rules.items():
        for label, (kind, options) in rows.items():
            found = outcomes(runs, rule, kind, **options)
            print(f"| {name} | {label} | {row(score(found))} |", flush=True)
            if rule is next(iter(rules.values())):
                print(f"| … workloads drawn again | {label} | {row(*drawn_again(found))} |", flush=True)


def print_budgets(count: int = 1_000) -> None:
    """Print how much of a hard budget runs of random costs use: drift, noise, and one expensive validation."""
    chance, shares = random.Random(0), []
    for _ in range(count):
        drift, noise, dear = chance.uniform(-0.01, 0.01), chance.uniform(0, 0.1), chance.randrange(5, 40)
        history, policy, at = History(), CarbonBudget(chance.uniform(0.5, 4.0)), 0
        while not policy.decide(history, Plan()).stop:
            cost = max(0.1 * (1 + drift) ** at * (1 + chance.gauss(0, noise)), 0.001) * (2 if at == dear else 1)
            history.append(EpochRecord.scripted(epoch=at, emissions_kg=cost))
            at += 1
        shares.append(100 * history.emissions_kg / policy.amount.value)
    shares.sort()
    spread = " | ".join(f"{shares[int(q * (count - 1))]:.1f}" for q in (0, 0.05, 0.5, 0.95, 1))
    overspent = 100 * fmean(share > 100 for share in shares)
    print("\n| % of a hard budget used | least | 5 % | median | 95 % | most | overspent by |")
    print(f"|---|---|---|---|---|---|---|\n| {fmean(shares):.1f} on average | {spread} | {overspent:.1f} % of runs |")


def print_budgets_inside(count: int = 1_000) -> None:
    """Print the same for decisions inside epochs of twenty parts and a validation; one follows the stop as well."""
    chance = random.Random(0)
    runs = [spend_in_parts(chance) for _ in range(count)]
    shares = sorted(100 * run.spent / run.budget for run in runs)
    spread = " | ".join(f"{shares[int(q * (count - 1))]:.1f}" for q in (0, 0.05, 0.5, 0.95, 1))
    overspent = 100 * fmean(run.excess > 0 for run in runs)
    beyond = sum(run.excess > run.dearest_step + max(run.dearest_seen, run.last) for run in runs)
    print("\n| % used, inside epochs | least | 5 % | median | 95 % | most | overspent by | by more than allowed |")
    print("|---|---|---|---|---|---|---|---|")
    print(f"| {fmean(shares):.1f} on average | {spread} | {overspent:.1f} % of runs | {beyond} runs |")


def print_drops(count: int = 50) -> None:
    """Print what MarginalGain does in runs whose learning rate drops twice: scripted ones, and real ones on digits."""
    print(
        "\n| two drops | runs | before the last | saved, % | least | points lost | most | in test |\n"
        + "|---" * 8
        + "|"
    )
    chance, runs = random.Random(0), []
    for _ in range(count):
        first = chance.randrange(30, 50)
        drops = first, first + chance.randrange(15, 25)
        values = [_accuracy(at, *drops) + chance.gauss(0, 0.001) for at in range(100)]
        runs.append((drops, values, values))
    _print_drops("scripted, 100 epochs", runs)
    if find_spec("torch") and find_spec("sklearn"):
        real = [(drops, *digits(seed, drops)) for seed in range(count // 5) for drops in ((20, 40), (30, 45))]
        _print_drops("digits, 60 epochs", real)


def _print_drops(name: str, runs: Sequence[tuple[tuple[int, int], Sequence[float], Sequence[float]]]) -> None:
    saved, lost, lost_in_test, early = [], [], [], 0
    for drops, values, test in runs:
        count = len(values)
        rule = stops(MarginalGain("quality", mode="max"), Plan(epochs=count, learning_rate_drops=drops))
        end = rule([(at + 1) / count for at in range(count)], values)
        early += end < drops[-1]
        saved.append(100 * (1 - (end + 1) / count))
        best, kept = (max(range(last), key=values.__getitem__) for last in (count, end + 1))
        lost.append(100 * (values[best] - values[kept]))
        lost_in_test.append(100 * (test[best] - test[kept]))
    figures = f"{fmean(saved):.1f} | {min(saved):.0f} | {fmean(lost):.2f} | {max(lost):.2f} | {fmean(lost_in_test):.2f}"
    print(f"| {name} | {len(runs)} | {early} | {figures} |", flush=True)


def digits(seed: int, drops: tuple[int, int], epochs: int = 60) -> tuple[list[float], list[float]]:
    """Train a small network on digits, with noise as an augmentation; return its validation and test accuracies."""
    import torch
    from sklearn.datasets import load_digits

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    images, labels = (torch.tensor(each) for each in load_digits(return_X_y=True))
    images, parts = images.float() / 16, torch.randperm(len(labels)).split(600)
    network = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.15, momentum=0.9)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(drops))
    accuracies: tuple[list[float], list[float]] = [], []
    for _ in range(epochs):
        for batch in parts[0][torch.randperm(len(parts[0]))].split(32):
            loss = torch.nn.functional.cross_entropy(
                network(images[batch] + 0.4 * torch.randn(len(batch), 64)), labels[batch]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        for part, accuracy in zip(parts[1:], accuracies, strict=False):
            hits = network(images[part]).argmax(1) == labels[part]
            accuracy.append(hits.float().mean().item())
    return accuracies


def _accuracy(at: int, first: int, second: int) -> float:
    """Return a curve like a residual network's on images: a slow rise, and a jump within two epochs of each drop."""
    jumps = sum(rise * (1 - math.exp(drop - at - 1)) for drop, rise in ((first, 0.09), (second, 0.015)) if at >= drop)
    return 0.83 - 0.5 * math.exp(-at / 8) + jumps


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print_scores(Path(argument))
    print_budgets()
    print_budgets_inside()
    print_drops()
