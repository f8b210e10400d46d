"""Cumulative energies that never fall, although some of their values are estimates."""

Bounded = tuple[float, float, float]
"""A cumulative energy, how much less the true value may be, and how much more, each in J."""


def never_below(last_joules: float | None, now: Bounded) -> Bounded:
    """Return a value that is not below the last one, with bounds that cover the same range.

    A value below the last shows that the last estimate was too high. Because no reading is revised, the reading keeps
    the last value until the true energy has caught up.

    Args:
        last_joules: The value returned before, in J. None before the first.
        now: The present estimate with its bounds, in J.

    Returns:
        The value and its bounds, in J.

    >>> never_below(100.0, (97.0, 1.0, 5.0))
    (100.0, 4.0, 2.0)
    >>> never_below(100.0, (101.0, 1.0, 5.0))
    (101.0, 1.0, 5.0)
    """
    joules, below_joules, above_joules = now
    if last_joules is None or joules >= last_joules:
        return now
    excess_joules = last_joules - joules
    return last_joules, below_joules + excess_joules, max(0.0, above_joules - excess_joules)
