"""The common part of all providers that ask a web service."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import ClassVar, Final, TypedDict, Unpack
from urllib.parse import urlsplit

from green_callbacks.carbon._step_function import Step, StepFunction, StepValue
from green_callbacks.carbon.base import checked_intensity
from green_callbacks.carbon.live.http_request import TIMEOUT_SECONDS, Reply, Request, ServiceError, fetch
from green_callbacks.carbon.live.shared_answers import MAX_SECONDS, ServiceAnswer, SharedAnswers
from green_callbacks.carbon.trace import TraceIntensity
from green_callbacks.clock import Clock, SystemClock
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Intensity
from green_callbacks.text.log import get_logger
from green_callbacks.units import described

ASK_SECONDS: Final = 900.0
"""Shortest time between two requests, in s. The grids' own figures change every five minutes to an hour."""

COOL_DOWN_SECONDS: Final = 60.0
"""Wait after a failed request, in s. It doubles with each further failure."""

_MAX_COOL_DOWN_SECONDS: Final = 3600.0
"""Longest wait after failed requests, in s."""

_HOLD_SECONDS: Final = 2 * ASK_SECONDS
"""How long a value counts after its own interval, in s. By then the next value should have come."""

_STALE_SECONDS: Final = 86_400.0
"""How long a value is a better substitute than the mean of the year, in s. Grids repeat themselves day by day."""

_KEPT_POINTS: Final = 2_000
"""Number of values that are kept, which is at least a week of five-minute values."""
_LIBRARIES: Final = ("httpx2", "tenacity", "platformdirs")
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_logger = get_logger(__name__)


class LiveOptions(TypedDict, total=False):
    """Options of every live provider.

    Attributes:
        base_url: Address of the service, without the path of the request. Defaults to the service's own address.
        cache: Folder in which all processes share the last answer. Defaults to the user's cache folder.
        clock: Clock to use. Defaults to the machine's clock.
    """

    base_url: str
    cache: str | Path
    clock: Clock


