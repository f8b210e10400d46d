"""What quality was to be had for which emissions, and what doubling them again would buy."""

import os
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, Self

from green_callbacks.analysis.last_gain import point
from green_callbacks.analysis.pareto_points import Front, FrontPoint, chosen
from green_callbacks.records import History
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_mass
from green_callbacks.text.wording import significant

_SHOWN_SHARES: Final = (1 / 4, 1 / 2, 1.0)
"""Points are shown at these shares of what the best cost: what each doubling bought."""

_NEXT_DOUBLING: Final = (0.1, 0.6, 1.8)
"""What a doubling of the spend brings, as shares of what the one before brought: 10 %, 50 % and 90 % of runs.

Measured on the published learning curves of MLCommons AlgoPerf (median 0.66) and Google TaskSet (0.57); the 10 % and
90 % points there are 0.16 and 1.8. Runs whose learning rate drops or is annealed vary more.
"""

_KNEE_POINTS: Final = 3
_METRIC_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class NextDoubling:
    """What as much again as a run has emitted would likely buy.

    Attributes:
        kg: What it would cost, in kgCO2e.
        low: What one run in ten stays below, in units of the metric.
        expected: The median.
        high: What one run in ten exceeds.
    """

    kg: float
    low: float
    expected: float
    high: float

    @classmethod
    def of(cls, history: History, metric: str, mode: str) -> Self | None:
        """Foretell it from what the last doubling bought; never beyond the end of the metric's scale.

        Args:
            history: All records.
            metric: Key of the metric.
            mode: ``max`` or ``min``: which way it improves.

        Returns:
            The gain, at least 0; None if the metric has no value in the first half of the emissions.
        """
        points = front(history, metric, mode)
        before = bisect_right(points, history.emissions_kg / 2, key=lambda point: point.kg)
        if not before or history.emissions_kg <= 0:
            return None
        gain = abs(points[-1].value - points[before - 1].value)
        room = _room(history.metric(metric).values, points[-1].value, mode)
        return cls(history.emissions_kg, *(min(share * gain, room) for share in _NEXT_DOUBLING))


def front(history: History, metric: str, mode: str) -> list[FrontPoint]:
    """Return the Pareto front of emissions and quality: every new best of a metric.

    Args:
        history: All records.
        metric: Key of the metric.
        mode: ``max`` or ``min``: which way it improves.

    Returns:
        The points, each dearer and better than the one before; empty if the metric was never seen.
    """
    return list(Front(history, metric, mode))


def knee(points: Sequence[FrontPoint], among: Collection[int] | None = None) -> FrontPoint | None:
    """Return the point from which on quality gets dear.

    It lies farthest above the straight line from the first point to the last, both axes scaled to their lengths
    (Satopää et al., Finding a "Kneedle" in a Haystack, 2011).

    Args:
        points: A front.
        among: Rows of the points of which there is a choice; all unless given.

    Returns:
        The point; None if the front has fewer than three, or if none lies above the line.
    """
    if len(points) < _KNEE_POINTS:
        return None
    first, last = points[0], points[-1]

    def height(each: FrontPoint) -> float:
        gained = (each.value - first.value) / (last.value - first.value)
        return gained - (each.kg - first.kg) / (last.kg - first.kg)

    farthest = max(chosen(points, among), key=height, default=first)
    return farthest if height(farthest) > 0 else None


