"""What a landing brings late in a schedule, by how low the learning rate already is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import sqrt
from statistics import fmean, stdev
from typing import Final

import torch
from landing.runs import Run
from landing.training import Schedule, scheduled

RATES: Final = (0.6, 0.3, 0.15)
"""Shares of the highest rate at which a landing begins."""
LENGTH: Final = 0.1
"""Length of these landings as a share of the steps before them."""


@dataclass(frozen=True)
class Late:
    """What one landing brings.

    Attributes:
        rate: The share of the highest rate at which it begins.
        to_begin: The test error minus the error at its beginning, in percent points.
        to_abrupt: The test error minus the error of an abrupt end after as many steps, in percent points.
    """

    rate: float
    to_begin: float
    to_abrupt: float


@cache
def begin_and_end(schedule: Schedule, steps: int, share: float) -> tuple[int, int]:
    """Return the steps before a landing that begins where the rate falls below a share of the highest, and at its end.

    Args:
        schedule: The schedule, which anneals.
        steps: The steps of the plan.
        share: The share of the highest rate.
    """
    optimizer = torch.optim.SGD([torch.zeros(1)], 1.0, momentum=0.9)
    scheduler, rates = scheduled(schedule, optimizer, 1.0, steps), list[float]()
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    begin = next(at for at, (before, after) in enumerate(pairwise(rates), 1) if after < share <= before)
    return begin, round((1 + LENGTH) * begin)


def marks(schedule: Schedule, steps: int) -> set[int]:
    """Return the numbers of steps at which a run must be left. None for a constant rate.

    Args:
        schedule: The schedule.
        steps: The steps of the plan.
    """
    if schedule == "constant":
        return set()
    return {mark for share in RATES for mark in begin_and_end(schedule, steps, share)}


def landings(done: Run) -> Iterator[Late]:
    """Land runs of every seed late in their schedule.

    Args:
        done: Runs of the whole plan under a schedule that anneals.
    """
    for share in RATES:
        begin, end = begin_and_end(done.training.schedule, done.workload.steps, share)
        for before, abrupt, after in zip(done.abrupt(begin), done.abrupt(end), done.landed(begin, end), strict=True):
            yield Late(share, after - before, after - abrupt)


def print_late(found: Sequence[Late]) -> None:
    """Print what landings bring.

    Args:
        found: All landings.
    """
    print(f"\n## Late in the schedule\n\nTest error after a landing of {LENGTH:.0%}, in percent points.\n")
    print("| begins at a rate of | runs | minus the error where it begins | minus an abrupt end after as many steps |")
    print("|---|---|---|---|")
    for share in RATES:
        chosen = [each for each in found if each.rate == share]
        pairs = ([each.to_begin for each in chosen], [each.to_abrupt for each in chosen])
        cells = (f"{fmean(values):.2f} ± {stdev(values) / sqrt(len(values)):.2f}" for values in pairs)
        print(f"| {share:.0%} of the highest | {len(chosen)} | {' | '.join(cells)} |")
