"""The tables of the benchmark, in Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Final

from landing.end_to_end import LENGTH, Outcome
from landing.equal_energy import POINTS, SHARES, WAYS, Ending, recovered, worse
from landing.training import ANNEALED

LANDING: Final = f"land {SHARES[0]:.0%}"
"""The landing that the bars of the first table judge."""
LEAST_RECOVERED: Final = {0.3: 0.4, 0.5: 0.65, 0.7: 0.75}
"""Bars: the least share of the loss of abrupt ends that a landing makes up, by the share of the plan."""
MOST_WORSE: Final = 0.12
"""Bar: the largest share of runs in which a landing delivers less than the abrupt end."""
LEAST_SAVED: Final = 0.18
"""Bar: the least share of the energy that the rule saves with a landing."""
MOST_LOST: Final = 0.15
"""Bar: the largest mean loss of the rule with a landing, in percent points."""
MOST_OVER: Final = 0.03
"""Bar: the largest share of runs that lose more than a point by the rule with a landing."""


def print_equal_energy(ended: Sequence[Ending]) -> None:
    """Print what is lost at equal energy, and what a landing makes up.

    Args:
        ended: All ends at tuned rates.
    """
    print("\n## Equal energy\n\nTest error minus the error of the whole plan, in percent points.\n")
    _print_head("schedule", "at", *WAYS)
    for schedule in dict.fromkeys(each.schedule for each in ended):
        for point in POINTS:
            chosen = [each.points_lost for each in ended if (each.schedule, each.point) == (schedule, point)]
            _print_row(schedule, f"{point:.0%}", *(f"{fmean(lost[way] for lost in chosen):.2f}" for way in WAYS))
    _print_made_up(ended)
    _print_worse(ended)
    for point, least in LEAST_RECOVERED.items():
        _say(recovered(ended, LANDING, point) >= least, f"{LANDING} makes up {least:.0%} or more at {point:.0%}")
    _say(worse(ended, LANDING) <= MOST_WORSE, f"{LANDING} delivers less in at most {MOST_WORSE:.0%} of the runs")


def _print_made_up(ended: Sequence[Ending]) -> None:
    """Print how much of the loss of abrupt ends the other ways make up."""
    print("\nUnder annealing schedules, the share of the abrupt end's loss that the others make up.\n")
    _print_head("way", *(f"at {point:.0%}" for point in POINTS))
    for way in WAYS[1:]:
        _print_row(way, *(f"{recovered(ended, way, point):.0%}" for point in POINTS))
    _print_row(f"bar for {LANDING}", *(f"≥ {LEAST_RECOVERED[point]:.0%}" for point in POINTS))


def _print_worse(ended: Sequence[Ending]) -> None:
    """Print in how many runs the other ways deliver less than abrupt ends."""
    print("\nUnder annealing schedules, the runs that deliver less than the abrupt end, be it by one example.\n")
    _print_head("way", *(f"at {point:.0%}" for point in POINTS), "all", "by at most, points")
    for way in WAYS[1:]:
        shares = (f"{worse([each for each in ended if each.point == point], way):.1%}" for point in POINTS)
        most = max(lost[way] - lost["abrupt"] for lost in _annealed(ended))
        _print_row(way, *shares, f"{worse(ended, way):.1%}", f"{most:.2f}")
    _print_row(f"bar for {LANDING}", *("" for _ in POINTS), f"≤ {MOST_WORSE:.0%}", "")


def print_low_rate(ended: Sequence[Ending]) -> None:
    """Print what a landing does where the rate is a fifth of the tuned one, so that the runs still learn.

    Args:
        ended: All ends at low rates.
    """
    print("\n## A fifth of the tuned rate\n\nTest error minus the error of the abrupt end, in percent points.\n")
    _print_head("set", "ends", "abrupt minus whole plan", *WAYS[1:], f"{LANDING} worse in")
    for title in (*dict.fromkeys(each.title for each in ended), "all"):
        chosen = [each.points_lost for each in ended if title in ("all", each.title)]
        gains = (_mean_and_error([lost[way] - lost["abrupt"] for lost in chosen]) for way in WAYS[1:])
        share = fmean(lost[LANDING] > lost["abrupt"] for lost in chosen)
        abrupt = f"{fmean(lost['abrupt'] for lost in chosen):.2f}"
        _print_row(title, str(len(chosen)), abrupt, *gains, f"{share:.0%}")
    mean = fmean(each.points_lost[LANDING] - each.points_lost["abrupt"] for each in ended)
    _say(mean < 0, f"{LANDING} delivers more than the abrupt end on average")


def print_end_to_end(found: Mapping[str, Sequence[Outcome]]) -> None:
    """Print what the rule saves and loses.

    Args:
        found: The outcomes of all runs, by the way to end.
    """
    print(
        "\n## The rule, end to end\n\n`MarginalGain` at its defaults, validation after every epoch. Energy is counted"
    )
    print("in steps. Lost is the test error minus the error of the whole plan, in percent points.\n")
    _print_head("way", "runs", "saves", "loses", "over a point", "most", "ends early")
    annealed = {way: [each for each in all_of if each.schedule in ANNEALED] for way, all_of in found.items()}
    for way, chosen in annealed.items():
        _print_outcomes(way, chosen)
    landed = annealed[f"land {LENGTH:.0%}"]
    _say(fmean(each.saved for each in landed) >= LEAST_SAVED, f"landed saves {LEAST_SAVED:.0%} or more")
    _say(fmean(each.points_lost for each in landed) <= MOST_LOST, f"landed loses at most {MOST_LOST} points")
    over = fmean(each.points_lost > 1 for each in landed)
    _say(over <= MOST_OVER, f"landed loses more than a point in at most {MOST_OVER:.0%} of the runs")
    print("\nEach set under annealing schedules, and all sets under a constant rate.\n")
    _print_head("set and way", "runs", "saves", "loses", "over a point", "most", "ends early")
    for title in dict.fromkeys(each.title for each in landed):
        for way, chosen in annealed.items():
            if way != "hold":
                _print_outcomes(f"{title}, {way}", [each for each in chosen if each.title == title])
    for way, all_of in found.items():
        _print_outcomes(f"constant rate, {way}", [each for each in all_of if each.schedule == "constant"])


def _print_outcomes(name: str, found: Sequence[Outcome]) -> None:
    lost = [each.points_lost for each in found]
    saved = f"{fmean(each.saved for each in found):.1%}"
    over = f"{fmean(points > 1 for points in lost):.1%}"
    early = f"{fmean(each.saved > 0 for each in found):.0%}"
    _print_row(name, str(len(found)), saved, _mean_and_error(lost), over, f"{max(lost):.2f}", early)


def _annealed(ended: Iterable[Ending]) -> list[Mapping[str, float]]:
    return [each.points_lost for each in ended if each.schedule in ANNEALED]


def _mean_and_error(values: Sequence[float]) -> str:
    """Return the mean and its standard error over runs, as text."""
    return f"{fmean(values):.2f} ± {stdev(values) / sqrt(len(values)):.2f}"


def _print_head(*names: str) -> None:
    print(f"| {' | '.join(names)} |\n{'|---' * len(names)}|")


def _print_row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |")


def _say(is_met: bool, bar: str) -> None:  # noqa: FBT001  a verdict
    print(f"\n{'Met' if is_met else 'MISSED'}: {bar}.")
