"""When a learning rate has dropped, and when it is annealed.

Adapters read schedules ahead, and policies read the learning rates of records. Both must mean the same.
"""

from typing import Final

DROP_SHARE: Final = 0.5
"""Largest ratio of two consecutive learning rates that counts as a drop. No unit.

By convention. Step schedules divide by 2, 5 or 10, and smooth schedules fall by less in an epoch.
"""

ANNEALED_SHARE: Final = 0.1
"""Largest ratio of the last learning rate to the highest that counts as annealed. No unit.

By convention. Schedules for language models often end at 10 % of the highest rate, and their gain comes last, too.
``MarginalGain`` waits for an annealed schedule. A needless wait costs energy and is reported. A missed wait costs the
quality that the run was planned for. So the larger of the values in use is the safer value.
"""

_ROUNDING: Final = 1e-6
"""Relative error of a learning rate that a framework computes in 32-bit floats. No unit."""


def is_drop(before: float, after: float) -> bool:
    """Return whether a learning rate has dropped.

    Args:
        before: The learning rate before.
        after: The learning rate after.

    Example:
        >>> is_drop(0.1, 0.05), is_drop(0.1, 0.06)
        (True, False)
    """
    return before > 0 and after <= DROP_SHARE * before


def is_annealed(last: float, highest: float) -> bool:
    """Return whether a schedule ends so low that its gain comes last.

    Args:
        last: The learning rate at the end of the plan.
        highest: The highest learning rate of the plan.

    Example:
        >>> is_annealed(0.008, highest=0.1), is_annealed(0.02, highest=0.1)
        (True, False)
    """
    return last <= ANNEALED_SHARE * highest * (1 + _ROUNDING)
