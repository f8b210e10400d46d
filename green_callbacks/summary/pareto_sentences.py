"""The Pareto front of a run in words, and the gain to expect from more training."""

import os
from bisect import bisect_right
from collections.abc import Mapping
from typing import Final

from green_callbacks.analysis import FrontPoint, NextDoubling, front, knee, scale_point
from green_callbacks.metrics import Metric
from green_callbacks.records import History
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_mass
from green_callbacks.text.wording import significant

_SHOWN_SHARES: Final = (1 / 4, 1 / 2, 1.0)
"""Shares of the best point's emissions at which a point is shown, so that the reader sees the gain of each doubling."""

_METRIC_DIGITS: Final = 4
"""Significant digits of a metric."""


def on_the_way(history: History, metric: Metric | None, files: Mapping[int, str] | None = None) -> str | None:
    """Write which quality the run had reached at which emissions.

    With checkpoints, the text lists the best point, the knee, and every point that has a checkpoint, on a line each.
    Without checkpoints, it lists the best point, the knee, and the points at a half and a quarter of the best point's
    emissions. If the first value came later, the first point replaces the missing points.

    Args:
        history: All records.
        metric: The metric. None if there is none.
        files: Paths of checkpoints by the rows of their records. Defaults to none.

    Returns:
        The text. None if the front has a single point or none.
    """
    points = [] if metric is None else front(history, metric)
    if metric is None or len(points) < 2 or points[-1].kg <= 0:  # noqa: PLR2004
        return None
    files = {point.row: files[point.row] for point in points if point.row in files} if files else {}
    turn = knee(points, files or None)
    ends = (bisect_right(points, share * points[-1].kg, key=lambda point: point.kg) for share in _SHOWN_SHARES)
    shown = {at for at, point in enumerate(points) if point.row in files} or {max(end - 1, 0) for end in ends}
    shown |= {len(points) - 1} | ({points.index(turn)} if turn else set())
    comma = ",\n" if files else ", "  # paths are long, so that each gets a line
    return f"{for_terminal(metric.name)} {comma.join(_words(points[at], turn, files) for at in sorted(shown))}."


def doubling(history: History, metric: Metric) -> str | None:
    """Write which gain to expect from doubling the emissions.

    Args:
        history: All records.
        metric: The metric.

    Returns:
        A sentence. None if no gain can be predicted.
    """
    following = NextDoubling.of(history, metric)
    if following is None:
        return None
    cost = format_mass(following.kg)
    if following.high <= 0:
        return f"The second half of the emissions gained nothing, and another {cost} would likely gain little."
    scale = scale_point(history.metric(metric.name).values) if metric.rises else None
    low, expected, high = (
        significant(gain / (scale or 1.0), 2) for gain in (following.low, following.expected, following.high)
    )
    unit = f"{'points ' if scale else ''}of {for_terminal(metric.name)}"
    return f"Doubling the {cost} would likely gain another {expected} {unit} ({low} to {high})."


def _words(each: FrontPoint, turn: FrontPoint | None, files: Mapping[int, str]) -> str:
    where = [] if each.epoch is None else [f"epoch {each.epoch}"]
    where += ["the knee"] if each is turn else []
    where += [for_terminal(_relative(files[each.row]))] if each.row in files else []
    noted = f" ({', '.join(where)})" if where else ""
    return f"{significant(each.value, _METRIC_DIGITS)} at {format_mass(each.kg)}{noted}"


def _relative(path: str) -> str:
    """Leave out the working folder of a file that lies in it."""
    try:
        return path.removeprefix(os.path.join(os.getcwd(), ""))  # noqa: PTH109, PTH118  paths can be URLs, so stay text
    except OSError:  # the working folder was removed
        return path
