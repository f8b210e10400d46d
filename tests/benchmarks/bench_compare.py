"""How often the interval of ``green-callbacks compare`` covers a known difference, and calls none a difference.

    python tests/benchmarks/bench_compare.py [REPETITIONS [SEED]]

Each row is made of 2,000 repetitions unless said otherwise. A repetition draws the costs of two groups of runs and
compares them with the code of the command. By kind of cost:

- log-normal: the logarithm scatters by 0.1;
- wide: the logarithm scatters by 0.1 on one side and by 0.3 on the other;
- skewed: a cost, and on top of it an exponential amount with a mean of half of that cost;
- gamma: with a shape of 4, so that the deviation is half of the mean;
- epochs: whole epochs, 5 and a binomial number on top with a mean of 2, times a log-normal cost of an epoch;
- seeds: log-normal, with a part of 0.3 that both runs of a seed share, compared in pairs.

The bars are those of the interval: it covers the truth in 93 to 97 %, and calls no difference one in at most 6 %.
With 500 repetitions a rate has a standard error of 1 %, with 2,000 half of it. The last row is of all together.
"""

import math
import random
import sys
from collections.abc import Callable
from typing import NamedTuple

from green_callbacks.analysis.comparing.equal_quality.censored import Way, log_rank
from green_callbacks.analysis.comparing.equal_quality.ratio import ratio_of

REPETITIONS = 2000
RUNS = (3, 5, 10)
TRUTH = 0.82
COVERS = 0.93, 0.97
FALSE = 0.06

Draw = Callable[[random.Random], float]


def log_normal(deviation: float) -> Draw:
    """Draw costs whose logarithm scatters by a deviation."""
    return lambda chance: math.exp(chance.gauss(0, deviation))


def skewed(chance: random.Random) -> float:
    """Draw a cost with an exponential amount on top."""
    return 1 + chance.expovariate(2.0)


def gamma(chance: random.Random) -> float:
    """Draw a cost of a gamma distribution."""
    return chance.gammavariate(4, 0.25)


def epochs(chance: random.Random) -> float:
    """Draw the cost of a whole number of epochs."""
    count = 5 + sum(chance.random() < 0.1 for _ in range(20))
    return count * math.exp(chance.gauss(0, 0.02))


KINDS: dict[str, tuple[Draw, Draw]] = {
    "log-normal": (log_normal(0.1), log_normal(0.1)),
    "wide": (log_normal(0.1), log_normal(0.3)),
    "skewed": (skewed, skewed),
    "gamma": (gamma, gamma),
    "epochs": (epochs, epochs),
}


class Rates(NamedTuple):
    """Share of repetitions whose interval covers the truth, and whose interval leaves out a ratio of 1."""

    covers: float
    shown: float


def unpaired(chance: random.Random, kind: str, runs: int, truth: float, repetitions: int) -> Rates:
    """Compare groups whose runs have nothing in common."""
    covered = shown = 0
    draw_first, draw_second = KINDS[kind]
    for _ in range(repetitions):
        first = [truth * draw_first(chance) for _ in range(runs)]
        ratio = ratio_of(first, [draw_second(chance) for _ in range(runs)])
        covered += ratio.low <= truth <= ratio.high
        shown += ratio.is_shown
    return Rates(covered / repetitions, shown / repetitions)


def paired(chance: random.Random, runs: int, truth: float, repetitions: int) -> Rates:
    """Compare groups whose runs share a seed."""
    covered = shown = 0
    own = log_normal(0.05)
    for _ in range(repetitions):
        seeds = [math.exp(chance.gauss(0, 0.3)) for _ in range(runs)]
        first, second = ([factor * seed * own(chance) for seed in seeds] for factor in (truth, 1.0))
        ratio = ratio_of(first, second, paired=True)
        covered += ratio.low <= truth <= ratio.high
        shown += ratio.is_shown
    return Rates(covered / repetitions, shown / repetitions)


def censored(chance: random.Random, runs: int, truth: float, repetitions: int) -> float:
    """Return how often the log-rank test calls a difference one, where runs end after 1.1 of the usual cost."""
    draw, shown = log_normal(0.15), 0
    for _ in range(repetitions):
        sides = []
        for factor in (truth, 1.0):
            costs = [factor * draw(chance) for _ in range(runs)]
            sides.append([Way(min(cost, 1.1), cost <= 1.1) for cost in costs])
        shown += (found := log_rank(*sides)) is not None and found.is_shown
    return shown / repetitions


def main(repetitions: int = REPETITIONS, seed: int = 1) -> None:
    """Print how often intervals cover the truth."""
    chance = random.Random(seed)
    rows = [(kind, runs) for kind in [*KINDS, "seeds"] for runs in RUNS]
    every: list[tuple[Rates, Rates]] = []
    print(
        f"{repetitions} repetitions, true ratio {TRUTH}; bars {COVERS[0]:.0%} to {COVERS[1]:.0%}, at most {FALSE:.0%}"
    )
    print(f"{'costs':12}{'runs':>6}{'covers':>9}{'shown':>8}{'covers none':>13}{'false':>8}")
    for kind, runs in rows:
        found = [
            paired(chance, runs, truth, repetitions)
            if kind == "seeds"
            else unpaired(chance, kind, runs, truth, repetitions)
            for truth in (TRUTH, 1.0)
        ]
        every.append((found[0], found[1]))
        with_one, none = found
        missed = not COVERS[0] <= with_one.covers <= COVERS[1] or none.shown > FALSE
        print(
            f"{kind:12}{runs:>6}{with_one.covers:>9.1%}{with_one.shown:>8.0%}{none.covers:>13.1%}{none.shown:>8.1%}"
            f"{'  beyond a bar' if missed else ''}"
        )
    covers = sum(one.covers for one, _ in every) / len(every)
    false = sum(none.shown for _, none in every) / len(every)
    print(f"{'all':12}{'':>6}{covers:>9.1%}{'':>8}{'':>13}{false:>8.1%}")
    few = max(repetitions // 10, 1)
    for truth in (0.7, 1.0):
        rate = censored(chance, 5, truth, few)
        print(f"runs that never reach it, 5 a side, true ratio {truth}: a difference in {rate:.0%} of {few}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
