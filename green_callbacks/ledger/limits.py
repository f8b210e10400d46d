"""How much a ledger may hold.

A file says whatever its writer wanted. No run writes what lies beyond these bounds, which takes memory or time without
end.
The encoder keeps to the same bounds, so that what a run writes can be read. Bounds of single values are in
:mod:`green_callbacks.records.checked`.
"""

from typing import Final

MAX_LINE_BYTES: Final = 2**20
"""Longest line, in bytes. A record of 1,536 devices takes 0.1 MB, one of 5,000 metrics 0.2 MB."""

MAX_LINES: Final = 20_000_000
"""Most lines in a file: some 7 million epochs."""

MAX_PASSED_BYTES: Final = 64 * 2**20
"""Most bytes of damaged lines that are passed over, before the whole file is given up."""

MAX_METRICS: Final = 10_000
"""Most metrics in a line."""

MAX_DEVICES: Final = 8_192
"""Most devices in a line."""

MAX_ENTRIES: Final = 256
"""Most labels, and most versions, in a head."""

MAX_DROPS: Final = 1_000
"""Most drops of the learning rate in a plan."""

MAX_NOTICES: Final = 100
"""Most sentences about what could not act."""

MAX_REWOUND_ROWS: Final = 30_000_000
"""Most rows that all rewinds of a file look through together: some 20 s, or 300 resumes of a run of 100,000 records."""

MAX_END_BYTES: Final = 4_000
"""Longest closing line, in bytes."""

MAX_POINTS: Final = 100
"""Most points of the front, and of the curve, in a closing line."""
