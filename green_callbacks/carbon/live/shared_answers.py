"""The last answer of a service, shared on disk by all processes of a user, so that few of them ask."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from green_callbacks.carbon._step_function import Point
from green_callbacks.carbon.live.payload import (
    g_per_kwh,
    is_short_text,
    lasts_sensibly,
    mapping,
    number,
    sequence,
    timely,
)
from green_callbacks.small_files import read_whole

_SCHEMA: Final = 1
_MAX_BYTES: Final = 1 << 20
_MOST_FLAGS: Final = 10
CLAIM_SECONDS: Final = 30.0
"""How long one process at most asks for all others: many times a request, as hundreds may start on one machine."""

MAX_SECONDS: Final = 86_400.0
"""How long asking is put off at most; an answer that says more was written by a clock that went wrong."""

_FIRST_LOOK_SECONDS: Final = 0.05
_LAST_LOOK_SECONDS: Final = 0.4


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said last, and when to ask it again.

    Attributes:
        points: The values, which outlive later failures.
        next_at: When it is polite to ask again, in POSIX seconds.
        failures: How often asking has failed since it last worked.
        failure: Why it failed the last time; None if it worked.
    """

    points: tuple[Point, ...]
    next_at: float
    failures: int = 0
    failure: str | None = None

    def is_fresh(self, now: float) -> bool:
        """Return whether it is too early to ask again, at a time in POSIX seconds."""
        return now < self.next_at <= now + MAX_SECONDS

    def to_json(self) -> str:
        """Write it as JSON."""
        fields = {"points": self.points, "next_at": self.next_at, "failures": self.failures, "failure": self.failure}
        return json.dumps({"schema": _SCHEMA, **fields})

    @classmethod
    def from_json(cls, text: str) -> Self | None:
        """Read what :meth:`to_json` wrote; None if it is anything else."""
        try:
            fields = mapping(json.loads(text))
        except (ValueError, RecursionError):
            return None
        next_at, failures = number(fields.get("next_at")), number(fields.get("failures"))
        points = tuple(map(_point, sequence(fields.get("points"))))
        if fields.get("schema") != _SCHEMA or next_at is None or failures is None:
            return None
        failure = fields.get("failure")
        valid = tuple(point for point in points if point is not None)
        return cls(valid, next_at, max(0, int(failures)), failure if is_short_text(failure) else None)


def _point(value: object) -> Point | None:
    match value:
        case [start, end, level, [*flags]]:
            begins, ends, found = timely(start), timely(end), g_per_kwh(level)
            if begins is None or ends is None or found is None or not lasts_sensibly(begins, ends):
                return None
            if len(flags) <= _MOST_FLAGS and all(map(is_short_text, flags)):
                return Point(begins, ends, found, tuple(map(str, flags)))
    return None


class SharedAnswers:
    """Answers in a folder, one file for each question.

    Of the processes that find an answer too old at the same time, the one that creates the claim of this half minute
    asks, and the others wait for what it writes. A claim holds for its half minute only, so that one whose owner died
    is in nobody's way, and there is nothing to break or to inherit. A folder that cannot be written to is one in
    which every process asks for itself.

    Args:
        folder: Where the files lie; made when needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(
        self,
        key: str,
        now: float,
        ask: Callable[[Answer | None], Answer],
        wait_seconds: float,
    ) -> Answer | None:
        """Return a fresh answer: the one on disk, or else a new one.

        Args:
            key: The question, as a file name.
            now: The time, in POSIX seconds.
            ask: Asks the service, given the last answer.
            wait_seconds: How long to wait while another process asks, in s.

        Returns:
            The answer; the last one, or None, if another process asks and takes longer.
        """
        answer = self._read(key)
        if answer is None or not answer.is_fresh(now):
            with self._claim(key) as is_mine:
                if is_mine:
                    return self._ask(key, now, ask)
            answer = self._await(key, now, wait_seconds)
        return answer

    def _ask(self, key: str, now: float, ask: Callable[[Answer | None], Answer]) -> Answer:
        before = self._read(key)  # again: another may have asked, and be done, since the first look
        if before is not None and before.is_fresh(now):
            return before
        answer = ask(before)
        self._write(key, answer)
        return answer

    def _await(self, key: str, now: float, wait_seconds: float) -> Answer | None:
        deadline, look_seconds = time.monotonic() + wait_seconds, _FIRST_LOOK_SECONDS
        while True:
            answer = self._read(key)
            if (answer is not None and answer.is_fresh(now)) or time.monotonic() >= deadline:
                return answer
            time.sleep(min(look_seconds, max(0.0, deadline - time.monotonic())))
            look_seconds = min(1.5 * look_seconds, _LAST_LOOK_SECONDS)  # many may be looking, and one needs the time

    @contextmanager
    def _claim(self, key: str) -> Iterator[bool]:
        path = self._folder / f"{key}.{int(time.time() // CLAIM_SECONDS)}.claim"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(exist_ok=False)
        except FileExistsError:
            yield False
            return
        except OSError:
            yield True
            return
        try:
            yield True
        finally:
            for claim in self._folder.glob(f"{key}.*.claim"):
                if claim.name <= path.name:  # those of the dead as well
                    with suppress(OSError):
                        claim.unlink()

    def _read(self, key: str) -> Answer | None:
        try:
            return Answer.from_json(read_whole(self._folder / f"{key}.json", _MAX_BYTES))
        except (OSError, UnicodeDecodeError):
            return None

    def _write(self, key: str, answer: Answer) -> None:
        """Put the answer in place of the last one in one step, so that nobody reads half of it."""
        with suppress(OSError):
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=f"{key}.", suffix=".new")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(answer.to_json())
                Path(name).replace(self._folder / f"{key}.json")
            finally:
                Path(name).unlink(missing_ok=True)
