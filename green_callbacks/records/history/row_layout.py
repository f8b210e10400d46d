"""The columns of a history, and the marks and numbers that they hold."""

from typing import Final

from green_callbacks.records.methods import Method

DeviceLabels = tuple[
    tuple[str, ...], tuple[str, ...], tuple[Method, ...], tuple[float, ...], tuple[tuple[str, ...], ...]
]
"""The rarely changing part of a row's devices: names, components, methods, tolerances and flags."""

NO_DEVICES: Final[DeviceLabels] = ((), (), (), (), ())

NONE: Final = -(2**63)
"""Stands for None in a column of epochs. No epoch has this index, the smallest of a signed 64-bit integer."""

OPEN: Final = -1
"""Stands for a length while rows are being added. No history has this length."""

CLOSES: Final = 1
"""Bit of a mark. The row closes its epoch."""

COMPLETE: Final = 2
"""Bit of a mark. The row was not cut short."""

DEVICE_NUMBERS: Final = 3
"""Numbers per device of a row: energy, lower bound and upper bound, in J. ``NaN`` stands for None."""

PHASE_NUMBERS: Final = 2
"""Numbers per phase of a row: energy in J, where ``NaN`` stands for None, and time in s."""

DENSE: Final = {
    "epoch": "q",
    "marks": "b",
    "started": "d",
    "duration": "d",
    "pue": "d",
    "joules": "d",
    "kg": "d",
    "kwh": "d",
    "seconds": "d",
    "low_kg": "d",
    "high_kg": "d",
}
"""Type codes of the columns that have a number in every row. From ``kg`` on, columns hold running sums."""

SPARSE: Final = {
    "steps": "q",
    "rates": "d",
    "samples": "d",
    "tokens": "d",
    "flops": "d",
    "merged_epochs": "q",
    "merged_parts": "q",
    "merged_outside": "d",
    "fits": "q",
}
"""Type codes of the columns that only some rows have.

In a thinned history a row may stand for several. ``merged_epochs``, ``merged_parts`` and ``merged_outside`` count what
it holds beyond itself: epochs, parts of epochs, and energy outside epochs in J. ``fits`` holds the first row of every
fit except the first fit, with the latest epoch before it.
"""

NAMED: Final = ("metrics", "gaps", "most_joules")
"""Groups of columns by name.

They hold metrics, unmeasured seconds of devices, and the most expensive phases so far in J.
"""
