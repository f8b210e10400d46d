"""The ledger of a run while it goes on: what is said to it, in order, and when it is in the file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Final

from green_callbacks.call_threads import Threads
from green_callbacks.ledger.closing_line import closing_of
from green_callbacks.ledger.head import Head
from green_callbacks.ledger.line_encoding import Lines
from green_callbacks.ledger.writer_thread import LedgerWriter
from green_callbacks.records import Checkpoints, EpochRecord, History, Plan, Verdict
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

PATIENCE_SECONDS: Final = 0.1
"""How long training waits once for a disk that hangs, in s."""
_LITTLE_PATIENCE_SECONDS: Final = 0.005
"""How long it waits after that, in s, where the disk has come back in the meantime."""
_STUCK_SECONDS: Final = 0.02
"""A disk that has not come back for this long is not waited for, once it has hung."""
HUNG_SECONDS: Final = 2.0
"""A disk that has not come back for this long is warned of, in s, also between two epochs."""


class RunLedger:
    """The ledger of one stretch of a run.

    A record is written once :meth:`settle` is called, so that one wake-up serves all that an edge has to say.

    Every method returns at once. Only :meth:`settle` and :meth:`close` wait for the disk, and not for long.

    Args:
        path: The file.
        head: What is known of the run.
        history: All its records. Grows on another thread.
        held: Number of its records that the file holds already; None where the file is not one of this run yet.
        checkpoints: The checkpoint files that are kept, by the metric whose front they are of.
        threads: What starts threads.
        predecessor: The ledger of the stretch before, of which lines may still wait for the disk.
        notices: Returns what could not act so far, by keys. Grows meanwhile. Defaults to nothing.
    """

    def __init__(
        self,
        path: Path,
        head: Head,
        history: History,
        *,
        held: int | None,
        checkpoints: Mapping[str, Checkpoints],
        threads: Threads,
        predecessor: "RunLedger | None" = None,
        notices: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.head = head
        """What is known of the run, should the file have to begin anew."""
        self._history = history
        self._held = held
        self._first = len(history)
        self._checkpoints = checkpoints
        self._notices = notices
        self._lines = Lines()
        self._predecessor = predecessor
        before = predecessor._writer if predecessor else None  # noqa: SLF001  of our own kind
        self._writer: LedgerWriter = LedgerWriter(path, self._beginning, self._first, threads, before)
        self._patience_seconds = PATIENCE_SECONDS
        self._is_said = False
        self._done: Lock | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self._writer.path

    def open(self) -> None:
        """Have the file begun, or gone on with."""
        self._done = self._writer.submit(lambda _: b"")
        self._writer.wake()

    def record(self, number: int, record: EpochRecord) -> None:
        """Append a record without its verdicts.

        Args:
            number: Its position in the history. One that was appended before is not appended again.
            record: The record.
        """
        self._done = self._writer.submit(lambda _: self._lines.record(record), number)

    def verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Append what the policies said after the last record."""
        self._done = self._writer.submit(lambda _: self._lines.verdicts(verdicts))

    def heartbeat(self, record: EpochRecord) -> None:
        """Append what has been used since the last record, as a record."""
        self._done = self._writer.submit(lambda _: self._lines.heartbeat(record))
        self._writer.wake()

    def rewind(self, epoch: int, step: int | None) -> None:
        """Append that an epoch and all later ones are done again, after a number of steps if that is known."""
        self._done = self._writer.submit(lambda _: self._lines.rewind(epoch, step))
        self._writer.wake()

    def replan(self, plan: Plan) -> None:
        """Append a plan that became known, or changed."""
        self.head = replace(self.head, plan=plan)
        self._done = self._writer.submit(lambda _: self._lines.plan(plan))
        self._writer.wake()

    def watch(self, monitor: str | None, mode: str) -> None:
        """Note which metric is watched; it stands in the closing line."""
        self.head = replace(self.head, monitor=monitor, mode=mode)

    def keep_checkpoints(self, metric: str, kept: Checkpoints) -> None:
        """Append which files of the front of a metric there are from now on."""
        self._done = self._writer.submit(lambda _: self._checkpoints_line(metric, kept))
        self._writer.wake()

    def notice(self, key: str, text: str | None) -> None:
        """Append what could not act, or that this no longer holds (None)."""
        self._done = self._writer.submit(lambda _: self._lines.notice(key, text))
        self._writer.wake()

    def end(self, stop_reason: str | None) -> None:
        """Append that the run was closed, with its totals."""
        head, history = self.head, self._history

        def line(offset: int) -> bytes:
            closing = closing_of(head.run_id, history, monitor=head.monitor, mode=head.mode, stop_reason=stop_reason)
            return self._lines.end(stop_reason, closing, offset)

        self._done = self._writer.submit(line)

    def settle(self) -> None:
        """Wait until everything said so far is in the file; for a disk that hangs, not for long, and once."""
        done = self._done
        if done is None or _is_released(done, 0.0):
            return
        self._writer.wake()
        has_hung = self._patience_seconds < PATIENCE_SECONDS
        if has_hung and self._writer.stuck_seconds > _STUCK_SECONDS:
            return
        if _is_released(done, self._patience_seconds):
            return
        if self._writer.stuck_seconds > 0:
            self._patience_seconds = _LITTLE_PATIENCE_SECONDS
            self._say()

    def flush(self, timeout_seconds: float) -> None:
        """Wait until everything said so far is in the file.

        Args:
            timeout_seconds: How long to wait for the disk at most, in s.
        """
        done = self._done
        if done is not None and not _is_released(done, 0.0):
            self._writer.wake()
            _is_released(done, timeout_seconds)

    @property
    def is_stuck(self) -> bool:
        """Whether the disk has not come back; one that refuses what it is asked to write is warned of elsewhere."""
        return self._writer.is_stuck

    @property
    def refusal(self) -> OSError | None:
        """Why the disk does not take what is to be written; None if it does."""
        return self._writer.refusal

    @property
    def has_others(self) -> bool:
        """Whether another run writes to the file at the same time."""
        return self._writer.has_others

    def look(self) -> None:
        """Say once that the disk hangs; called now and then."""
        if self._writer.stuck_seconds > HUNG_SECONDS:
            self._say()

    def close(self, timeout_seconds: float) -> bool:
        """Write and sync what is left.

        Args:
            timeout_seconds: How long to wait for the disk, in s.

        Returns:
            Whether all is written and synced.
        """
        return self._writer.close(timeout_seconds)

    def _beginning(self, offset: int, records: int | None) -> bytes:
        """Make the lines with which the file begins; with all records, where it has to begin anew."""
        lines = self._lines
        head = lines.head(self.head)
        predecessor, self._predecessor = self._predecessor, None
        if predecessor is not None and self._held is not None:
            self._held = predecessor.held_at_last()
        if records is None and self._held is not None and offset:
            # Before the head: after it, a heartbeat that stands last in the file would count beside the records.
            missing = b"".join(map(lines.record, self._history[self._held : self._first]))
            return missing + lines.head(self.head) + self._lines_besides()
        missing = b"".join(map(lines.record, self._history[: self._first if records is None else records]))
        return head + missing + self._lines_besides()

    def held_at_last(self) -> int | None:
        """Return how many records the file holds, once the writer has ended: fewer than were said on a full disk."""
        return self._writer.first_unwritten if self._writer.has_begun else self._held

    def _lines_besides(self) -> bytes:
        """Return what a stretch begins with besides its head and records."""
        files = [self._checkpoints_line(metric, kept) for metric, kept in list(self._checkpoints.items())]
        return b"".join([*files, *(self._lines.notice(key, text) for key, text in self._notices().items())])

    def _checkpoints_line(self, metric: str, kept: Checkpoints) -> bytes:
        return self._lines.checkpoints(metric, kept, self.path.parent)

    def _say(self) -> None:
        if not self._is_said:
            self._is_said = True
            logger.warning(
                "The disk of the ledger %s does not come back. Training goes on, and the records follow when it does. "
                "Look at the disk, or name a file on another one with ledger=….",
                self.path,
            )


def _is_released(done: Lock, timeout_seconds: float) -> bool:
    """Wait for the release of a lock, and leave it released."""
    if done.acquire(timeout=timeout_seconds):
        done.release()
        return True
    return False
