"""Writes the ledger of a run on one thread, while another thread syncs the file to the disk."""

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from green_callbacks.call_threads import Threads, ring
from green_callbacks.ledger.appended_file import AppendedFile
from green_callbacks.ledger.disk_sync import Syncer
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

Line = Callable[[int], bytes]
"""Encodes whole lines, given their offset in bytes. Called on the thread of the writer, in the order of the file."""

RETRY_SECONDS: Final = 1.0
"""Time between two attempts to write after an error, in s."""

FREED_SECONDS: Final = 60.0
"""Time after the close of a run in which a write to a full disk is still tried again, in s."""

_PASSING: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EAGAIN, errno.ENOBUFS})
"""Errors that may go away, such as a full disk or quota, or a network disk that is away for a while."""


class _Asked(NamedTuple):
    """Lines to write, and the lock that is released after the attempt to write them."""

    line: Line
    number: int | None
    done: threading.Lock


class LedgerWriter:
    """Appends lines to a file on a thread of its own.

    Lines that cannot be written are kept and tried again, with one warning. A file has one writer at a time, so a
    writer first waits for the end of its predecessor.

    Args:
        path: The file. Its folders are made with the first line.
        begin: Encodes the first lines of the file or of its session. The first argument is their offset in bytes. The
            second argument is None, or the number of records to write again after the file was lost.
        first: Number of the first record that :meth:`submit` will receive.
        threads: Starts the threads.
        predecessor: A writer of the same file that may still have lines to write. Defaults to None.
    """

    def __init__(
        self,
        path: Path,
        begin: Callable[[int, int | None], bytes],
        first: int,
        threads: Threads,
        predecessor: "LedgerWriter | None" = None,
    ) -> None:
        self._begin = begin
        self._next = first
        self._threads = threads
        self._predecessor = predecessor
        self._queue: deque[_Asked] = deque()
        self._bell = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_threadless = self._is_closing = self._is_ending = self._has_begun = False
        self._is_anew = self._is_following = False
        self._began: float | None = None
        self._unwritten: list[tuple[_Asked, bytes]] = []
        self._syncer = Syncer(path, threads)
        self._file = AppendedFile(path, self._syncer.mark)
        self._is_warned = False
        self.refusal: OSError | None = None
        """The error of the last write. None if it succeeded."""
        self._closing_seconds = 0.0

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def submit(self, line: Line, number: int | None = None) -> threading.Lock:
        """Queue lines, which are written at the next :meth:`wake`. Returns at once.

        Args:
            line: Encodes the lines.
            number: Index of a record in the run. A record that was submitted before is ignored, so an interrupted
                caller may submit it again. Defaults to None, for lines without a record.

        Returns:
            A lock that can be acquired after the attempt to write the lines.
        """
        done = threading.Lock()
        done.acquire()
        self._queue.append(_Asked(line, number, done))
        return done

    def wake(self) -> None:
        """Wake the thread. Call this right before waiting, because a busy interpreter may need a second wake-up."""
        if self._thread is None or self._is_ending:
            self._start()
        ring(self._bell)

    @property
    def has_others(self) -> bool:
        """Whether another process writes to the file at the same time."""
        return self._file.has_others

    @property
    def has_begun(self) -> bool:
        """Whether the first lines of this writer are in the file."""
        return self._has_begun

    @property
    def has_ended(self) -> bool:
        """Whether the thread has ended. A later line starts it again."""
        return self._thread is None

    @property
    def first_unwritten(self) -> int:
        """Number of the first submitted record that is not in the file. If all are, the number of the next record."""
        return min((asked.number for asked, _ in self._unwritten if asked.number is not None), default=self._next)

    @property
    def stuck_seconds(self) -> float:
        """Time since the disk was asked to write and has not answered, in s. Zero if no write is running."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    @property
    def is_stuck(self) -> bool:
        """Whether the disk has not answered a write or a sync yet."""
        return self._began is not None or bool(self._queue) or self._syncer.is_syncing

    def close(self, timeout_seconds: float) -> bool:
        """Write and sync the remaining lines, and end both threads. A later line starts them again.

        Args:
            timeout_seconds: Longest time to wait for the disk, in s. After it, the threads finish on their own.

        Returns:
            Whether all lines are written and synced.
        """
        deadline = time.monotonic() + timeout_seconds
        self._closing_seconds = time.monotonic()
        self._is_closing = True
        if self._queue or self._thread is not None:
            tried = self.submit(lambda _: b"")
            self.wake()
            thread = self._thread
            # One attempt shows that a disk is full. Waiting longer would show nothing more.
            if tried.acquire(timeout=max(0.0, deadline - time.monotonic())) and thread and not self._unwritten:
                thread.join(max(0.0, deadline - time.monotonic()))
        if self._is_threadless:
            self._work()
            self._file.close()
        is_synced = self._syncer.close(max(0.0, deadline - time.monotonic()))
        return is_synced and not self._queue and not self._unwritten and self._thread is None

    def join(self) -> None:
        """Wait for the end of the thread, without a time limit."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _start(self) -> None:
        """Start the thread, or do its work here if the system allows no further thread."""
        with self._starting:
            if self._thread is None and not self._is_threadless:
                self._thread = self._threads.start(self._run, "green_callbacks ledger")
                self._is_threadless = self._thread is None
        if self._is_threadless:
            if self._predecessor is not None and self._predecessor.has_ended:
                self._follow_predecessor()
            self._work()

    def _run(self) -> None:
        self._follow_predecessor()
        while True:
            self._work()
            if self._is_closing and not self._queue and not self._may_still_write() and self._ends():
                return
            self._bell.acquire(timeout=RETRY_SECONDS if self._unwritten else -1)

    def _follow_predecessor(self) -> None:
        """Wait for the end of the predecessor, and continue its file."""
        predecessor, self._predecessor = self._predecessor, None
        if predecessor is None:
            return
        self._began = time.monotonic()
        predecessor.join()
        self._began = None
        if predecessor.has_begun:
            self._file.follow(predecessor._file)  # noqa: SLF001  of this class
            self._is_following = True

    def _may_still_write(self) -> bool:
        """Return whether a failed write may still succeed after the close, for example on a disk that is freed."""
        is_soon = time.monotonic() - self._closing_seconds < FREED_SECONDS
        return bool(self._unwritten) and self.refusal is not None and self.refusal.errno in _PASSING and is_soon

    def _ends(self) -> bool:
        """End the thread, unless lines were submitted in the meantime."""
        with self._starting:
            # Before the look at the queue, so that whoever submits a line after it waits, and starts another thread.
            self._is_ending = True
            is_last = not self._queue
            if is_last:
                self._file.close()
                self._syncer.close(0.0)  # its thread must not outlive this thread, even if nobody waits for either
                self._thread = None
            self._is_ending = False
            return is_last

    def _work(self) -> None:
        asked = []
        while self._queue:
            asked.append(self._queue.popleft())
        if not asked and not self._unwritten:
            return
        try:
            new = [each for each in asked if self._is_new(each)]
            if self._has_begun:
                self._unwritten += _encoded(new, self._file.end + sum(len(data) for _, data in self._unwritten))
            else:  # they are encoded when the file begins
                self._unwritten += [(each, b"") for each in new]
            self._write()
            self._unwritten.clear()
            self.refusal = None
        except OSError as reason:
            self.refusal = reason
            self._warn(reason)
        # This thread must survive any error, because no other thread writes. The error is logged.
        except Exception:
            logger.exception(
                "The ledger %s cannot be written. Its lines are kept and tried again. Report this error.", self.path
            )
        finally:
            self._began = None
            for each in asked:
                each.done.release()

    def _is_new(self, asked: _Asked) -> bool:
        """Return whether lines are not submitted yet."""
        if asked.number is None:
            return True
        if asked.number < self._next:
            return False
        self._next = asked.number + 1
        return True

    def _write(self) -> None:
        self._began = time.monotonic()
        if (self._has_begun or self._is_following) and self._file.is_lost(
            at_once=self._is_closing or self.refusal is not None
        ):
            self._has_begun, self._is_anew = False, True
        if self._has_begun:
            self._file.append(b"".join(data for _, data in self._unwritten))
        else:
            self._begin_with(self.first_unwritten if self._is_anew else None)

    def _begin_with(self, records: int | None) -> None:
        """Begin the file. Unwritten lines are encoded again, because they depend on the lines before them."""
        offset = self._file.open(anew=records is not None)
        self._began = None  # the time to encode the lines of a long run is not the fault of the disk
        beginning = self._begin(offset, records)
        unwritten = _encoded([asked for asked, _ in self._unwritten], offset + len(beginning))
        self._began = time.monotonic()
        self._file.append(beginning + b"".join(data for _, data in unwritten))
        self._unwritten = unwritten
        self._has_begun, self._is_anew, self._is_following = True, False, False

    def _warn(self, reason: OSError) -> None:
        if not self._is_warned:
            self._is_warned = True
            logger.warning(
                "The ledger %s cannot be written (%s). The run is accounted in memory until it can. "
                "Free the disk, or name another file with ledger=….",
                self.path,
                reason,
            )


def _encoded(asked: Iterable[_Asked], offset: int) -> list[tuple[_Asked, bytes]]:
    """Encode lines, given the offset of the first line in bytes."""
    made = []
    for each in asked:
        try:
            data = each.line(offset)
        # A line that cannot be encoded must not cost the lines after it. The error is logged.
        except Exception:
            logger.exception(
                "A line of the ledger cannot be encoded. The ledger goes on without it. Report this error."
            )
            continue
        made.append((each, data))
        offset += len(data)
    return made