def worth_keeping(points: Sequence[FrontPoint], count: int, among: Collection[int] | None = None) -> list[FrontPoint]:
    """Choose the points of a front that say most about it.

    The best stays in any case, and next to it the knee. Of the others, the one goes first without which least is lost:
    the area between what was to be had for any emissions with it and without it, as in SMS-EMOA (Beume et al., 2007).
    So points lie dense where quality rises and apart where it does not, whatever the units of the axes; the first,
    against which the others count, goes before any that is better. To go on with five at every new point, as a run does
    that cannot bring a file back, leaves some 98 % of the area that the five chosen best in the end would have left.

    Args:
        points: A front.
        count: How many to choose, at least 1.
        among: Rows of the points of which there is a choice; all unless given.

    Returns:
        At most as many points, in their order.
    """
    best, turn = points[-1:], knee(points, among)
    kept = list(chosen(points, among))
    while len(kept) > count:
        before = [points[0], *kept]
        after = [*kept[1:], points[-1]]
        lost = [abs(p.value - b.value) * (a.kg - p.kg) for b, p, a in zip(before, kept, after, strict=False)]
        del kept[min(range(len(kept)), key=lambda at: (kept[at] in best, kept[at] == turn, lost[at]))]
    return kept


def bought(history: History, metric: str | None, mode: str, files: Mapping[int, str] | None = None) -> str | None:
    """Say what quality was to be had for which emissions.

    Args:
        history: All records.
        metric: Key of the metric; None if there is none.
        mode: ``max`` or ``min``: which way it improves.
        files: Checkpoints, by the rows of their records.

    Returns:
        The best, and the points that have a checkpoint, the knee among them, with a line for each. Where none has, the
        best, the knee, and what a half and a quarter of the best's emissions bought, or the first value where that came
        later. None if there is but one point.
    """
    points = front(history, metric or "", mode)
    if len(points) < 2 or points[-1].kg <= 0:  # noqa: PLR2004
        return None
    files = {point.row: files[point.row] for point in points if point.row in files} if files else {}
    turn = knee(points, files or None)
    ends = (bisect_right(points, share * points[-1].kg, key=lambda point: point.kg) for share in _SHOWN_SHARES)
    shown = {at for at, point in enumerate(points) if point.row in files} or {max(end - 1, 0) for end in ends}
    shown |= {len(points) - 1} | ({points.index(turn)} if turn else set())
    comma = ",\n" if files else ", "  # paths are long: each has a line
    return f"{for_terminal(metric)} {comma.join(_words(points[at], turn, files) for at in sorted(shown))}."


def doubling(history: History, metric: str, mode: str) -> str | None:
    """Say what doubling the emissions again would likely buy.

    Args:
        history: All records.
        metric: Key of the metric.
        mode: ``max`` or ``min``: which way it improves.

    Returns:
        A sentence, or None if nothing can be said.
    """
    following = NextDoubling.of(history, metric, mode)
    if following is None:
        return None
    cost = format_mass(following.kg)
    if following.high <= 0:
        return f"The second half of the emissions bought nothing better, and another {cost} would likely buy little."
    scale = point(history.metric(metric).values) if mode == "max" else None
    low, expected, high = (
        significant(gain / (scale or 1.0), 2) for gain in (following.low, following.expected, following.high)
    )
    unit = f"points of {for_terminal(metric)}" if scale else f"of {for_terminal(metric)}"
    return f"Doubling the {cost} would likely buy another {expected} {unit} ({low} to {high})."


def _words(each: FrontPoint, turn: FrontPoint | None, files: Mapping[int, str]) -> str:
    where = [] if each.epoch is None else [f"epoch {each.epoch}"]
    where += ["the knee"] if each is turn else []
    where += [for_terminal(_from_here(files[each.row]))] if each.row in files else []
    noted = f" ({', '.join(where)})" if where else ""
    return f"{significant(each.value, _METRIC_DIGITS)} at {format_mass(each.kg)}{noted}"


def _from_here(path: str) -> str:
    """Leave out the working folder, where a file lies in it."""
    try:
        return path.removeprefix(os.path.join(os.getcwd(), ""))  # noqa: PTH109, PTH118  text, of URLs as well
    except OSError:  # it was removed
        return path


def _room(values: Sequence[float], best: float, mode: str) -> float:
    """Return how much better a metric can get: to the end of its scale, where it has one."""
    known = [value for value in values if isfinite(value)]
    if mode == "min":
        return best if min(known) >= 0 else float("inf")
    scale = point(known)
    return float("inf") if scale is None else 100 * scale - best
