"""The last answer of a service, which all processes of a user share on disk, so that few processes ask."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from green_callbacks.carbon._step_function import Step
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
"""Version of the file format."""

_MAX_BYTES: Final = 1 << 20
"""Largest file that is read, in bytes."""

_MOST_FLAGS: Final = 10
"""Largest number of flags of a value."""

CLAIM_SECONDS: Final = 30.0
"""How long one process may ask for all others, in s. It covers many requests, as hundreds may start on one machine."""

MAX_SECONDS: Final = 86_400.0
"""Longest wait until the next request, in s. A file with a longer wait was written with a wrong clock."""

_FIRST_READ_SECONDS: Final = 0.05
"""First interval at which a waiting process reads the file, in s."""

_LAST_READ_SECONDS: Final = 0.4
"""Longest interval at which a waiting process reads the file, in s."""


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """The last answer of a service, and the time of the next request.

    Attributes:
        points: The values. They survive later failures.
        next_at: Earliest time of the next request, in s since 1970.
        failures: Number of failures since the last good answer.
        failure: Reason of the last failure. None after a good answer.
    """

    points: tuple[Step, ...]
    next_at: float
    failures: int = 0
    failure: str | None = None

    def is_fresh(self, now: float) -> bool:
        """Return whether it is too early to ask again.

        Args:
            now: Time in s since 1970.
        """
        return now < self.next_at <= now + MAX_SECONDS

    def to_json(self) -> str:
        """Write the answer as JSON."""
        fields = {"points": self.points, "next_at": self.next_at, "failures": self.failures, "failure": self.failure}
        return json.dumps({"schema": _SCHEMA, **fields})

    @classmethod
    def from_json(cls, text: str) -> Self | None:
        """Read the result of :meth:`to_json`. Anything else becomes None.

        Args:
            text: Content of a file.
        """
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


def _point(value: object) -> Step | None:
    match value:
        case [start, end, level, [*flags]]:
            begins, ends, found = timely(start), timely(end), g_per_kwh(level)
            if begins is None or ends is None or found is None or not lasts_sensibly(begins, ends):
                return None
            if len(flags) <= _MOST_FLAGS and all(map(is_short_text, flags)):
                return Step(begins, ends, found, tuple(map(str, flags)))
    return None


class SharedAnswers:
    """Answers in a folder, with one file for each request.

    Several processes may find at the same time that an answer is too old. The process that creates the claim of this
    half minute asks, and the others wait for its file. A claim expires with its half minute, so a crashed process
    blocks nobody. If the folder cannot be written, every process asks for itself.

    Args:
        folder: Folder of the files. It is made when needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(
        self,
        key: str,
        now: float,
        ask: Callable[[ServiceAnswer | None], ServiceAnswer],
        wait_seconds: float,
    ) -> ServiceAnswer | None:
        """Return a fresh answer from the disk, or ask for a new one.

        Args:
            key: Name of the request, as a file name.
            now: Time in s since 1970.
            ask: Function that asks the service, given the last answer.
            wait_seconds: Longest wait while another process asks, in s.

        Returns:
            The answer. If another process asks and takes longer, the last answer or None.
        """
        answer = self._read(key)
        if answer is None or not answer.is_fresh(now):
            with self._claim(key) as is_mine:
                if is_mine:
                    return self._ask(key, now, ask)
            answer = self._await(key, now, wait_seconds)
        return answer

    def _ask(self, key: str, now: float, ask: Callable[[ServiceAnswer | None], ServiceAnswer]) -> ServiceAnswer:
        before = self._read(key)  # another process may have finished asking since the first read
        if before is not None and before.is_fresh(now):
            return before
        answer = ask(before)
        self._write(key, answer)
        return answer

    def _await(self, key: str, now: float, wait_seconds: float) -> ServiceAnswer | None:
        deadline, read_seconds = time.monotonic() + wait_seconds, _FIRST_READ_SECONDS
        while True:
            answer = self._read(key)
            if (answer is not None and answer.is_fresh(now)) or time.monotonic() >= deadline:
                return answer
            time.sleep(min(read_seconds, max(0.0, deadline - time.monotonic())))
            read_seconds = min(
                1.5 * read_seconds, _LAST_READ_SECONDS
            )  # many may wait, and the asking process needs CPU

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
                if claim.name <= path.name:  # also the claims of crashed processes
                    with suppress(OSError):
                        claim.unlink()

    def _read(self, key: str) -> ServiceAnswer | None:
        try:
            return ServiceAnswer.from_json(read_whole(self._folder / f"{key}.json", _MAX_BYTES))
        except (OSError, UnicodeDecodeError):
            return None

    def _write(self, key: str, answer: ServiceAnswer) -> None:
        """Replace the file in one step, so that no process reads half of it."""
        with suppress(OSError):
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=f"{key}.", suffix=".new")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(answer.to_json())
                Path(name).replace(self._folder / f"{key}.json")
            finally:
                Path(name).unlink(missing_ok=True)
