"""The ledger: an append-only file of JSON lines from which everything else can be rebuilt.

Every line is an object with a ``type``:

- ``run``: a process begins, or goes on with, the run; holds ``schema``, ``run_id``, ``version``.
- ``record``: one record, as :func:`green_callbacks.records.codec.encode` writes it.
- ``heartbeat``: what has been used since the last record, as a record. Counts only if no record follows it: it is
  then the last that is known of a process that was killed.
- ``rewind``: the run was resumed after ``step`` and does ``epoch`` and all later ones again. What was recorded of them
  beyond was used all the same: it counts as outside epochs.
- ``checkpoints``: which files of the front of a metric are kept, from here on; holds ``monitor``, ``mode``, and
  ``files``, of which each has the position of its record among those that the file reads back as. Those in the
  ledger's own folder or beside it go by a path from there, so that all of them can be moved together.
- ``end``: the run was closed; holds ``stop_reason``.

What :func:`read_ledger` does not know is passed over.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any, Final, Literal

from green_callbacks.errors import LedgerError
from green_callbacks.records import Checkpoints, EpochRecord, History, Plan, RunRecord
from green_callbacks.records.codec import decode, encode
from green_callbacks.records.plan import decode_plan, encode_plan
from green_callbacks.sinks.base import RunContext, Sink

logger = logging.getLogger(__name__)

SCHEMA: Final = 1
_HEAD: Final = b'{"type":"run","schema":'
_RECORDS: Final = ("record", "heartbeat")
_NEEDED: Final = {
    "run": frozenset({"schema", "run_id", "version"}),
    "plan": frozenset({"plan"}),
    "rewind": frozenset({"epoch"}),
    "checkpoints": frozenset({"monitor", "mode", "files"}),
    "end": frozenset({"stop_reason"}),
}


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
        self._is_gone = False

    def open(self, context: RunContext) -> None:
        """Begin the file, or go on with it; what the history holds and the file lacks is written first."""
        held = self._records_held() if context.before else 0
        lines = [{"type": "record", **encode(record)} for record in context.before[held:]]
        for line in [*lines, self._head(context)] if held else [self._head(context), *lines]:
            self._queue(line)
        for metric, kept in list(context.checkpoints.items()):
            self._queue(self._checkpoints_line(metric, kept))
        self._flush()

    def replan(self, plan: Plan) -> None:
        """Append a plan that has become known, or has changed.

        Args:
            plan: The plan.
        """
        self._append({"type": "plan", "plan": encode_plan(plan)})

    def _head(self, context: RunContext) -> dict[str, Any]:
        return {
            "type": "run",
            "schema": SCHEMA,
            "run_id": context.run_id,
            "version": self._version,
            "plan": encode_plan(context.plan),
            "monitor": context.monitor,
            "mode": context.mode,
            "pue_source": context.pue_source,
        }

    def _records_held(self) -> int:
        try:
            return len(_replay(self.path).history)
        except LedgerError:  # gone, as was said when the run was resumed
            return 0

    def write(self, record: EpochRecord) -> None:
        """Append one record."""
        self._append({"type": "record", **encode(record)})

    def heartbeat(self, record: EpochRecord) -> None:
        """Append what has been used since the last record.

        Args:
            record: It, as a record.
        """
        self._append({"type": "heartbeat", **encode(record)})

    def rewind(self, epoch: int, step: int | None = None) -> None:
        """Note that an epoch and all later ones are done again.

        Args:
            epoch: The first of them.
            step: Optimiser steps that were done before; None if unknown.
        """
        self._append({"type": "rewind", "epoch": epoch, "step": step})

    def keep_checkpoints(self, metric: str, kept: Checkpoints) -> None:
        """Note which files of the front of a metric there are from now on.

        Args:
            metric: Its key.
            kept: All of them.
        """
        self._append(self._checkpoints_line(metric, kept))

    def _checkpoints_line(self, metric: str, kept: Checkpoints) -> dict[str, Any]:
        return {"type": "checkpoints", "monitor": metric, **kept.seen_from(self.path.parent).encode()}

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
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(self.path, "a+")
        end = self._file.seek(0, os.SEEK_END)
        if end and self._byte_before(self._file, end) != b"\n":
            data = b"\n" + data  # a process was killed in the middle of a line
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:])
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(end)
            raise
        self._look_after(self._file)

    def _look_after(self, file: FileIO) -> None:
        if not self._is_gone and os.fstat(file.fileno()).st_nlink == 0:
            self._is_gone = True
            logger.warning(
                "The ledger %s was removed while its run goes on: the records are in memory only. "
                "Take a checkpoint, or start the run again.",
                self.path,
            )

    @staticmethod
    def _byte_before(file: FileIO, end: int) -> bytes:
        file.seek(end - 1)
        return file.read(1)


@dataclass(frozen=True, slots=True)
class LedgerContents:
    """What a ledger holds.

    Attributes:
        run_id: Name of the run; empty if its process was killed before it could write it.
        history: All its records, without their verdicts; what was done again and what only a heartbeat knows of as
            rows outside epochs.
        stop_reason: Why a policy ended the run; None if none did, or if it was never closed.
        is_closed: Whether the run came to an end; if not, it was killed or still goes on.
        plan: What was known ahead.
        monitor: Key of the metric that was watched; None if none was.
        mode: ``max`` or ``min``: which way that metric improves.
        pue_source: Where the PUE came from, in words.
        checkpoints: The checkpoint files that were kept, by the metric whose front they are of.
    """

    run_id: str
    history: History
    stop_reason: str | None
    is_closed: bool
    plan: Plan
    monitor: str | None
    mode: Literal["max", "min"]
    pue_source: str
    checkpoints: Mapping[str, Checkpoints]


def read_ledger(path: str | Path) -> LedgerContents:
    """Read a ledger back.

    Args:
        path: The file.

    Returns:
        Its contents. A last line that was cut short is passed over.

    Raises:
        LedgerError: There is no such file, it is not a ledger, or it is of a later schema.
    """
    replayed = _replay(Path(path))
    for number in replayed.torn_lines:
        logger.warning("Line %d of %s is not whole, as if its writer had been killed; passed over.", number, path)
    if replayed.last_words is not None:
        replayed.history.append(replayed.last_words)
    checkpoints = {name: kept.found_from(Path(path).parent) for name, kept in replayed.checkpoints.items()}
    monitor, mode = replayed.told.get("monitor"), replayed.told.get("mode", "max")
    if monitor is None and checkpoints:  # nobody had said yet when the head was written
        monitor, mode = next((name, kept.mode) for name, kept in checkpoints.items())
    return LedgerContents(
        run_id=replayed.run_id,
        history=replayed.history,
        stop_reason=replayed.stop_reason,
        is_closed=replayed.is_closed,
        plan=decode_plan(replayed.told["plan"]) if "plan" in replayed.told else Plan(),
        monitor=monitor,
        mode=mode,
        pue_source=replayed.told.get("pue_source", "not known"),
        checkpoints=checkpoints,
    )


@dataclass(slots=True)
class _Replay:
    """A ledger, line after line; a heartbeat counts once it is known that its process wrote no record after it."""

    run_id: str = ""
    history: History = field(default_factory=History)
    stop_reason: str | None = None
    is_closed: bool = False
    told: dict[str, Any] = field(default_factory=dict)
    checkpoints: dict[str, Checkpoints] = field(default_factory=dict)
    last_words: EpochRecord | None = None
    torn_lines: list[int] = field(default_factory=list)

    def take(self, line: Mapping[str, Any]) -> None:
        kind = line["type"]
        if kind in _RECORDS:
            self.last_words = line["record"] if kind == "heartbeat" else None
        if kind == "record":
            self.history.append(line["record"])
        elif kind == "run":
            if self.last_words is not None:
                self.history.append(self.last_words)
            self.last_words = None
            self.run_id, self.stop_reason, self.is_closed = line["run_id"], None, False
        if kind in {"run", "plan"}:
            self.told |= line
        elif kind == "rewind":
            self.history.rewind(line["epoch"], line.get("step"))
        elif kind == "checkpoints":
            self.checkpoints[line["monitor"]] = line["kept"]
        elif kind == "end":
            self.stop_reason, self.is_closed = line["stop_reason"], True


def _replay(path: Path) -> _Replay:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as reason:
        msg = f"The ledger {path} cannot be read ({reason.strerror}). Name a file that a run has written."
        raise LedgerError(msg) from reason
    replay = _Replay()
    for number, line in enumerate(lines, start=1):
        fields = _fields(line)
        if fields is None:
            replay.torn_lines.append(number)
            continue
        if fields["type"] == "run" and fields["schema"] > SCHEMA:
            msg = f"{path} was written by a later version of green_callbacks ({fields['version']}): update to read it."
            raise LedgerError(msg)
        replay.take(fields)
    if not replay.run_id and not all(line.startswith(_HEAD) or _HEAD.startswith(line) for line in lines):
        msg = f"{path} is not a ledger: it does not begin with a run. Name a file that a run has written."
        raise LedgerError(msg)
    return replay


def _fields(line: bytes) -> dict[str, Any] | None:
    """Return what a line holds; None if it is not whole."""
    try:
        fields = json.loads(line)
        missing = _NEEDED.get(fields["type"], frozenset()) - fields.keys()
        if fields["type"] in _RECORDS:
            fields = {"type": fields["type"], "record": decode(fields)}
        elif fields["type"] == "checkpoints" and not missing:
            fields["kept"] = Checkpoints.decode(fields)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return None if missing else fields