class LiveIntensity(ABC):
    """A carbon intensity that a web service provides.

    :meth:`poll` asks the service on the worker's thread. :meth:`at` and :meth:`over` answer with the values known by
    then. A value counts until half an hour after its interval. After that it is a substitute for up to a day, flagged
    ``stale``. Beyond a day, and before the first answer, the yearly average of the tables counts, flagged ``static``.
    Substitutes have the bounds of the tables, widened to hold every known value.

    The service is asked at most every 15 minutes, or more rarely if its ``Cache-Control`` says so. All processes
    together ask once, because they share the last answer through a folder. After a failure the provider waits a minute,
    then two, up to an hour, or as long as the service asks. A request takes at most 3 s. Only the first failure is a
    warning.

    Args:
        label: An intensity with everything that all values have in common.
        static: Intensity that counts while there is no value.
        home: Address of the service, which the options can override.
        options: As in :class:`LiveOptions`.

    Raises:
        ConfigurationError: The extra ``live`` is not installed, or the address is wrong.
    """

    is_instant: ClassVar[bool] = True

    poll_seconds = 60.0
    """Time between two calls of :meth:`poll`, in s. Few calls ask the service."""

    def __init__(self, label: Intensity, static: Intensity, home: str, **options: Unpack[LiveOptions]) -> None:
        _check(options)
        missing = [library for library in _LIBRARIES if find_spec(library) is None]
        if missing:
            msg = f"{type(self).__name__} needs {', '.join(missing)}. Run pip install 'green-callbacks[live]'."
            raise ConfigurationError(msg)
        self._base_url = _valid(options.get("base_url", home))
        self._cache = options.get("cache")
        self._clock = options.get("clock") or SystemClock()
        self._label = checked_intensity(label)
        self._static = checked_intensity(replace(static, found_by="provider", flags=(*static.flags, "static")))
        self._answer: ServiceAnswer | None = None
        self._seen: dict[float, Step] = {}
        self._function: StepFunction | None = None
        self._has_warned = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._label.zone!r})"

    def at(self, when: datetime) -> Intensity:
        """Return the intensity at a time, without asking the service.

        Args:
            when: Time of day, aware.
        """
        function, time = self._function, when.timestamp()
        return self._intensity(function, function.at(time)) if function and _is_near(function, time) else self._static

    def over(self, start: datetime, end: datetime) -> Intensity:
        """Return the mean over an interval, weighted by time, without asking the service.

        Args:
            start: Beginning, aware.
            end: End, aware. An end that is not after the beginning counts as the beginning.
        """
        function, first, last = self._function, start.timestamp(), end.timestamp()
        if function and any(_is_near(function, time) for time in (first, (first + last) / 2, last)):
            return self._intensity(function, function.over(first, last))
        return self._static

    def poll(self) -> None:
        """Ask the service if it is time to. The call takes a few seconds at most."""
        now = self._now()
        if self._answer is None or not self._answer.is_fresh(now):
            request = self._request()
            self._take(
                self._shared().get(self._key(request), now, lambda last: self._ask(request, last), TIMEOUT_SECONDS)
            )

    def forecast(self) -> TraceIntensity | None:
        """Ask the service for its forecast. The call takes a few seconds at most, so do not use the training thread.

        Returns:
            The predicted intensity. None, with one warning, if the service gives no forecast.
        """
        now, request = self._now(), self._forecast_request()
        answer = self._shared().get(self._key(request), now, lambda last: self._ask(request, last), TIMEOUT_SECONDS)
        label, points = self._label, answer.points if answer else ()
        if not points:
            reason = (answer and answer.failure) or "no answer yet"
            _logger.warning("%s gave no forecast for %s (%s).", label.source, label.zone, reason)
            return None
        values = {datetime.fromtimestamp(point.start, UTC): point.g_per_kwh for point in points}
        return TraceIntensity(
            values.items(),
            zone=label.zone,
            name=label.name,
            scope=label.scope,
            basis=label.basis,
            source=f"{label.source}, forecast",
            licence=label.licence,
        )

    @abstractmethod
    def _request(self) -> Request:
        """Return the request for the present intensity."""

    @abstractmethod
    def _forecast_request(self) -> Request:
        """Return the request for the forecast."""

    @abstractmethod
    def _read(self, payload: object) -> Iterable[Step]:
        """Read the answer to either request. Missing and impossible values are left out.

        Args:
            payload: JSON content of the answer.

        Raises:
            ServiceError: The answer is for another place.
        """

    def _ask(self, request: Request, last: ServiceAnswer | None) -> ServiceAnswer:
        try:
            reply = fetch(request)
            return self._answered(reply)
        except ServiceError as failure:
            failures = last.failures + 1 if last else 1
            cool_down_seconds = min(COOL_DOWN_SECONDS * 2.0 ** min(failures - 1, 10), _MAX_COOL_DOWN_SECONDS)
            wait_seconds = min(max(cool_down_seconds, failure.wait_seconds or 0.0), MAX_SECONDS)
            return ServiceAnswer(last.points if last else (), self._now() + wait_seconds, failures, failure.reason)

    def _answered(self, reply: Reply) -> ServiceAnswer:
        points = tuple(self._read(reply.payload))
        if not points:
            msg = "its answer holds no value"
            raise ServiceError(msg)
        return ServiceAnswer(points, self._now() + min(max(ASK_SECONDS, reply.max_age_seconds), _MAX_COOL_DOWN_SECONDS))

    def _take(self, answer: ServiceAnswer | None) -> None:
        self._answer = answer
        if answer is None:
            return
        seen = self._seen | {point.start: point for point in answer.points}
        self._seen = dict(sorted(seen.items())[-_KEPT_POINTS:])
        if self._seen:
            # Replaced in one assignment, because another thread reads them.
            self._function = StepFunction(_held(tuple(self._seen.values())))
        if answer.failure is not None:
            self._warn(answer.failure)

    def _warn(self, reason: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            _logger.warning(
                "%s gave no carbon intensity for %s (%s). Until it does, its last value or the yearly average of "
                "%g gCO2e/kWh is used, and records say so.",
                self._label.source,
                self._label.zone,
                reason,
                self._static.g_per_kwh,
            )

    def _intensity(self, function: StepFunction, level: StepValue) -> Intensity:
        low = high = level.g_per_kwh
        if level.is_held:
            static = self._static
            low = min(function.low, static.g_per_kwh, static.low_g_per_kwh or static.g_per_kwh)
            high = max(function.high, static.g_per_kwh, static.high_g_per_kwh or static.g_per_kwh)
        return replace(
            self._label,
            g_per_kwh=level.g_per_kwh,
            low_g_per_kwh=low,
            high_g_per_kwh=high,
            year=datetime.fromtimestamp(level.since, UTC).year,
            flags=(*self._label.flags, *level.flags, *(("stale",) if level.is_held else ())),
        )

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _key(self, request: Request) -> str:
        """Return the file name of an answer. It depends on the request, but not on its headers, which hold secrets."""
        question = "\n".join((request.url, *(f"{name}={value}" for name, value in sorted(request.parameters.items()))))
        return f"{type(self).__name__}-{hashlib.sha256(question.encode()).hexdigest()[:16]}"

    def _shared(self) -> SharedAnswers:
        import platformdirs

        return SharedAnswers(Path(self._cache or platformdirs.user_cache_path("green_callbacks", appauthor=False)))


def _check(options: LiveOptions) -> None:
    known = LiveOptions.__annotations__
    for name in options.keys() - known.keys():
        msg = f"There is no option {name!r}. The options are zone or region, token, and {', '.join(known)}."
        raise TypeError(msg)
    cache = options.get("cache")
    if not isinstance(cache, str | PathLike | None) or cache == "":
        msg = f"cache must be the path of a folder, not {described(cache)}."
        raise ConfigurationError(msg)


def is_local(base_url: str) -> bool:
    """Return whether an address belongs to this machine.

    Args:
        base_url: The address.
    """
    return urlsplit(base_url).hostname in _LOCAL


def _valid(base_url: str) -> str:
    try:
        parts = urlsplit(base_url if isinstance(base_url, str) else "")
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and not (parts.query or parts.username)
    except ValueError:
        is_address = False
    if not is_address:
        msg = "base_url must be the address of a service without a user or a query, such as https://api.example.org/v3."
        raise ConfigurationError(msg)
    return base_url.rstrip("/")


def _held(points: tuple[Step, ...]) -> Iterable[Step]:
    """Extend each value until the next is due, and the first value back to a run that began just before it."""
    first, *rest = (point._replace(end=point.end + _HOLD_SECONDS) for point in points)
    return first._replace(start=first.start - _HOLD_SECONDS), *rest


def _is_near(function: StepFunction, time: float) -> bool:
    step = function.step_at(time)
    return step.start - _STALE_SECONDS <= time <= step.end + _STALE_SECONDS
