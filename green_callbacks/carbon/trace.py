"""A recorded or predicted carbon intensity as a series over time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from math import isnan, nan
from os import PathLike
from pathlib import Path
from typing import ClassVar, SupportsFloat

from green_callbacks.carbon._step_function import Step, StepFunction, StepValue
from green_callbacks.carbon._trace_file import Series, read_trace
from green_callbacks.carbon.base import MAX_G_PER_KWH, checked_intensity
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Intensity
from green_callbacks.units import SECONDS_PER_HOUR, described, finite_number


class TraceIntensity:
    """A carbon intensity that changes in steps, for simulations, replays and forecasts.

    Each value holds until the next time of the series. A time without a value begins a gap. In a gap the last value is
    held, before all values the first, and after all values the last. Held values are flagged ``stale``, and their
    bounds are the smallest and the largest value of the trace.

    Args:
        series: Path of a CSV file with the columns ``utc`` (ISO 8601) and ``g_per_kwh`` (blank in a gap). Or pairs of
            an aware time and gCO2e/kWh, in any order.
        zone: Code of the place, as a label. Defaults to None.
        name: English name of the place, as a label. Defaults to None.
        scope: ``lifecycle`` or ``direct``. Defaults to None.
        basis: ``generation`` or ``consumption``. Defaults to None.
        source: Publisher of the figures. Defaults to the file's name.
        licence: License of the figures. Defaults to None.
        step_seconds: Longest time that a value holds, in s. A longer distance to the next value is a gap. Defaults to
            any distance, and the last value holds as long as the value before it.

    Raises:
        ConfigurationError: The series cannot be read or holds no value. Or it holds a value beyond any grid, a time
            without a time zone, or a time twice.

    Example:
        >>> from datetime import timedelta
        >>> noon = datetime(2025, 6, 1, 12, tzinfo=UTC)
        >>> trace = TraceIntensity([(noon, 100.0), (noon + timedelta(hours=1), 300.0)])
        >>> trace.over(noon, noon + timedelta(hours=2)).g_per_kwh
        200.0
    """

    is_instant: ClassVar[bool] = True

    def __init__(
        self,
        series: str | PathLike[str] | Series,
        *,
        zone: str | None = None,
        name: str | None = None,
        scope: str | None = None,
        basis: str | None = None,
        source: str | None = None,
        licence: str | None = None,
        step_seconds: float | None = None,
    ) -> None:
        if isinstance(series, str | PathLike):
            source = source or f"trace {Path(series).name}"
            series = read_trace(Path(series))
        self._function = StepFunction(_steps(series, step_seconds))
        self._label = checked_intensity(
            Intensity(
                g_per_kwh=self._function.steps[0].g_per_kwh,
                zone=zone,
                name=name,
                scope=scope,
                basis=basis,
                source=source or "trace given by the user",
                licence=licence,
                found_by="provider",
            )
        )

    @property
    def start(self) -> datetime:
        """Beginning of the first value, in UTC."""
        return datetime.fromtimestamp(self._function.steps[0].start, UTC)

    @property
    def end(self) -> datetime:
        """End of the last value, in UTC."""
        return datetime.fromtimestamp(self._function.steps[-1].end, UTC)

    def at(self, when: datetime) -> Intensity:
        """Return the intensity at a time.

        Args:
            when: Time of day, aware.
        """
        return self._intensity(self._function.at(when.timestamp()))

    def over(self, start: datetime, end: datetime) -> Intensity:
        """Return the mean over an interval, weighted by time and exact up to rounding errors.

        Args:
            start: Beginning, aware.
            end: End, aware. An end that is not after the beginning counts as the beginning.
        """
        return self._intensity(self._function.over(start.timestamp(), end.timestamp()))

    def _intensity(self, level: StepValue) -> Intensity:
        return replace(
            self._label,
            g_per_kwh=level.g_per_kwh,
            low_g_per_kwh=self._function.low if level.is_held else level.g_per_kwh,
            high_g_per_kwh=self._function.high if level.is_held else level.g_per_kwh,
            year=datetime.fromtimestamp(level.since, UTC).year,
            flags=("stale",) if level.is_held else (),
        )


def _steps(series: Series, step_seconds: float | None) -> list[Step]:
    is_time = isinstance(step_seconds, int | float) and not isinstance(step_seconds, bool) and step_seconds > 0
    if step_seconds is not None and not is_time:
        msg = f"step_seconds must be a number of seconds above 0, not {described(step_seconds)}."
        raise ConfigurationError(msg)
    ordered = sorted((_seconds(when), value) for when, value in _pairs(series))
    steps = [following - this for (this, _), (following, _) in pairwise(ordered)]
    if 0.0 in steps:
        twice = datetime.fromtimestamp(ordered[steps.index(0.0)][0], UTC)
        msg = f"A trace has one value for each time, but this trace has two for {twice:%Y-%m-%d %H:%M} UTC."
        raise ConfigurationError(msg)
    steps.append(steps[-1] if steps else SECONDS_PER_HOUR)
    points = [
        Step(start, start + min(step, step_seconds or step), value)
        for (start, value), step in zip(ordered, steps, strict=False)
        if not isnan(value)
    ]
    if not points:
        msg = "A trace needs at least one value, but this trace has none."
        raise ConfigurationError(msg)
    return points


def _pairs(series: Series) -> Iterable[tuple[datetime, float]]:
    for when, value in _unpacked(series):
        number = nan if _is_unknown(value) else _number(value, when)
        if not isnan(number) and not 0 <= number < MAX_G_PER_KWH:
            msg = f"A carbon intensity is a number of gCO2e/kWh from 0 to {MAX_G_PER_KWH:.0f}, not {value} ({when})."
            raise ConfigurationError(msg)
        yield when, number


def _unpacked(series: Series) -> Iterator[tuple[datetime, float | None]]:
    try:
        for pair in series:
            when, value = pair
            yield when, value
    except (TypeError, ValueError) as error:
        kind = "a mapping. Pass its items()" if isinstance(series, Mapping) else f"{described(series)} ({error})"
        msg = f"A trace is a path, or pairs of an aware time and a number of gCO2e/kWh, not {kind}."
        raise ConfigurationError(msg) from error


def _is_unknown(value: object) -> bool:
    """Return whether a value means a gap, which is None or the NaN of any kind of number."""
    if value is None or isinstance(value, float):
        return value is None or isnan(value)
    return isinstance(value, SupportsFloat) and type(value).__name__.startswith("float") and isnan(float(value))


def _number(value: object, when: object) -> float:
    try:
        return value if isinstance(value, float) else finite_number(value)
    except ValueError as error:
        msg = f"A trace holds numbers of gCO2e/kWh, or None in a gap, but {error} ({when})."
        raise ConfigurationError(msg) from error


def _seconds(when: datetime) -> float:
    if not isinstance(when, datetime):
        msg = f"The times of a trace are datetimes, not {described(when)}."
        raise ConfigurationError(msg)
    if when.tzinfo is None:
        msg = f"The times of a trace need a time zone, for example datetime(2025, 1, 1, tzinfo=UTC), unlike {when}."
        raise ConfigurationError(msg)
    return when.timestamp()
