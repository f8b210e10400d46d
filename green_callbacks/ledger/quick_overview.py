"""Reads the overview of a closed run from the two ends of its ledger, without the records in between.

The closing line states the totals. It also states whether all records have the devices, the carbon intensity and the
PUE of the first record, and where the last head begins. So the first record and that head tell the rest.

A closing line of an earlier version does not state this. Then the whole file is searched, without decoding it, for
lines that could change any of it.
"""

from io import BytesIO, FileIO
from math import isclose
from os import SEEK_END
from pathlib import Path
from typing import Final

from green_callbacks.errors import LedgerError
from green_callbacks.ledger._head_codec import decode_head
from green_callbacks.ledger._json_line import fields_of
from green_callbacks.ledger._row_decoding import Rows
from green_callbacks.ledger.closing_line import Closing, closing_in
from green_callbacks.ledger.format import HEAD
from green_callbacks.ledger.head import Head
from green_callbacks.ledger.ledger_files import opened, shown
from green_callbacks.ledger.overview import LedgerOverview
from green_callbacks.records import EpochRecord
from green_callbacks.units import GRAMS_PER_KG, JOULES_PER_KWH

_BEGIN_BYTES: Final = 65_536
"""Number of bytes that are read from the beginning of a file, enough for a head and a record of 500 devices."""

_DEVICES: Final = b'{"type":"devices"'
_RECORD: Final = b'{"type":"record"'

_CHANGES: Final = (HEAD, _DEVICES, b'"intensity":{', b',"pue":')
"""Texts that a ledger of unchanged devices, intensity and PUE holds once each."""

_SEARCHED_BYTES: Final = 2**24
"""Length in bytes of the longest file that is searched for changes. The records of a longer file are read."""

_TOLERANCE: Final = 1e-9
"""Largest relative difference between the emissions of all records and the product of their energy and intensity.

The sum of 20 million records rounds by less.
"""


def quick_overview(path: str | Path) -> LedgerOverview | None:
    """Read the overview of a closed run from the beginning and the end of its ledger. Raises nothing.

    Args:
        path: The file.

    Returns:
        The overview. Its totals, devices, intensity and PUE equal those of the records. None if only the records can
        tell them, for example because the run was not closed or the carbon intensity changed.

    Example:
        >>> quick_overview("no-such-file.jsonl") is None
        True
    """
    path = Path(path)
    try:
        with opened(path) as file:
            closing = closing_in(file)
            return None if closing is None else _quick(path, file, closing)
    except (LedgerError, ValueError, RecursionError):
        return None


def last_head(path: Path, closing: Closing) -> Head | None:
    """Return the last head of a closed ledger, without reading its records. Raises nothing.

    Args:
        path: The file.
        closing: Its closing line.

    Returns:
        The head. None if it cannot be read, or if the closing line is of a version that does not tell where it is.
    """
    if closing.head_offset is None:
        return None
    try:
        with opened(path) as file:
            head = _head(path, _line_at(file, closing.head_offset))
    except (LedgerError, ValueError, RecursionError):
        return None
    return head if head is not None and head.run_id == closing.run_id else None


def _quick(path: Path, file: FileIO, closing: Closing) -> LedgerOverview | None:
    if closing.effort is None:
        return None
    if not closing.is_uniform and (closing.head_offset is not None or _changes(file)):
        return None
    file.seek(0)
    begin = file.read(_BEGIN_BYTES)
    head = _head(path, _line_at(file, closing.head_offset) if closing.head_offset else begin.partition(b"\n")[0])
    record = _first_record(begin) if closing.rows else None
    if head is None or head.run_id != closing.run_id or not _is_explained(closing, record):
        return None
    devices = {} if record is None else record.devices
    return LedgerOverview(
        path=path,
        head=head,
        closing=closing,
        is_closed=True,
        plan=head.plan,
        began_at=None if record is None else record.started_at,
        intensity=None if record is None else record.intensity,
        pue=None if record is None else record.pue,
        components={name: used.component for name, used in devices.items()},
        methods={name: used.method for name, used in devices.items()},
        is_quick=True,
    )


def _line_at(file: FileIO, offset: int) -> bytes:
    """Return the line that begins at an offset, with a line break before it. Empty if no line begins there."""
    if offset == 0:
        file.seek(0)
        return file.read(_BEGIN_BYTES).partition(b"\n")[0]
    file.seek(offset - 1)
    before, _, rest = file.read(_BEGIN_BYTES).partition(b"\n")
    return b"" if before else rest.partition(b"\n")[0]


def _head(path: Path, line: bytes) -> Head | None:
    return decode_head(fields_of(line), shown(path)) if line.startswith(HEAD) else None


def _first_record(begin: bytes) -> EpochRecord | None:
    rows = Rows()
    for line in BytesIO(begin):
        if line.startswith(_DEVICES):
            rows.devices(fields_of(line))
        elif line.startswith(_RECORD):
            return rows.record(fields_of(line))
    return None


def _is_explained(closing: Closing, record: EpochRecord | None) -> bool:
    """Return whether the first record explains the emissions of all records."""
    if record is None:
        return closing.rows == 0 and closing.energy_joules is None
    if closing.energy_joules is None:
        return True
    if closing.emissions_low_kg is None or closing.emissions_high_kg is None:
        return False
    if closing.energy_joules and not closing.emissions_kg:  # the points of the line do not tell their energy
        return False
    kwh = closing.energy_joules / JOULES_PER_KWH * record.pue
    kg = kwh * record.intensity.g_per_kwh / GRAMS_PER_KG
    return isclose(closing.facility_kwh, kwh, rel_tol=_TOLERANCE) and isclose(
        closing.emissions_kg, kg, rel_tol=_TOLERANCE
    )


def _changes(file: FileIO) -> bool:
    """Return whether a file may hold another head, or lines that change devices, intensity or PUE."""
    if file.seek(0, SEEK_END) > _SEARCHED_BYTES:
        return True
    file.seek(0)
    data = file.read(_SEARCHED_BYTES)
    return any(data.count(text) > 1 for text in _CHANGES)
