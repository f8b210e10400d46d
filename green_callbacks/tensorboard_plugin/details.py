"""Reads whole ledgers on request, and keeps the last few."""

import threading
from collections import OrderedDict
from concurrent.futures import Future
from typing import Final

from green_callbacks.ledger import LedgerContents, shown
from green_callbacks.ledger.reader import read_quietly
from green_callbacks.page.collection import CollectedRun
from green_callbacks.page.finding import Stamp

_MOST_KEPT: Final = 8
"""Number of ledgers that are kept. People rarely tick more runs at once, and reading one again takes 0.1 s."""

_MOST_RECORDS: Final = 200_000
"""Number of records in a ledger above which it is kept for a short time only, because it would fill the memory."""

_LONG_SECONDS: Final = 60.0
"""Time for which such a ledger is kept, in s. TensorBoard lets a page ask again every 30 s."""

_WAIT_SECONDS: Final = 20.0
"""Longest time in s to wait for a ledger, enough to read about 500,000 records."""

_State = tuple[str, Stamp]


class WholeLedgers:
    """The ledgers that were asked for last. Each state of a ledger is read once, however many requests wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: OrderedDict[_State, Future[LedgerContents]] = OrderedDict()

    def contents(self, run: CollectedRun, wait_seconds: float = _WAIT_SECONDS) -> LedgerContents:
        """Return the contents of a ledger.

        Args:
            run: The run.
            wait_seconds: Longest time to wait, in s. Defaults to 20 s.

        Raises:
            LedgerError: The ledger cannot be read.
            TimeoutError: The disk has not answered within this time.
        """
        state = (run.found.key, run.found.stamp)
        with self._lock:
            future = self._asked.get(state)
            is_new = future is None
            if future is None:
                future = self._asked[state] = Future()
            self._asked.move_to_end(state)
            while len(self._asked) > _MOST_KEPT:
                self._asked.popitem(last=False)
        if is_new:
            self._start(run, state, future)
        try:
            return future.result(wait_seconds)
        except TimeoutError as reason:
            msg = (
                f"{shown(run.found.path)} has not been read within {wait_seconds:.0f} s. Ask again later. If that does "
                "not help, look whether its disk answers."
            )
            raise TimeoutError(msg) from reason

    def _start(self, run: CollectedRun, state: _State, future: "Future[LedgerContents]") -> None:
        try:
            thread = threading.Thread(
                target=self._read, args=(run, state, future), name="green_callbacks page", daemon=True
            )
            thread.start()
        except RuntimeError:  # the system allows no more threads
            self._read(run, state, future)

    def _read(self, run: CollectedRun, state: _State, future: "Future[LedgerContents]") -> None:
        try:
            contents, _ = read_quietly(run.found.path)
        except Exception as reason:  # noqa: BLE001  whoever waits for the future gets it
            self._forget(state)
            future.set_exception(reason)
            return
        future.set_result(contents)
        if len(contents.history) > _MOST_RECORDS:
            self._forget_later(state)

    def _forget_later(self, state: _State) -> None:
        timer = threading.Timer(_LONG_SECONDS, self._forget, (state,))
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # the system allows no more threads
            self._forget(state)

    def _forget(self, state: _State) -> None:
        with self._lock:
            self._asked.pop(state, None)
