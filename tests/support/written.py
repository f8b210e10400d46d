"""Ledgers as a run writes them, a word at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from green_callbacks.call_threads import Threads
from green_callbacks.ledger import Head, RunLedger, read_ledger
from green_callbacks.records import EpochRecord, History

LONG_SECONDS = 30.0


class Written:
    """A run that only writes its ledger.

    Args:
        path: The file.
        before: Records of earlier stretches. Defaults to none.
        held: How many of these the file holds. Defaults to None: it is not a file of this run yet.
        predecessor: The ledger of the stretch before in this process. Defaults to none.
        fields: Of the head, beside run id and version; and ``checkpoints``.
    """

    def __init__(
        self,
        path: Path,
        before: Sequence[EpochRecord] = (),
        *,
        held: int | None = None,
        predecessor: RunLedger | None = None,
        **fields: Any,
    ) -> None:
        self.history = History(list(before))
        checkpoints = fields.pop("checkpoints", {})
        head = Head(**{"run_id": "run-1", "version": "1.2.3", **fields})
        self.ledger = RunLedger(
            path,
            head,
            self.history,
            held=held,
            checkpoints=checkpoints,
            threads=Threads(),
            predecessor=predecessor,
        )
        self.ledger.open()

    def write(self, record: EpochRecord) -> None:
        """Record an interval, and what policies said after it."""
        number = len(self.history)
        self.history.append(record)
        self.ledger.record(number, record)
        if record.verdicts:
            self.ledger.verdicts(record.verdicts)

    def flush(self) -> None:
        """Wait until all of it is in the file, or was tried to be."""
        self.ledger.flush(LONG_SECONDS)

    def close(self) -> bool:
        """End the writing; the run is not closed by that."""
        return self.ledger.close(LONG_SECONDS)


@contextmanager
def writing(path: Path, before: Sequence[EpochRecord] = (), **options: Any) -> Iterator[Written]:
    """Write to a ledger until the end of the block."""
    written = Written(path, before, **options)
    try:
        yield written
    finally:
        written.close()


@contextmanager
def going_on(path: Path, **options: Any) -> Iterator[Written]:
    """Go on with the run of a file, as a process does that reads it first."""
    contents = read_ledger(path)
    with writing(path, contents.history, held=contents.recorded, **options) as written:
        yield written
