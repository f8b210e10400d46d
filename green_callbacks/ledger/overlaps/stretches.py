"""The times in which a run has measured devices, from the records of its ledger."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from green_callbacks.errors import LedgerError
from green_callbacks.ledger._head_codec import decode_head
from green_callbacks.ledger._json_line import fields_of
from green_callbacks.ledger._row_decoding import Rows
from green_callbacks.ledger.format import VERDICTS
from green_callbacks.ledger.head import Head
from green_callbacks.ledger.ledger_files import bounded_lines, opened, shown
from green_callbacks.ledger.overlaps.hosts import UNIQUE, Device, Place
from green_callbacks.records import DeviceEnergy, EpochRecord
from green_callbacks.records.checked import wrong
from green_callbacks.records.coverage import SHARED

_T = TypeVar("_T")
_SLACK_SECONDS: Final = 0.05
"""Time in s between two records below which the run went on. The clock of the system may be corrected meanwhile."""
_OWN_SHARE: Final = frozenset({"sm_share"})
"""Flags of a device of which the run counts only its own share."""
_OLD_SHARE: Final = frozenset({"sm_share", "shared_host", SHARED})
"""Flags of such a device in the ledger of an earlier version."""


class Stretch(NamedTuple):
    """A time in which one process measured the same devices without a break.

    Attributes:
        began: Its beginning, in s since 1970.
        ended: Its end, in s since 1970.
        process: Identity of the process.
        devices: The devices.
    """

    began: float
    ended: float
    process: str
    devices: frozenset[Device]


class Row(NamedTuple):
    """A record, and the process that wrote it.

    Attributes:
        head: The head of the session.
        record: The record.
    """

    head: Head
    record: EpochRecord

    @property
    def process(self) -> str:
        """Identity of the process. A ledger of an earlier version names none, and gets one of its own."""
        return process_of(self.head)

    @property
    def span(self) -> tuple[float, float]:
        """Beginning and end, in s since 1970."""
        began = self.record.started_at.timestamp()
        return began, began + self.record.duration_seconds

    def devices(self) -> dict[str, Device]:
        """Return the measured devices by their names in the record."""
        energies = self.record.devices.items()
        return {name: device_of(name, self.head, energy) for name, energy in energies if energy.joules is not None}


def process_of(head: Head) -> str:
    """Return the identity of the process that wrote a head, or of the run where an earlier version wrote it.

    Args:
        head: The head.
    """
    return head.process or f"run:{head.run_id}"


def device_of(name: str, head: Head, energy: DeviceEnergy | None = None) -> Device:
    """Return a device of a record, as it compares with the devices of other runs.

    Args:
        name: Its name in the record.
        head: The head of the session.
        energy: Its energy in the record. Defaults to None, for the whole device.
    """
    place, local = _placed(name, head)
    is_own = energy is not None and _is_own_share(energy, is_old=not head.process)
    is_somewhere = not place.name and not local.startswith(UNIQUE)  # it may be another machine's
    return Device(place, local, process_of(head) if is_own or is_somewhere else "")


def _placed(name: str, head: Head) -> tuple[Place, str]:
    prefix, slash, local = name.partition("/")
    if not slash or (head.hosts and prefix not in head.hosts):
        prefix, local = head.host, name
    return (Place("") if local.startswith(UNIQUE) else Place(prefix, head.hosts.get(prefix, ""))), local


def _is_own_share(energy: DeviceEnergy, *, is_old: bool) -> bool:
    """Return whether a run counts only its own share of a device, which has the name of the whole device.

    An earlier version did not name shares of processors, and did not tell which process had divided a device between
    its own runs.
    """
    flags = energy.flags
    if not flags or energy.method != "modelled":
        return False
    return not (_OLD_SHARE if is_old else _OWN_SHARE).isdisjoint(flags)


def rows_of(path: Path) -> Iterator[Row]:
    """Read the records of a ledger one by one, with the last heartbeat of every process that was killed.

    Args:
        path: The ledger.

    Yields:
        The records, in the order of the file. Damaged lines are skipped.

    Raises:
        LedgerError: The file cannot be read.
    """
    rows, head, last_words = Rows(), Head(run_id="", version=""), None
    with opened(path) as file:
        for line in bounded_lines(file):
            try:
                fields = _fields(line)
                kind = fields.get("type")
                if kind == "devices":
                    rows.devices(fields)
                elif kind == "record":
                    record, last_words = rows.record(fields), None
                    yield Row(head, record)
                elif kind == "heartbeat":
                    last_words = Row(head, rows.record(fields))
                elif kind == "run":
                    head = decode_head(fields, shown(path))
                    if last_words is not None:
                        yield last_words
                    last_words = None
            except ValueError:
                rows.doubt()
    if last_words is not None:
        yield last_words


def rows_of_files(paths: Sequence[Path]) -> Iterator[Row]:
    """Read the records of a run that one or several files hold. Records that begin at the same time are the same.

    Args:
        paths: Its ledgers. Only the records of several ledgers are kept in memory.

    Yields:
        The records of the longest file, with missing and longer records of the others, in order of time.

    Raises:
        LedgerError: A file cannot be read.
    """
    if len(paths) == 1:
        yield from rows_of(paths[0])
        return
    files = sorted((list(rows_of(path)) for path in paths), key=len, reverse=True)
    yield from united_rows(files, lambda row: row.record)


def united_rows(files: Sequence[Iterable[_T]], record_of: Callable[[_T], EpochRecord]) -> list[_T]:
    """Return the rows of a run that several files hold, each once, in order of time.

    Args:
        files: The rows of each file, those of the longest file first. Of rows that begin at the same time, the longest
            counts, because the others are heartbeats before it.
        record_of: Returns the record of a row.
    """
    found: list[_T] = []
    places: dict[datetime, int] = {}
    for rows in files:
        size = len(found)
        for row in rows:
            record = record_of(row)
            at = places.get(record.started_at, size)
            if at >= size:  # of this file, which may hold records without a duration
                places[record.started_at] = len(found)
                found.append(row)
            elif record.duration_seconds > record_of(found[at]).duration_seconds:
                found[at] = row
    return sorted(found, key=lambda row: record_of(row).started_at)


def _fields(line: bytes | int) -> Mapping[str, Any]:
    if isinstance(line, int):
        raise wrong(line, "line of a ledger")
    return {} if not line or line.startswith(VERDICTS) else fields_of(line)


def stretches_of(paths: Sequence[Path]) -> tuple[Stretch, ...]:
    """Return the times in which a run has measured devices. Raises nothing.

    Args:
        paths: Its ledgers.

    Returns:
        The stretches. Empty if a file cannot be read.
    """
    found: list[Stretch] = []
    try:
        for row in rows_of_files(paths):
            began, ended = row.span
            devices = frozenset(row.devices().values())
            last = found[-1] if found else None
            if last is not None and _goes_on(last, row.process, devices, began):
                found[-1] = last._replace(ended=max(last.ended, ended))
            elif devices and ended > began:
                found.append(Stretch(began, ended, row.process, devices))
    except LedgerError:
        return ()
    return tuple(found)


def _goes_on(last: Stretch, process: str, devices: frozenset[Device], began: float) -> bool:
    is_same = last.process == process and last.devices == devices
    return is_same and -_SLACK_SECONDS <= began - last.ended <= _SLACK_SECONDS
