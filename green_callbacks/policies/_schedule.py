"""What a learning-rate schedule means for a stopping rule: when to wait, and where to start afresh."""

from bisect import bisect_left
from collections.abc import Sequence

from green_callbacks.records import History, Plan
from green_callbacks.records.plan import epochs_done

_DROP = 0.5
"""A learning rate of at most this share of the one before is a drop."""

_SPANS = 64
"""Learning rates are looked through in so many spans; a warm-up and a drop within one of them go unnoticed."""


def drop_ahead(history: History, plan: Plan) -> int | None:
    """Return the last epoch before which the schedule still lowers the learning rate; None if none is left.

    Args:
        history: All records so far.
        plan: What is known ahead.
    """
    reached = epochs_done(history) - 1
    within = [drop for drop in plan.learning_rate_drops if plan.epochs is None or drop < plan.epochs]
    return within[-1] if within and within[-1] > reached else None


def fresh_start(history: History, plan: Plan) -> int:
    """Return the row of the present fit from which on the learning rate has not dropped.

    Args:
        history: All records so far.
        plan: What is known ahead.
    """
    return max(history.fit_row, _last_planned(history, plan), _last_seen(history))


def _last_planned(history: History, plan: Plan) -> int:
    past = [drop for drop in plan.learning_rate_drops if drop < epochs_done(history)]
    if not past:
        return 0
    closed = history.epoch_rows
    first = bisect_left(
        closed, past[-1], bisect_left(closed, history.fit_row), key=lambda row: history.epoch_at(row) or 0
    )
    return closed[first - 1] + 1 if first else 0


def _last_seen(history: History) -> int:
    rows, rates = history.learning_rates
    step = 1 + len(rates) // _SPANS
    for last in range(len(rates) - 1, 0, -step):
        first = max(last - step, 0)
        if rates[last] <= _DROP * rates[first] and (at := _last_drop(rates, first, last)):
            return rows[at - 1] + 1
    return 0


def _last_drop(rates: Sequence[float], first: int, last: int) -> int:
    """Return the index of the last rate that is at most half of the one before; 0 if there is none.

    A span that does not end at half of its first rate or below is taken to hold no drop.
    """
    if first >= last or rates[last] > _DROP * rates[first] or not rates[first]:
        return 0
    if last - first == 1:
        return last
    middle = (first + last) // 2
    return _last_drop(rates, middle, last) or _last_drop(rates, first, middle)
