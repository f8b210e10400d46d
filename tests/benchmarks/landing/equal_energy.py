"""What an early end costs where all ends come after the same number of steps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from landing.runs import Run
from landing.training import ANNEALED, Schedule

POINTS: Final = (0.3, 0.5, 0.7)
"""Shares of the plan after which a run ends."""
SHARES: Final = (0.1, 0.2)
"""Lengths of landings as shares of the steps before them."""
WAYS: Final = ("abrupt", *(f"land {share:.0%}" for share in SHARES), "average")
"""The ways to end a run."""


@dataclass(frozen=True)
class Ending:
    """What one run delivers when it ends early.

    Attributes:
        title: The set and the optimizer.
        schedule: The schedule of the learning rate.
        point: The share of the plan after which the run ends.
        points_lost: The test error minus the error of the whole plan in percent points, by the way to end.
    """

    title: str
    schedule: Schedule
    point: float
    points_lost: Mapping[str, float]


def begin_and_end(steps: int, point: float, share: float) -> tuple[int, int]:
    """Return the steps before a landing and at its end.

    Args:
        steps: The steps of the plan.
        point: The share of the plan after which the run ends.
        share: The length of the landing as a share of the steps before it.
    """
    end = round(point * steps)
    return round(end / (1 + share)), end


def marks(steps: int) -> set[int]:
    """Return the numbers of steps at which a run must be left.

    Args:
        steps: The steps of the plan.
    """
    return {mark for point in POINTS for share in SHARES for mark in begin_and_end(steps, point, share)}


def endings(done: Run) -> Iterable[Ending]:
    """End runs of every seed early, in all ways.

    Args:
        done: Runs of the whole plan.
    """
    steps, full = done.workload.steps, done.full()
    for point in POINTS:
        end = round(point * steps)
        found = {"abrupt": done.abrupt(end)}
        for share in SHARES:
            found[f"land {share:.0%}"] = done.landed(*begin_and_end(steps, point, share))
        found["average"] = done.averaged(end)
        for row in done.rows:
            lost = {way: errors[row] - full[row] for way, errors in found.items()}
            yield Ending(done.workload.title, done.training.schedule, point, lost)


def recovered(ended: Sequence[Ending], way: str, point: float) -> float:
    """Return the share of the loss of abrupt ends under annealing that another way makes up.

    Args:
        ended: All ends.
        way: The way to end.
        point: The share of the plan after which the runs end.
    """
    chosen = [each.points_lost for each in ended if each.point == point and each.schedule in ANNEALED]
    abrupt = fmean(lost["abrupt"] for lost in chosen)
    return 1 - fmean(lost[way] for lost in chosen) / abrupt


def worse(ended: Sequence[Ending], way: str) -> float:
    """Return the share of the ends under annealing that deliver less than the abrupt one.

    Args:
        ended: All ends.
        way: The way to end.
    """
    chosen = [each.points_lost for each in ended if each.schedule in ANNEALED]
    return fmean(lost[way] > lost["abrupt"] for lost in chosen)
