"""Limits on the content of a ledger.

A file from elsewhere may hold anything, for example a line that fills the memory. Readers refuse content beyond these
limits. The encoder keeps to the same limits, so readers accept every ledger that a run writes. The limits of single
values are in :mod:`green_callbacks.records.checked`.
"""

from typing import Final

MAX_LINE_BYTES: Final = 2**20
"""Length of the longest line, in bytes. A record of 1,536 devices takes 0.1 MB, one of 5,000 metrics 0.2 MB."""

MAX_LINES: Final = 20_000_000
"""Largest number of lines in a file, enough for about 7 million epochs."""

MAX_PASSED_BYTES: Final = 64 * 2**20
"""Largest number of bytes in damaged lines. A file with more is refused."""

MAX_METRICS: Final = 10_000
"""Largest number of metrics in a line."""

MAX_DEVICES: Final = 8_192
"""Largest number of devices in a line."""

MAX_KNOWN_DEVICES: Final = 2**20
"""Largest number of devices in all sets of devices that a reader remembers. A writer refers to the last 64 sets."""

MAX_ENTRIES: Final = 256
"""Largest number of labels, and of versions, in a head."""

MAX_HOSTS: Final = 4_096
"""Largest number of machines in a head."""

MAX_BUDGETS: Final = 32
"""Largest number of budgets in a head."""

MAX_NESTED: Final = 32
"""Largest number of runs inside one another, and of processes of a run, that a head names."""

MAX_DROPS: Final = 1_000
"""Largest number of learning-rate drops in a plan."""

MAX_NOTICES: Final = 100
"""Largest number of notices that a reader keeps."""

MAX_REWOUND_ROWS: Final = 30_000_000
"""Largest number of rows that all rewinds of a file search together.

This takes about 20 s, and is enough to resume a run of 100,000 records 300 times.
"""

MAX_END_BYTES: Final = 4_000
"""Length of the longest closing line, in bytes. It fits into one block of most disks."""

MAX_POINTS: Final = 100
"""Largest number of points of the front, and of the curve, in a closing line."""
