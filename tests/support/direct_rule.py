"""What MarginalGain is to calculate, from the whole history each time: slow, and plain to see."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite, log, sqrt

ENOUGH, ROUNDING, Z90 = 50, 1e-9, 1.2816


@dataclass
class Judged:
    """The figures that a verdict is made of."""

    best: float
    whole_gain: float
    spent_kwh: float
    kwh: float
    bought: float
    slope: float
    upper: float
    late_slope: float
    gained: float
    learns: float | None
    count: int


def judged(history, plan, metric, *, rises):
    """Judge a metric by its last window; None where there is none."""
    sign = 1 if rises else -1
    kwh = list(history.cumulative_kwh)
    before = kwh[history.fit_row - 1] if history.fit_row else 0.0
    pairs = zip(*history.metric(metric), strict=True)
    known = [(row, value) for row, value in pairs if row >= history.fit_row and isfinite(value)]
    rows, values = [row for row, _ in known], [value for _, value in known]
    spent = [kwh[row] - before for row in rows]
    best = max(values) if rises else min(values)

    def last_before(energy):
        return bisect_right(spent, energy + ROUNDING * spent[-1]) - 1

    def since(index):
        step = 1 + (len(rows) - index) // ENOUGH
        kept = slice(index + (len(rows) - 1 - index) % step, None, step)
        return spent[kept], values[kept]

    first_row = fresh_start(history, plan)
    skipped = kwh[first_row - 1] - before if first_row else 0.0
    start = min(last_before(spent[-1] - (spent[-1] - skipped) / 2), len(rows) - 3)
    if start < 0 or rows[start] < first_row or spent[start] <= 0:
        return None
    line = fit(*since(start), sign)
    if line is None:
        return None
    window_kwh = spent[-1] - spent[start]
    late = fit(*since(min(last_before(spent[-1] - window_kwh / 2), len(rows) - 3)), sign)
    half = last_before(spent[-1] / 2)
    learns = None if half < 0 or len(rows) < 10 else fit(*since(half), sign)
    until = values[: start + 1]
    return Judged(
        best=best,
        whole_gain=sign * (best - values[0]),
        spent_kwh=spent[-1],
        kwh=window_kwh,
        bought=line[0] * log(spent[-1] / spent[start]),
        slope=line[0],
        upper=line[1],
        late_slope=(late or line)[0],
        gained=sign * (best - (max(until) if rises else min(until))),
        learns=learns and learns[1],
        count=len(rows),
    )


def fresh_start(history, plan):
    """Return the row from which on the learning rate has not dropped."""
    done = history.last_epoch + 1 if history.epoch_rows and history.epoch_rows[-1] >= history.fit_row else 0
    planned, closed = 0, list(history.epoch_rows)
    past = [drop for drop in plan.learning_rate_drops if drop < done]
    if past:
        first = next(
            at for at, row in enumerate(closed) if row >= history.fit_row and history.epoch_at(row) >= past[-1]
        )
        planned = closed[first - 1] + 1 if first else 0
    pairs = list(pairwise(zip(*history.learning_rates, strict=True)))
    seen = max((row + 1 for (row, rate), (_, after) in pairs if rate and after <= rate / 2), default=0)
    return max(history.fit_row, planned, seen)


def fit(spent, values, sign):
    """Return the slope of a line against the logarithm of the energy, and the upper end of its interval."""
    count = len(spent)
    if count < 3 or not 0 < spent[0] < spent[-1]:
        return None
    folds = [log(energy / spent[0]) for energy in spent]
    middle_fold, middle_value = sum(folds) / count, sum(values) / count
    dx, dy = [x - middle_fold for x in folds], [y - middle_value for y in values]
    squares = sum(x * x for x in dx)
    if not squares:
        return None
    slope = sum(x * y for x, y in zip(dx, dy, strict=True)) / squares
    residual = max(sum(y * y for y in dy) - slope * slope * squares, 0.0)
    freedom = count - 2
    t90 = Z90 + (Z90**3 + Z90) / (4 * freedom) + (5 * Z90**5 + 16 * Z90**3 + 3 * Z90) / (96 * freedom**2)
    return sign * slope, sign * slope + t90 * sqrt(residual / freedom / squares)


def front(history, metric, mode):
    """Return rows and values of the front of a metric."""
    points, kg = [], history.cumulative_kg
    best = inf if mode == "min" else -inf
    for row, value in zip(*history.metric(metric), strict=True):
        if not isfinite(value) or not (value < best if mode == "min" else value > best):
            continue
        if points and kg[row] <= kg[points[-1][0]]:
            points.pop()
        points.append((row, value))
        best = value
    return points
