"""What a learning-rate schedule means for a stopping rule: when to wait, and where to start afresh."""

from bisect import bisect_left
from typing import NamedTuple

from green_callbacks.policies._metric_values import whole
from green_callbacks.records import History, Plan
from green_callbacks.records.learning_rates import is_drop


def drop_ahead(history: History, plan: Plan) -> int | None:
    """Return the last epoch before which the schedule still lowers the learning rate; None if none is left.

    Args:
        history: All records so far.
        plan: What is known ahead.
    """
    last = last_drop(plan)
    return last if last is not None and last >= history.next_epoch else None


def last_drop(plan: Plan) -> int | None:
    """Return the last epoch of a plan before which its schedule lowers the learning rate; None if there is none.

    Args:
        plan: What is known ahead.
    """
    drops = plan.learning_rate_drops
    within = len(drops) if plan.epochs is None else bisect_left(drops, plan.epochs)
    return drops[within - 1] if within else None


def fresh_start(history: History, plan: Plan) -> int:
    """Return the row of the present fit from which on the learning rate has not dropped.

    Args:
        history: All records so far.
        plan: What is known ahead.
    """
    return max(history.fit_row, _last_planned(history, plan), _last_seen(history))


def _last_planned(history: History, plan: Plan) -> int:
    past = bisect_left(plan.learning_rate_drops, history.next_epoch)
    if not past:
        return 0
    closed, drop = history.epoch_rows, plan.learning_rate_drops[past - 1]
    first = bisect_left(closed, drop, bisect_left(closed, history.fit_row), key=lambda row: history.epoch_at(row) or 0)
    return closed[first - 1] + 1 if first else 0


def _last_seen(history: History) -> int:
    """Return the row after which the learning rate was last seen to have dropped; 0 if it never has."""
    rows, rates = history.learning_rates
    kept = history.memo((__name__,), lambda: [_Seen(1, 0)])
    seen, start = kept[0]
    end = whole(rows, len(history))
    if seen < end:
        for at in range(seen, end):
            if is_drop(rates[at - 1], rates[at]):
                start = rows[at - 1] + 1
        kept[0] = _Seen(end, start)
    return start


class _Seen(NamedTuple):
    """What the learning rates looked at so far say.

    Attributes:
        rates: How many were looked at.
        start: Row from which on they have not dropped.
    """

    rates: int
    start: int
