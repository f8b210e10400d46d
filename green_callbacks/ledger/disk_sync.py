"""Syncs a file to the disk on a thread of its own, so that nobody waits for the disk."""

import os
import threading
import time
from pathlib import Path
from typing import Final

from green_callbacks.call_threads import Threads, ring
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

SYNC_SECONDS: Final = 0.25
"""Shortest time between two syncs, in s. So a line is synced within a second, even if a sync takes 0.5 s."""


class Syncer:
    """Syncs written data. A slow sync does not delay the next write.

    Args:
        path: The file, for messages.
        threads: Starts the thread.
    """

    def __init__(self, path: Path, threads: Threads) -> None:
        self._path = path
        self._threads = threads
        self._bell = threading.Lock()
        self._bell.acquire()
        self._hurry = threading.Lock()  # released when the next sync must not wait any longer
        self._hurry.acquire()
        self._ending = threading.Lock()
        self._marked: int | None = None
        self._is_syncing = self._is_closing = self._is_warned = False
        self._thread: threading.Thread | None = None

    def mark(self, descriptor: int) -> None:
        """Request a sync of the data written so far.

        Args:
            descriptor: Descriptor of the open file. It may be closed right after this call.
        """
        with self._ending:  # a thread that is about to end would miss the mark
            if self._marked is None:
                self._marked = os.dup(descriptor)
            if self._thread is None:
                self._is_closing = False
                self._thread = self._threads.start(self._run, "green_callbacks sync")
            is_threadless = self._thread is None
        if is_threadless:
            self._sync()
        ring(self._bell)

    @property
    def is_syncing(self) -> bool:
        """Whether a sync is running or requested."""
        return self._is_syncing or self._marked is not None

    def close(self, timeout_seconds: float) -> bool:
        """Sync the remaining data and end the thread.

        Args:
            timeout_seconds: How long to wait for the disk, in s.

        Returns:
            Whether all data is synced.
        """
        self._is_closing = True
        ring(self._hurry)
        ring(self._bell)
        thread = self._thread
        if thread is not None:
            thread.join(timeout_seconds)
        return not self.is_syncing

    def _run(self) -> None:
        while True:
            self._bell.acquire()
            began = time.monotonic()
            self._sync()
            with self._ending:
                if self._is_closing and self._marked is None:
                    self._thread = None
                    return
            self._hurry.acquire(timeout=max(0.0, began + SYNC_SECONDS - time.monotonic()))

    def _sync(self) -> None:
        self._is_syncing = True
        descriptor, self._marked = self._marked, None
        try:
            if descriptor is not None:
                os.fsync(descriptor)
        except OSError as reason:
            self._warn(reason)
        finally:
            if descriptor is not None:
                os.close(descriptor)
            self._is_syncing = False

    def _warn(self, reason: OSError) -> None:
        if not self._is_warned:
            self._is_warned = True
            logger.warning(
                "The ledger %s cannot be synced (%s). Its last records may be lost if the machine loses power. "
                "Check the disk.",
                self._path,
                reason,
            )
