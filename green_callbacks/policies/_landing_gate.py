"""Whether a stopping rule lands a run, stops it at once, or waits."""

from typing import Final, Literal, NamedTuple

from green_callbacks.policies._metric_values import whole
from green_callbacks.records import History, Plan

_LOW: Final = 0.15
"""Share of the highest learning rate below which a landing gains nothing. By experiment in ``bench_landing``."""
_ROUNDING: Final = 1e-6
"""Relative error of a learning rate that a framework computes in 32-bit floats. No unit."""
_SPENT: Final = 1e-9
"""Relative error of a share of the plan. No unit."""


class Gate(NamedTuple):
    """The way in which a rule ends a run.

    Attributes:
        way: ``land``, ``stop`` to stop at once, or ``wait``.
        why: Why the rule does not land, as a sentence. Empty where it lands, or where the run has said it.
    """

    way: Literal["land", "stop", "wait"]
    why: str = ""


def landing_gate(history: History, plan: Plan, share: float) -> Gate:
    """Return how a rule ends a run that no longer learns enough.

    Args:
        history: All records so far.
        plan: The plan of the run.
        share: Length of a landing, as a share of the run so far.
    """
    if plan.landing_refused:
        return Gate("stop")
    if _rises(history):
        return Gate("wait", "The learning rate still rises, so the rule waits for its top.")
    if _is_low(history):
        low = f"The learning rate is below {100 * _LOW:.0f} % of its highest"
        return Gate("stop", f"{low}, so a landing would gain nothing.")
    done = plan.progress(history)
    if done is not None and share * done > (1 - done) * (1 + _SPENT):
        return Gate("wait", "The plan ends sooner than a landing would, so training goes on to the end of the plan.")
    return Gate("land")


def _rises(history: History) -> bool:
    rows, rates = history.learning_rates
    end = whole(rows, len(history))
    return end > 1 and rows[end - 2] >= history.fit_row and rates[end - 1] > rates[end - 2] * (1 + _ROUNDING)


def _is_low(history: History) -> bool:
    rows, rates = history.learning_rates
    end = whole(rows, len(history))
    return end > 0 and rows[end - 1] >= history.fit_row and rates[end - 1] < _LOW * _highest(history, end)


def _highest(history: History, end: int) -> float:
    """Return the highest learning rate of the present fit. Each rate is read only once as the history grows."""
    rows, rates = history.learning_rates
    kept = history.memo((__name__,), lambda: [_Seen(0, 0, 0.0)])
    seen, fit_row = kept[0], history.fit_row
    begin, highest = (seen.rates, seen.highest) if seen.fit_row == fit_row else (0, 0.0)
    for at in range(begin, end):
        if rows[at] >= fit_row:
            highest = max(highest, rates[at])
    kept[0] = _Seen(fit_row, end, highest)
    return highest


class _Seen(NamedTuple):
    """Result of the learning rates that were read so far.

    Attributes:
        fit_row: First row of their fit.
        rates: Number of rates that were read.
        highest: The highest of them.
    """

    fit_row: int
    rates: int
    highest: float
