"""The effect of a learning-rate schedule on a stopping rule, which waits for drops and starts again after a drop."""

from bisect import bisect_left
from typing import NamedTuple

from green_callbacks.policies._metric_values import whole
from green_callbacks.records import History, Plan
from green_callbacks.records.learning_rates import is_drop


def drop_ahead(history: History, plan: Plan) -> int | None:
    """Return the last epoch that begins with a drop of the learning rate and is still to come. None if there is none.

    Args:
        history: All records so far.
        plan: The plan of the run.
    """
    last = last_drop(plan)
    return last if last is not None and last >= history.next_epoch else None


def last_drop(plan: Plan) -> int | None:
    """Return the last planned epoch that begins with a drop of the learning rate. None if there is none.

    Args:
        plan: The plan of the run.
    """
    drops = plan.learning_rate_drops
    within = len(drops) if plan.epochs is None else bisect_left(drops, plan.epochs)
    return drops[within - 1] if within else None


def fresh_start(history: History, plan: Plan) -> int:
    """Return the row of the present fit from which on the learning rate has not dropped.

    Args:
        history: All records so far.
        plan: The plan of the run.
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
    """Return the row after the last observed drop of the learning rate. 0 if there was no drop."""
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
    """Result of the learning rates that were read so far.

    Attributes:
        rates: Number of rates that were read.
        start: Row from which on they have not dropped.
    """

    rates: int
    start: int
