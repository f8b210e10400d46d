"""The one writer of a run's ledger: a thread that writes, and another that syncs what was written."""

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
"""Makes one or more whole lines, told at which byte of the file they will begin. Called on the writer's thread, in the
order of the file."""

RETRY_SECONDS: Final = 1.0
"""How often the writing of what could not be written is tried again, in s."""
FREED_SECONDS: Final = 60.0
"""How long after the close of a run it is still tried to write to a disk that was full, in s."""
_PASSING: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EAGAIN, errno.ENOBUFS})
"""What may pass by itself: a disk, or a quota, that is full; one that is away for a while."""


class _Asked(NamedTuple):
    """Lines that somebody wants to be written, and the lock that is released once that has been tried."""

    line: Line
    number: int | None
    done: threading.Lock


class LedgerWriter:
    """Appends lines to a file, on a thread of its own that does nothing else.

    What cannot be written is kept, tried again every second and with every later line, and warned of once. There is
    one writer at a time: one that takes a file over from another first waits for its end.

    Args:
        path: The file; its folders are made when the first line is written.
        begin: Makes the lines with which the file begins or goes on. Told at which byte they will begin, and None at
            the start; or how many records there were, where the file was removed or cut short meanwhile.
        first: Number of the first record that :meth:`submit` will be given.
        threads: What starts threads.
        predecessor: A writer of the same file that may still have something to write.
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
        self._is_threadless = self._is_closing = self._has_begun = False
        self._is_anew = self._is_following = False
        self._began: float | None = None
        self._unwritten: list[tuple[_Asked, bytes]] = []
        self._syncer = Syncer(path, threads)
        self._file = AppendedFile(path, self._syncer.mark)
        self._is_warned = False
        self.refusal: OSError | None = None
        """Why the last lines could not be written; None if they were."""
        self._closing_seconds = 0.0

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def submit(self, line: Line, number: int | None = None) -> threading.Lock:
        """Have lines written after all that were submitted before, at the next :meth:`wake`; returns at once.

        Args:
            line: Makes them.
            number: Position of a record among all of the run. One that was submitted before is not written again, so
                that whoever was interrupted may submit it once more.

        Returns:
            A lock that can be acquired once their writing has been tried.
        """
        done = threading.Lock()
        done.acquire()
        self._queue.append(_Asked(line, number, done))
        return done

    def wake(self) -> None:
        """Begin to write what was submitted.

        Right before waiting for it is best: a thread that is woken while the
        interpreter is busy has to be woken twice.
        """
        if self._thread is None:
            self._start()
        ring(self._bell)

    @property
    def has_others(self) -> bool:
        """Whether somebody else writes to the file at the same time."""
        return self._file.has_others

    @property
    def has_begun(self) -> bool:
        """Whether the beginning is in the file."""
        return self._has_begun

    @property
    def has_ended(self) -> bool:
        """Whether no thread writes, or will begin to before something more is submitted."""
        return self._thread is None

    @property
    def first_unwritten(self) -> int:
        """Number of the first record that was submitted and is not in the file, or will be submitted next."""
        return min((asked.number for asked, _ in self._unwritten if asked.number is not None), default=self._next)

    @property
    def stuck_seconds(self) -> float:
        """How long the disk has not come back from what it was asked to write, in s; 0 while it is asked nothing."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    @property
    def is_stuck(self) -> bool:
        """Whether the disk has not come back from what it was asked to write or to sync."""
        return self._began is not None or bool(self._queue) or self._syncer.is_syncing

    def close(self, timeout_seconds: float) -> bool:
        """Write and sync what is left, and end both threads; a line that is submitted later starts them again.

        Args:
            timeout_seconds: How long to wait for the disk, in s. The threads go on by themselves if it takes longer.

        Returns:
            Whether everything is written and synced.
        """
        deadline = time.monotonic() + timeout_seconds
        self._closing_seconds = time.monotonic()
        self._is_closing = True
        if self._queue or self._thread is not None:
            tried = self.submit(lambda _: b"")
            self.wake()
            thread = self._thread
            # Of a disk that is full, all that can be known is known once it has been tried.
            if tried.acquire(timeout=max(0.0, deadline - time.monotonic())) and thread and not self._unwritten:
                thread.join(max(0.0, deadline - time.monotonic()))
        if self._is_threadless:
            self._work()
            self._file.close()
        is_synced = self._syncer.close(max(0.0, deadline - time.monotonic()))
        return is_synced and not self._queue and not self._unwritten and self._thread is None

    def join(self) -> None:
        """Wait for the end of the thread, however long it takes."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _start(self) -> None:
        """Start the thread, or do its work here where the system allows none."""
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
        """Wait for the end of the writer before, and go on where it has stopped."""
        predecessor, self._predecessor = self._predecessor, None
        if predecessor is None:
            return
        self._began = time.monotonic()
        predecessor.join()
        self._began = None
        if predecessor.has_begun:
            self._file.follow(predecessor._file)  # noqa: SLF001  of our own kind
            self._is_following = True

    def _may_still_write(self) -> bool:
        """Tell whether what could not be written may be soon, after the close: a full disk may be freed."""
        is_soon = time.monotonic() - self._closing_seconds < FREED_SECONDS
        return bool(self._unwritten) and self.refusal is not None and self.refusal.errno in _PASSING and is_soon

    def _ends(self) -> bool:
        """Let go of the thread, unless something was submitted in the meantime."""
        with self._starting:
            if self._queue:
                return False
            self._file.close()
            self._syncer.close(0.0)  # its thread must not outlive this one, should nobody wait for either
            self._thread = None
            return True

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
            else:  # they are made when the file begins
                self._unwritten += [(each, b"") for each in new]
            self._write()
            self._unwritten.clear()
            self.refusal = None
        except OSError as reason:
            self.refusal = reason
            self._warn(reason)
        # This thread must outlive whatever goes wrong, since nobody else writes. Nothing is hidden: it is logged.
        except Exception:
            logger.exception("The ledger %s cannot be written; its lines are kept and tried again.", self.path)
        finally:
            self._began = None
            for each in asked:
                each.done.release()

    def _is_new(self, asked: _Asked) -> bool:
        """Tell whether lines are not written yet; those before the file has begun are made again when it does."""
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
        """Begin the file; what is not written yet is made anew, as it builds on the lines before it."""
        offset = self._file.open(anew=records is not None)
        self._began = None  # making the lines of a long run is no fault of the disk
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
                "The ledger %s cannot be written (%s): the run is accounted in memory until it can. "
                "Free the disk, or name another file with ledger=….",
                self.path,
                reason,
            )


def _encoded(asked: Iterable[_Asked], offset: int) -> list[tuple[_Asked, bytes]]:
    """Make lines that will begin at a byte of the file."""
    made = []
    for each in asked:
        try:
            data = each.line(offset)
        # A line that cannot be made must not cost those after it. Nothing is hidden: it is logged with its cause.
        except Exception:
            logger.exception("A line of the ledger cannot be made, and is missing from it.")
            continue
        made.append((each, data))
        offset += len(data)
    return made
