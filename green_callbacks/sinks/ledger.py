"""The ledger: an append-only file of JSON lines from which everything else can be rebuilt.

Every line is an object with a ``type``:

- ``run``: a process begins, or goes on with, the run; holds ``schema``, ``run_id``, ``version``, ``started_at``.
- ``record``: one record, as :func:`green_callbacks.records.codec.encode` writes it.
- ``heartbeat``: what has been used since the last record, as a record. Counts only if no record follows it: it is
  then the last that is known of a process that was killed.
- ``rewind``: the run was resumed and does ``epoch`` and all later ones again. What was recorded of them was used all
  the same: it counts as outside epochs.
- ``end``: the run was closed; holds ``stop_reason``.
"""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Final

from green_callbacks.errors import LedgerError
from green_callbacks.records import EpochRecord, History, RunRecord
from green_callbacks.records.codec import decode, encode
from green_callbacks.sinks.base import RunContext, Sink

logger = logging.getLogger(__name__)

SCHEMA: Final = 1
_RECORDS: Final = ("record", "heartbeat")


class Ledger(Sink):
    """Appends every record to a file, with one fsync each.

    What cannot be written is kept, tried again with the next record, and warned of once.

    Args:
        path: The file; its folders are made when the run begins.
        version: Version of the package, for the head of the file.
    """

    def __init__(self, path: Path, version: str) -> None:
        self.path = path
        self._version = version
        self._file: FileIO | None = None
        self._unwritten: list[bytes] = []
        self._warned = False

    def open(self, context: RunContext) -> None:
        """Begin the file, or go on with it; one that is new begins with what the history holds already."""
        is_new = not self.path.exists()
        self._append({"type": "run", "schema": SCHEMA, "run_id": context.run_id, "version": self._version})
        if is_new:
            for record in context.before:
                self._queue({"type": "record", **encode(record)})
            self._flush()

    def write(self, record: EpochRecord) -> None:
        """Append one record."""
        self._append({"type": "record", **encode(record)})

    def heartbeat(self, record: EpochRecord) -> None:
        """Append what has been used since the last record.

        Args:
            record: It, as a record.
        """
        self._append({"type": "heartbeat", **encode(record)})

    def rewind(self, epoch: int) -> None:
        """Note that an epoch and all later ones are done again.

        Args:
            epoch: The first of them.
        """
        self._append({"type": "rewind", "epoch": epoch})

    def finish(self, run: RunRecord) -> None:
        """Note that the run was closed."""
        self._append({"type": "end", "stop_reason": run.stop_reason})

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, line: dict[str, Any]) -> None:
        self._queue(line)
        self._flush()

    def _queue(self, line: dict[str, Any]) -> None:
        self._unwritten.append(json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n")

    def _flush(self) -> None:
        try:
            self._write(b"".join(self._unwritten))
        except OSError as reason:
            if not self._warned:
                self._warned = True
                logger.warning(
                    "The ledger %s cannot be written (%s): the run is accounted in memory until it can. "
                    "Free the disk, or name another file with ledger=….",
                    self.path,
                    reason,
                )
        else:
            self._unwritten.clear()

    def _write(self, data: bytes) -> None:
        """Write all of the data or none of it: a torn line would be lost, and the next one with it."""
        if self._file is None:
            self._file = self._opened()
        end = self._file.seek(0, os.SEEK_END)
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:])
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(end)
            raise

    def _opened(self) -> FileIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = FileIO(self.path, "a+")
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # a process was killed in the middle of a line
                file.write(b"\n")
        return file


@dataclass(frozen=True, slots=True)
class LedgerContents:
    """What a ledger holds.

    Attributes:
        run_id: Name of the run.
        history: All its records, without their verdicts; what was done again and what only a heartbeat knows of as
            rows outside epochs.
        stop_reason: Why a policy ended the run; None if none did, or if it was never closed.
    """

    run_id: str
    history: History
    stop_reason: str | None


def read_ledger(path: str | Path) -> LedgerContents:
    """Read a ledger back.

    Args:
        path: The file.

    Returns:
        Its contents. A last line that was cut short is passed over.

    Raises:
        LedgerError: There is no such file, it is not a ledger, or it is of a later schema.
    """
    run_id: str | None = None
    stop_reason: str | None = None
    history = History()
    last_words: EpochRecord | None = None
    for line in _lines(Path(path)):
        kind = line["type"]
        if kind == "heartbeat":
            last_words = line["record"]
            continue
        if kind == "record":
            history.append(line["record"])
        elif last_words is not None:
            history.append(last_words)
        last_words = None
        if kind == "run":
            run_id, stop_reason = line["run_id"], None
        elif kind == "rewind":
            history.rewind(line["epoch"])
        elif kind == "end":
            stop_reason = line["stop_reason"]
    if run_id is None:
        msg = f"{path} is not a ledger: it does not begin with a run. Name a file that a run has written."
        raise LedgerError(msg)
    if last_words is not None:
        history.append(last_words)
    return LedgerContents(run_id, history, stop_reason)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        data = path.read_bytes()
    except OSError as reason:
        msg = f"The ledger {path} cannot be read ({reason.strerror}). Name a file that a run has written."
        raise LedgerError(msg) from reason
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            fields = json.loads(line)
            if fields["type"] in _RECORDS:
                fields = {"type": fields["type"], "record": decode(fields)}
        except (ValueError, TypeError, KeyError):
            logger.warning("Line %d of %s is not whole, as if its writer had been killed; passed over.", number, path)
            continue
        if fields["type"] == "run" and fields["schema"] > SCHEMA:
            msg = f"{path} was written by a later version of green_callbacks ({fields['version']}): update to read it."
            raise LedgerError(msg)
        yield fields
