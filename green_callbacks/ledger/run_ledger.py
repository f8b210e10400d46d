"""The ledger of a running run. It orders the lines, and waits a bounded time until they are in the file."""

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
"""Longest time, in s, that training waits for a disk that hangs for the first time. This is barely noticeable."""

_LATER_PATIENCE_SECONDS: Final = 0.005
"""Longest time, in s, that training waits for a disk that has hung before and answers again."""

_STUCK_SECONDS: Final = 0.02
"""Time without an answer, in s, after which training no longer waits for a disk that has hung before."""

HUNG_SECONDS: Final = 2.0
"""Time without an answer, in s, after which a warning names the disk. It also applies between two epochs."""


class RunLedger:
    """Writes the ledger of one session of a run.

    Records and verdicts are written when :meth:`settle` is called, so that the thread wakes once per edge. Only
    :meth:`settle`, :meth:`flush` and :meth:`close` wait for the disk, and each for a bounded time.

    Args:
        path: The file.
        head: Describes the run.
        history: All its records. It grows on another thread.
        held: Number of its records that the file holds already. None if the file is not a ledger of this run yet.
        checkpoints: The checkpoint files that are kept, by metric.
        threads: Starts the threads.
        predecessor: The ledger of the session before, whose lines may still wait for the disk. Defaults to None.
        notices: Returns the notices so far, by key. Defaults to no notices.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from green_callbacks.ledger import Head, RunLedger, read_ledger
        >>> head, threads = Head(run_id="digits", version="0.1.0"), Threads()
        >>> with TemporaryDirectory() as folder:
        ...     ledger = RunLedger(Path(folder, "a.jsonl"), head, History(), held=None, checkpoints={}, threads=threads)
        ...     ledger.end("budget spent")
        ...     is_written = ledger.close(10.0)
        ...     read_ledger(ledger.path).stop_reason
        'budget spent'
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
        """Describes the run, in case that the file must be written again."""
        self._history = history
        self._held = held
        self._first = len(history)
        self._checkpoints = checkpoints
        self._notices = notices
        self._lines = Lines()
        self._predecessor = predecessor
        before = predecessor._writer if predecessor else None  # noqa: SLF001  of this class
        self._writer: LedgerWriter = LedgerWriter(path, self._beginning, self._first, threads, before)
        self._patience_seconds = PATIENCE_SECONDS
        self._is_said = False
        self._done: Lock | None = None
        self._has_ended = False
        self._head_offset: int | None = None
        """Where the head of this session begins in the file, in bytes."""

    @property
    def path(self) -> Path:
        """The file."""
        return self._writer.path

    def open(self) -> None:
        """Begin the file, or a session in it."""
        self._done = self._writer.submit(lambda _: b"")
        self._writer.wake()

    def record(self, number: int, record: EpochRecord) -> None:
        """Append a record without its verdicts.

        Args:
            number: Its index in the history. A record with an index that was appended before is ignored.
            record: The record.
        """
        self._done = self._writer.submit(lambda _: self._lines.record(record), number)

    def verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Append the verdicts on the last record."""
        self._done = self._writer.submit(lambda _: self._lines.verdicts(verdicts))

    def heartbeat(self, record: EpochRecord) -> None:
        """Append everything used since the last record, as a heartbeat."""
        self._done = self._writer.submit(lambda _: self._lines.heartbeat(record))
        self._writer.wake()

    def rewind(self, epoch: int, step: int | None) -> None:
        """Append that an epoch and all later epochs are repeated from a checkpoint with a number of steps, if known."""
        self._done = self._writer.submit(lambda _: self._lines.rewind(epoch, step))
        self._writer.wake()

    def replan(self, plan: Plan) -> None:
        """Append a new or changed plan."""
        self.head = replace(self.head, plan=plan)
        self._done = self._writer.submit(lambda _: self._lines.plan(plan))
        self._writer.wake()

    def watch(self, monitor: str | None, mode: str) -> None:
        """Set the watched metric, which the closing line will name."""
        self.head = replace(self.head, monitor=monitor, mode=mode)

    def keep_checkpoints(self, metric: str, kept: Checkpoints) -> None:
        """Append the checkpoint files that are kept for a metric from now on."""
        self._done = self._writer.submit(lambda _: self._checkpoints_line(metric, kept))
        self._writer.wake()

    def notice(self, key: str, text: str | None) -> None:
        """Append a notice, unless the run has ended. A text of None withdraws the notice with this key."""
        if self._has_ended:
            return
        self._done = self._writer.submit(lambda _: self._lines.notice(key, text))
        self._writer.wake()

    def end(self, stop_reason: str | None) -> None:
        """Append the closing line, with the totals of the run."""
        head, history, self._has_ended = self.head, self._history, True

        def line(offset: int) -> bytes:
            closing = closing_of(head.run_id, history, monitor=head.monitor, mode=head.mode, stop_reason=stop_reason)
            return self._lines.end(stop_reason, replace(closing, head_offset=self._head_offset), offset)

        self._done = self._writer.submit(line)

    def settle(self) -> None:
        """Write all lines so far. A disk that hangs delays this by at most 0.1 s, and later by at most 5 ms."""
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
            self._patience_seconds = _LATER_PATIENCE_SECONDS
            self._say()

    def flush(self, timeout_seconds: float) -> None:
        """Wait until all lines so far are in the file.

        Args:
            timeout_seconds: Longest time to wait for the disk, in s.
        """
        done = self._done
        if done is not None and not _is_released(done, 0.0):
            self._writer.wake()
            _is_released(done, timeout_seconds)

    @property
    def is_stuck(self) -> bool:
        """Whether the disk does not answer. A disk that refuses a write is not stuck."""
        return self._writer.is_stuck

    @property
    def refusal(self) -> OSError | None:
        """The error of the last write. None if it succeeded."""
        return self._writer.refusal

    @property
    def has_others(self) -> bool:
        """Whether another run writes to the file at the same time."""
        return self._writer.has_others

    def look(self) -> None:
        """Warn once if the disk hangs. Called at intervals."""
        if self._writer.stuck_seconds > HUNG_SECONDS:
            self._say()

    def close(self, timeout_seconds: float) -> bool:
        """Write and sync the remaining lines.

        Args:
            timeout_seconds: Longest time to wait for the disk, in s.

        Returns:
            Whether all lines are written and synced.
        """
        return self._writer.close(timeout_seconds)

    def _beginning(self, offset: int, records: int | None) -> bytes:
        """Return the first lines of the file or of its session, with all records if the file must be written again."""
        lines = self._lines
        head = lines.head(self.head)
        predecessor, self._predecessor = self._predecessor, None
        if predecessor is not None and self._held is not None:
            self._held = predecessor.held_at_last()
        if records is None and self._held is not None and offset:
            # Before the head, because after it the last heartbeat of the file would count beside these records.
            missing = b"".join(map(lines.record, self._history[self._held : self._first]))
            self._head_offset = offset + len(missing)
            return missing + lines.head(self.head) + self._lines_besides()
        missing = b"".join(map(lines.record, self._history[: self._first if records is None else records]))
        self._head_offset = offset
        return head + missing + self._lines_besides()

    def held_at_last(self) -> int | None:
        """Return the number of records in the file after the writer has ended. A full disk may have kept some out."""
        return self._writer.first_unwritten if self._writer.has_begun else self._held

    def _lines_besides(self) -> bytes:
        """Return the first lines of a session after its head and records."""
        files = [self._checkpoints_line(metric, kept) for metric, kept in list(self._checkpoints.items())]
        return b"".join([*files, *(self._lines.notice(key, text) for key, text in self._notices().items())])

    def _checkpoints_line(self, metric: str, kept: Checkpoints) -> bytes:
        return self._lines.checkpoints(metric, kept, self.path.parent)

    def _say(self) -> None:
        if not self._is_said:
            self._is_said = True
            logger.warning(
                "The disk of the ledger %s does not answer. Training goes on, and the records follow when it answers. "
                "Check the disk, or name a file on another disk with ledger=….",
                self.path,
            )


def _is_released(done: Lock, timeout_seconds: float) -> bool:
    """Return whether a lock is released within a time, and leave it released."""
    if done.acquire(timeout=timeout_seconds):
        done.release()
        return True
    return False
