"""Answers from the ledgers in the log folder."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple

from werkzeug.wrappers import Request

from green_callbacks.errors import GreenCallbacksError, LedgerError
from green_callbacks.ledger import LedgerContents, shown
from green_callbacks.page.collection import CollectedRun, Collection, Snapshot
from green_callbacks.page.finding import Stamp
from green_callbacks.page.naming import names_of
from green_callbacks.page.rows import row_of, runs_of, shown_row, unread_row
from green_callbacks.page.run_detail import run_of
from green_callbacks.page.stops import stop_of
from green_callbacks.tensorboard_plugin.details import WholeLedgers
from green_callbacks.tensorboard_plugin.packing import Packer
from green_callbacks.tensorboard_plugin.responses import JSON, TAG_DIGITS, Served, as_json, refused
from green_callbacks.tensorboard_plugin.run_lists import RunList
from green_callbacks.tensorboard_plugin.shared_work import SharedWork

_ACTIVE_WAIT_SECONDS: Final = 1.0
"""Longest time in s that TensorBoard waits for the first ledger before it lists the tab as inactive."""

_LATER_WAIT_SECONDS: Final = 0.1
"""The same when TensorBoard asks again, which it does at every reload of any tab."""

_LOOK_SECONDS: Final = 0.1
"""Longest time in s that a page waits for news. 100 closed runs are read within it, by experiment."""

_FEWER_POINTS: Final = ((400, 100), (2_000, 50))
"""Largest number of runs for which a row has so many points at most, so that all rows together stay below 1 MB."""

_FEWEST_POINTS: Final = 25
"""Largest number of points of a row beside still more runs, whose curves are a few pixels apart."""

_SETTLED: Final = timedelta(minutes=10)
"""Age of the last write after which the state of an open run does not change anymore."""

_MOST_AT_ONCE: Final = 2
"""Number of questions about single runs that are answered at once. To replay a rule on a long run takes much memory."""

_WORK_SECONDS: Final = 120.0
"""Longest time in s that a question waits for others. To replay a rule on 250,000 epochs takes 60 s, by experiment."""

_MOST_KEPT: Final = 256
"""Number of answers on single runs that are kept, each of up to 50 kB."""


class _Row(NamedTuple):
    run: CollectedRun
    name: str
    most: int
    row: dict[str, Any]
    text: str
    is_settled: bool


class LedgerAnswers:
    """Answers the requests of the page from the ledgers of a folder.

    Args:
        folder: The log folder.
        run_list: Names of the runs in TensorBoard.
    """

    def __init__(self, folder: Path, run_list: RunList) -> None:
        self._collection = Collection(folder)
        self._run_list = run_list
        self._ledgers = WholeLedgers()
        self._wait_seconds = _ACTIVE_WAIT_SECONDS
        self._lock = threading.Lock()
        self._rows: dict[str, _Row] = {}
        self._packer = Packer()
        self._work = SharedWork[Served](_MOST_AT_ONCE)
        self._details: OrderedDict[tuple[str, Stamp, str | None], Served] = OrderedDict()

    def holds_any(self) -> bool:
        """Return whether there is a ledger, after a short time in any case."""
        wait_seconds, self._wait_seconds = self._wait_seconds, _LATER_WAIT_SECONDS
        return self._collection.holds_any(wait_seconds)

    def is_empty(self) -> bool:
        """Return whether the folder was searched, and holds no ledger."""
        return self._collection.is_empty

    def runs(self, request: Request) -> Served:
        """Return all runs.

        Args:
            request: The request.
        """
        snapshot = self._collection.look(_LOOK_SECONDS)
        names = names_of(snapshot.runs, self._run_list.names(request))
        with self._collection.held(), self._lock:
            packed, tag = self._packer.pack(self._pieces(snapshot, names, datetime.now(UTC)))
        return Served(packed, JSON, tag[:TAG_DIGITS])

    def _pieces(self, snapshot: Snapshot, names: Mapping[str, str], now: datetime) -> list[str]:
        """Return the runs as pieces of JSON. A row that has not changed is not written again."""
        most = next((points for runs, points in _FEWER_POINTS if snapshot.of <= runs), _FEWEST_POINTS)
        rows = {run.found.key: self._row(run, names[run.found.key], now, most) for run in snapshot.runs}
        self._rows = rows
        said = list(snapshot.said)
        if snapshot.is_searched and not snapshot.of:
            folder = shown(self._collection.folder)
            said.append(f"There is no ledger in or below {folder}. Train with a callback of green_callbacks first.")
        document = runs_of(
            [each.row for each in rows.values()],
            folder=shown(self._collection.folder),
            read=snapshot.read,
            of=snapshot.of,
            said=said,
        )
        begin = as_json({name: value for name, value in document.items() if name != "runs"})[:-1]
        texts = [rows[row["key"]].text for row in document["runs"]]
        texts[-1:] = [text[:-1] for text in texts[-1:]]
        return [f'{begin},"runs":[', *texts, "]}"]

    def _row(self, run: CollectedRun, name: str, now: datetime, most: int) -> _Row:
        known = self._rows.get(run.found.key)
        if known is not None and known.is_settled and known.run is run and (known.name, known.most) == (name, most):
            return known
        key, path, seen_at = run.found.key, shown(run.found.relative), run.seen_at
        if run.overview is None:
            row = unread_row(name=name, key=key, path=path, seen_at=seen_at)
        else:
            row = row_of(run.overview, name=name, key=key, path=path, seen_at=seen_at, now=now, most=most)
        changes = run.overview is not None and not run.overview.is_closed and now - seen_at <= _SETTLED
        return _Row(run, name, most, row, f"{as_json(shown_row(row))},", is_settled=not changes)

    def run(self, request: Request) -> Served | None:
        """Return one run by its epochs. None if there is no such run.

        Args:
            request: The request, with ``key``.
        """
        return self._detail(request, None, run_of)

    def stop(self, request: Request) -> Served | None:
        """Return where a rule would have stopped a run. None if there is no such run.

        Args:
            request: The request, with ``key`` and ``rule``.
        """
        rule = request.args.get("rule", "")
        return self._detail(request, rule, lambda contents, key: stop_of(contents, key, rule))

    def _detail(
        self, request: Request, rule: str | None, answer: Callable[[LedgerContents, str], Mapping[str, Any]]
    ) -> Served | None:
        run = self._find(request.args.get("key", ""))
        if run is None:
            return None
        wanted = run.found.key, run.found.stamp, rule
        with self._lock:
            if (kept := self._details.get(wanted)) is not None:
                self._details.move_to_end(wanted)
                return kept
        try:
            served = self._work.result(
                wanted, lambda: Served.json(answer(self._ledgers.contents(run), run.found.key)), _WORK_SECONDS
            )
        except TimeoutError as reason:
            said = str(reason) or "This takes very long. Ask again later."
            return refused(said, HTTPStatus.SERVICE_UNAVAILABLE)
        except LedgerError as reason:
            return refused(str(reason), HTTPStatus.NOT_FOUND)
        except GreenCallbacksError as reason:
            return refused(str(reason), HTTPStatus.BAD_REQUEST)
        with self._lock:
            self._details[wanted] = served
            while len(self._details) > _MOST_KEPT:
                self._details.popitem(last=False)
        return served

    def _find(self, key: str) -> CollectedRun | None:
        run = self._collection.find(key)
        if run is None and not self._collection.is_searched:  # TensorBoard was started anew below an open page
            self._collection.look(_ACTIVE_WAIT_SECONDS)
            run = self._collection.find(key)
        return run
