"""Whether a loop of a user has all that a landing needs."""

from green_callbacks.accountant.landing.course import Course
from green_callbacks.accountant.landing.refusals import Lack
from green_callbacks.records import History


def lack_of(history: History, course: Course, *, has_rates: bool, asks: bool | None) -> Lack | None:
    """Return the first thing that a landing needs and that a loop has lacked in the last epoch. None if nothing.

    Args:
        history: All records so far.
        course: The number of steps so far.
        has_rates: Whether the learning rates of the loop are known.
        asks: Whether the loop asked the budgets inside the epoch. None if no budget lands.
    """
    if not has_rates:
        return "rates"
    if history.steps is None:
        return "steps"
    if not _grow(history):
        return "growing steps"
    if not course.has_moved:  # an epoch without data shows nothing
        return None
    if asks is False:
        return "asking"
    return "exact steps" if asks and not course.is_exact else None


def _grow(history: History) -> bool:
    """Return whether the steps at the end of an epoch are above the steps of the epoch before."""
    ends = [history.step_at(row) for row in history.last_epochs(2)]
    before, last = (ends[0], ends[-1]) if len(ends) > 1 else (None, None)
    return last is None or before is None or last > before
